/* engine_device.h - which device cells run on. */
#ifndef ABLATE_ENGINE_DEVICE_H
#define ABLATE_ENGINE_DEVICE_H

#include "model/base/err.h"

/* "auto" -> the device there is; others are only checked for their form. EXIT_USAGE for what is not a device. */
MUST_CHECK int engine_device(char out[32], const char *asked, struct err *e);

#endif
