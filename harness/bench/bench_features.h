/* bench_features.h - the speed of the scoring networks on this machine, from bytes to features, resizing included
 * (reading pictures is bench_pictures.h): Inception in fp32 and bf16, DINOv2 in fp32; beside the rate of a matrix
 * product, and a peer (bench_peer.h), in the same run. Weights are random: speed does not depend on them. */
#ifndef ABLATE_BENCH_FEATURES_H
#define ABLATE_BENCH_FEATURES_H

#include "harness/bench/bench_train.h"
#include "model/base/err.h"

#include <jansson.h>

struct bench_features {
	int batch;        /* 0 = the default */
	int rounds;       /* 0 = BENCH_ROUNDS */
	double seconds;   /* about as long each */
	const char *peer; /* a command; NULL = none. It gets the same weights, in a file, and pictures. CPU only */
	struct bench_target target;
};

/* Append one object per configuration, and one for the peer, to `out` (an array). */
MUST_CHECK int bench_features(json_t *out, const struct bench_features *o, struct err *e);
MUST_CHECK int bench_dinov2(json_t *out, const struct bench_features *o, struct err *e);

#endif
