/* device_option.h - the option --device of commands that compute. */
#ifndef ABLATE_DEVICE_OPTION_H
#define ABLATE_DEVICE_OPTION_H

#include "harness/cli/cmd.h"

/* Warns, before the work begins, when --device (or else `fallback`) means a GPU whose back end did not find NVIDIA's
 * libraries and computes with its own kernels instead, and when it is "auto" and a plugin is there that must not be
 * opened. Silent for a CPU, and for what the environment disables. */
void device_warn(const struct cli *c, const char *fallback);

#endif
