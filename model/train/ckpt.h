/* ckpt.h - one training state on disk: weights, teacher, averages (EMA), optimizer moments, step, loss since the last
 * curve point.
 * Randomness is counter-based, so the step is all that resuming needs to know about it.
 *
 * A checkpoint is a safetensors file DIR/step-%08d.ckpt that exists whole or not at all; its metadata holds the config,
 * the seed, the step and a SHA-256 over all of them and the payload, which loading checks. Loading it and stepping
 * gives the same bits as never having stopped (tests/model/train/test_train.c).
 *
 * Tensors are PART.NAME: student, teacher, ema, m, v. "ema" is the average with the config's ema.decay; one of another
 * decay is "ema@DECAY/NAME". Cells that only sample otherwise continue each other's checkpoints: what has to agree is
 * the training's settings and seed. */
#ifndef ABLATE_CKPT_H
#define ABLATE_CKPT_H

#include "model/base/io.h"
#include "model/graph/params.h"

#include <stdbool.h>
#include <stdint.h>

enum ckpt_part { CKPT_STUDENT, CKPT_TEACHER, CKPT_EMA, CKPT_M, CKPT_V, N_CKPT_PARTS };

/* An average beside the one in CKPT_EMA. */
struct ckpt_average {
	double decay;
	float *values; /* flat buffer */
};

struct ckpt_state {
	const struct params *params;
	float *parts[N_CKPT_PARTS];      /* flat buffers; NULL: not part of this state (a teacher that is the student) */
	double decay;                    /* of CKPT_EMA: the config's ema.decay */
	const struct ckpt_average *more; /* n_more of them, of other decays; in ascending order for the same bytes */
	int n_more;
	int64_t step;
	uint64_t seed;
	const char *config; /* canonical JSON; what training depends on is compared on loading */
	double loss_sum;    /* of the loss_steps steps since the last point of the curves */
	int64_t loss_steps;
};

/* Writes DIR/step-%08d.ckpt and drops all but the newest two. path (heap) and sha256 of the file are returned. */
MUST_CHECK int ckpt_save(char **path, char sha256[SHA256_HEX], const char *dir, const struct ckpt_state *s,
                         struct err *e);
/* Loads PATH into the state's buffers and step. Another training or seed, an average that the file does not have
 * (EXIT_RECORD), a damaged payload: an error that says so. */
MUST_CHECK int ckpt_load(struct ckpt_state *s, const char *path, struct err *e);
/* One part only, for sampling: fills values (params_floats) from PATH; config and seed are not compared. A part that
 * the file lacks because it equals the student (teacher.ema = 0) is read from the student. decay: which average, for
 * CKPT_EMA; one that is not there is EXIT_RECORD and says which are. */
MUST_CHECK int ckpt_load_part(float *values, const struct params *p, enum ckpt_part part, double decay,
                              const char *path, struct err *e);
/* The decays of the averages in PATH, ascending; heap. The file's header is read and its payload is not checked. */
MUST_CHECK int ckpt_decays(double **out, int *n, const char *path, struct err *e);
/* Are all of n decays among them? */
MUST_CHECK int ckpt_has_decays(bool *has, const char *path, const double *decays, int n, struct err *e);
/* The newest checkpoint of dir that loads; damaged ones are passed over, each reported by `say`. Returns 1 when one was
 * loaded (its path, heap, in *path), 0 when there is none, -1 when one is of another config. */
MUST_CHECK int ckpt_resume(struct ckpt_state *s, char **path, const char *dir, void (*say)(void *ctx, const char *line),
                           void *ctx, struct err *e);

#endif
