/* bench_fid_pictures.h - `ablate fid` of two folders of small PNG, whole, as a process, beside a peer's
 * (bench_peer.h): wall time and largest memory of both. */
#ifndef ABLATE_BENCH_FID_PICTURES_H
#define ABLATE_BENCH_FID_PICTURES_H

#include "model/base/err.h"

#include <jansson.h>

struct bench_fid_pictures {
	const char *peer; /* a command */
	int pictures;     /* in each folder, of 32 x 32; 0 = 300 */
	int rounds;       /* of both, in turn; 0 = 3 */
};

/* Appends one object to `out` (an array). Ours leaves out its interval, which peers do not have. Weights of Inception
 * are random, in a file for both. */
MUST_CHECK int bench_fid_pictures(json_t *out, const struct bench_fid_pictures *o, struct err *e);

#endif
