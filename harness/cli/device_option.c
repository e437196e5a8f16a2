/* device_option.c - see device_option.h. */
#include "harness/cli/device_option.h"

#include "model/cpu/devices.h"

#include <string.h>

void device_warn(const struct cli *c, const char *fallback)
{
	char lacks[256], why[1000];
	const char *device = cli_string(c, "device", fallback);
	if (strcmp(device, "auto") == 0 && backend_auto_skips(why, sizeof why))
		cli_warn(c, "--device auto: the CPU: %s", why);
	if (backend_lacks(lacks, sizeof lacks, device))
		cli_warn(c, "--device %s: %s: not NVIDIA's libraries; `ablate doctor` tells how to get them", device, lacks);
}
