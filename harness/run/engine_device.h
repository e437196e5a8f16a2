/* engine_device.h - the devices that cells run on, and which of them the next cell gets. */
#ifndef ABLATE_ENGINE_DEVICE_H
#define ABLATE_ENGINE_DEVICE_H

#include "model/base/err.h"

#include <stdbool.h>

enum { ENGINE_DEVICES_MAX = 128 };

struct engine_devices {
	int n;
	struct engine_device {
		char name[32]; /* "cpu", "cuda:0" */
		int cells;     /* that run on it now */
		bool left_out; /* it could not be opened */
	} v[ENGINE_DEVICES_MAX];
};

/* What --device names: "cpu"; "cuda", every CUDA device that is visible; "auto", the same where there is one, else the
 * cpu; "cuda:N", or several of these between commas. A cell that is trained by `ranks` processes takes as many devices,
 * counted up from the first (team.h): "cuda" then names the first of each such group. EXIT_USAGE for what is not a
 * device or does not exist; *out is then unspecified. */
MUST_CHECK int engine_devices(struct engine_devices *out, const char *asked, int ranks, struct err *e);
/* Does --device read as such, for a machine that is not this one? EXIT_USAGE: no. */
MUST_CHECK int engine_devices_named(const char *asked, struct err *e);
/* The device of the next cell: of those not left out the one with the fewest cells, of several the first. Counts the
 * cell. */
int engine_device_take(struct engine_devices *d);
/* Its cell has ended. */
void engine_device_give_back(struct engine_devices *d, int i);
/* Leaves a device that could not be opened out of what follows, and says whether it did: not the last one, and not one
 * that other cells run on, as its memory may be all that was wanting. After engine_device_give_back. */
bool engine_device_leave_out(struct engine_devices *d, int i);

#endif
