/* engine_device.c - see engine_device.h. This build's only backend is the CPU; a device plugin adds its name here. */
#include "engine_device.h"

#include <stdio.h>
#include <string.h>

int engine_device(char out[32], const char *asked, struct err *e)
{
	if (strcmp(asked, "auto") != 0 && strcmp(asked, "cpu") != 0)
		return err_code(e, EXIT_USAGE, strncmp(asked, "cuda", 4) == 0 ? "--device %s: this build has no CUDA backend" : "--device %s: not auto, cpu or cuda[:N]", asked);
	(void)snprintf(out, 32, "cpu");
	return 0;
}
