/* ckpt.h - one training state on disk: weights, teacher, EMA, optimizer moments, step, loss since the last curve point.
 * Randomness is counter-based, so the step is all that resuming needs to know about it.
 *
 * A checkpoint is a safetensors file DIR/step-%08d.ckpt that exists whole or not at all; its metadata holds the config,
 * the seed, the step and a SHA-256 over all of them and the payload, which loading checks. Loading it and stepping
 * gives the same bits as never having stopped (tests/model/train/test_train.c). */
#ifndef ABLATE_CKPT_H
#define ABLATE_CKPT_H

#include "model/base/io.h"
#include "model/graph/params.h"

#include <stdint.h>

enum ckpt_part { CKPT_STUDENT, CKPT_TEACHER, CKPT_EMA, CKPT_M, CKPT_V, N_CKPT_PARTS };

struct ckpt_state {
	const struct params *params;
	float *parts[N_CKPT_PARTS]; /* flat buffers; NULL: not part of this state (a teacher that is the student) */
	int64_t step;
	uint64_t seed;
	const char *config; /* canonical JSON; what training depends on is compared on loading */
	double loss_sum;    /* of the loss_steps steps since the last point of the curves */
	int64_t loss_steps;
};

/* Writes DIR/step-%08d.ckpt and drops all but the newest two. path (heap) and sha256 of the file are returned. */
MUST_CHECK int ckpt_save(char **path, char sha256[SHA256_HEX], const char *dir, const struct ckpt_state *s,
                         struct err *e);
/* Loads PATH into the state's buffers and step. Another config or seed, a damaged payload: an error that says so. */
MUST_CHECK int ckpt_load(struct ckpt_state *s, const char *path, struct err *e);
/* One part only, for sampling: fills values (params_floats) from PATH; config and seed are not compared. A part that
 * the file lacks because it equals the student (teacher.ema = 0) is read from the student. */
MUST_CHECK int ckpt_load_part(float *values, const struct params *p, enum ckpt_part part, const char *path,
                              struct err *e);
/* The newest checkpoint of dir that loads; damaged ones are passed over, each reported by `say`. Returns 1 when one was
 * loaded (its path, heap, in *path), 0 when there is none, -1 when one is of another config. */
MUST_CHECK int ckpt_resume(struct ckpt_state *s, char **path, const char *dir, void (*say)(void *ctx, const char *line),
                           void *ctx, struct err *e);

#endif
