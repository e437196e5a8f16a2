/* device_option.c - see device_option.h. */
#include "harness/cli/device_option.h"

#include "model/cpu/devices.h"

void device_warn(const struct cli *c, const char *fallback)
{
	char lacks[256];
	const char *device = cli_string(c, "device", fallback);
	if (backend_lacks(lacks, sizeof lacks, device))
		cli_warn(c, "--device %s: %s: not NVIDIA's libraries; `ablate doctor` tells how to get them", device, lacks);
}
