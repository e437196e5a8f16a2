/* gpus.h - what NVIDIA's driver says of the GPUs of this machine, by its library NVML where that is installed. Looking
 * needs no CUDA and no memory of the card, and disturbs nobody. */
#ifndef ABLATE_GPUS_H
#define ABLATE_GPUS_H

enum { GPUS_MAX = 64 };

struct gpu {
	char name[192];      /* of at most 40 columns, without control characters */
	int use;             /* percent of the time that a kernel ran lately; -1 = not known */
	double used, memory; /* bytes; NAN = not known */
	int celsius;         /* -1 = not known */
	double watts;        /* NAN = not known */
};

/* The first GPUS_MAX of all that the driver has, in its order. Returns how many; 0 where there is no driver. */
int gpus_read(struct gpu out[GPUS_MAX]);

#endif
