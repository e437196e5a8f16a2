/* bench_train.h - the speed of a training step on this machine: images/s, GFLOP/s, and the share of the ceiling that
 * oneDNN's own matrix product reaches in the same run. */
#ifndef ABLATE_BENCH_TRAIN_H
#define ABLATE_BENCH_TRAIN_H

#include "model/base/err.h"

#include <jansson.h>
#include <stdbool.h>

struct backend;

/* Where and in what precision: a device's name (model/cpu/devices.h) and an enum dtype_kind. */
struct bench_target {
	const char *device;
	int dtype;
};

/* What is measured. which: "a", "b", "quickstart" (the network of ablations/quickstart.toml) or a preset's name; NULL:
 * "a" and "b", with a profile all of them, ict-cifar10 and ict-imagenet64. */
struct bench_train {
	const char *which;
	bool profile; /* clock the parts of a step as well, on the CPU: "profile" of a result, as bench_profile_json */
	int batch;    /* images; 0 = the configuration's */
	double dropout, lr; /* dropout < 0: the preset's, none for a and b; lr: of Adam */
	double seconds;     /* time spent per configuration */
	struct bench_target target;
};
/* Appends one object per configuration to `out` (an array). On a device the step is recorded once and replayed, and the
 * ceiling is that device's own matrix product in the same precision, of random numbers: zeros take less power, and so
 * run faster. A step whose loss is not finite is an error: it updates nothing, so its time says nothing. A batch that
 * does not fit is one that names what would. */
MUST_CHECK int bench_train(json_t *out, const struct bench_train *what, struct err *e);
/* What bench_train_rate measures. */
struct bench_rate {
	bool large;     /* configuration a with 16 pictures, not the network of ablations/quickstart.toml */
	double seconds; /* for how long, and at least one step */
	/* Called when all is in place and warm, with the arithmetic of a step; the clock starts when it returns 0. May be
	 * NULL. */
	int (*ready)(double gflop, struct err *e);
};
/* Steps per second, with data and noise in place: not the median step's but the overall rate, stalls included. */
MUST_CHECK int bench_train_rate(double *steps_per_s, const struct bench_rate *what, struct err *e);
/* GFLOP/s of a 2048^3 float matrix product, best of a few. */
double bench_gemm_ceiling(void);
/* The same of a device in its precision, over several sizes of random numbers; 0 with an error. */
double bench_device_ceiling(struct backend *b, struct err *e);

#endif
