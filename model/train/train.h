/* train.h - one cell's training on one device: data -> noise -> student and teacher -> loss -> optimizer -> EMA, from
 * a finished config and a seed, with checkpoints from which it resumes bit-equal.
 *
 * The trainer knows no database: what happens is reported through hooks, on the calling thread, in step order. */
#ifndef ABLATE_TRAIN_H
#define ABLATE_TRAIN_H

#include "model/base/err.h"
#include "model/base/io.h"
#include "model/config/config.h"

#include <stdbool.h>
#include <stdint.h>

struct progress;
struct team;

struct train_hooks {
	void *ctx;
	/* A point of a curve: "loss" (mean of the steps since the last point), "grad_norm", "n" (discretization steps). May
	 * be NULL. */
	void (*curve)(void *ctx, const char *name, int64_t step, double value);
	/* A checkpoint was written whole: its file and SHA-256. Returns 0, or -1 to stop training with e. May be NULL. */
	int (*checkpoint)(void *ctx, int64_t step, const char *path, const char *sha256, struct err *e);
	/* A line for a person: a damaged checkpoint was passed over, an older one is used. May be NULL. */
	void (*say)(void *ctx, const char *line);
	/* Asked after every step: true = write a checkpoint and return TRAIN_STOPPED. May be NULL. */
	bool (*stop)(void *ctx);
	/* Asked before every step, of rank 0 alone where a team trains: true = a checkpoint is written after it, too. What
	 * it answers changes no bit of the result. May be NULL. */
	bool (*due)(void *ctx);
	struct progress *progress; /* may be NULL */
};

struct train_options {
	uint64_t seed;
	const char *dir;      /* an existing folder for checkpoints: DIR/step-%08d.ckpt, the last two are kept */
	int checkpoint_every; /* steps; 0 = only at the end, when stopped and when due */
	int curve_every;      /* steps between curve points; 0 = about 100 points in all */
	int threads;          /* 0 = OpenMP's default */
	int microbatch;       /* samples that each process computes at once (model/train/fit.h); 0 = its share of a batch */
	const double *ema;    /* n_ema decays of averages to keep; the config's ema.decay is always among them */
	int n_ema;
	struct team *
		/* borrowed: the processes that share every batch (model/train/team.h), of which rank 0 writes; NULL = alone */
		team;
	const char *device; /* NULL = "cpu", "auto", "cuda", "cuda:N" (model/cpu/devices.h) */
	const char *lpips_backbone,
		*lpips_heads; /* safetensors of VGG16 and its heads, for config_needs_lpips(); else NULL */
};

enum train_end { TRAIN_DONE, TRAIN_STOPPED, TRAIN_DIVERGED };

struct train_result {
	enum train_end end;
	int64_t step, resumed_from; /* steps done; the step of the checkpoint that this run began with (0 = fresh) */
	double final_loss;
	char checkpoint[4096]; /* path of the last checkpoint, "" when none was written */
	char checkpoint_sha256[SHA256_HEX];
	char data_sha256[SHA256_HEX]; /* identity of the training set that was read */
};

/* Trains from the newest whole checkpoint in dir (or from the start) to config->train.steps. */
MUST_CHECK int train_run(struct train_result *out, const struct run_config *config, const struct train_options *options,
                         const struct train_hooks *hooks, struct err *e);

#endif
