/* engine_device.c - see engine_device.h. */
#include "harness/run/engine_device.h"

#include "model/cpu/devices.h"

int engine_device(char out[32], const char *asked, struct err *e)
{
	return backend_name(out, asked, e);
}
