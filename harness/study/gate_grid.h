/* gate_grid.h - the gates of a grid, from its study and its baselines.
 *
 * A side's values are an arm's scores over the declared training seeds. A seed without a score is an error (with its
 * reason), except under declared looks, where the seeds up to the first missing one count and the largest look within
 * them is read. Baselines are files DIR/GRID.GATE.toml (baseline.h). */
#ifndef ABLATE_GATE_GRID_H
#define ABLATE_GATE_GRID_H

#include "harness/judge/baseline.h"
#include "harness/judge/gate.h"
#include "harness/study/study.h"

struct gates_ask {
	const char *baselines;    /* the folder */
	const char *const *names; /* only these gates, n_names > 0 of them (unknown: exit 2) */
	int n_names;
	/* A baseline of another configuration, or of another arm, is compared and said to be one; else it is exit 5. */
	bool allow_config_change;
	/* The study of a gate's `against_grid`, a file or the name of a grid; borrowed for as long as the gates are used.
	 * NULL: such a gate cannot be judged. */
	struct study *(*other)(void *ctx, const char *grid, struct err *e);
	void *ctx;
};

struct gates {
	struct arena arena;
	struct gate_result *results; /* n, in the grid's order */
	int n;
	struct study_stat *cand, *base; /* what was judged, for --power; n of each; .n = 0 where there was nothing */
};

/* Holm's rule is applied. What a single gate lacks becomes its error verdict; -1 only for what concerns all of them. */
MUST_CHECK int gates_judge(struct gates *out, struct study *s, const struct gates_ask *ask, struct err *e);
void gates_release(struct gates *g);
void scoped_gates(struct gates *g);

/* The arm and metric of a gate as a new proposal; texts in its arena. Exit 1 when seeds are missing. */
MUST_CHECK int gates_propose(struct baseline *out, struct study *s, const struct grid_gate *gate, const char *commit,
                             const char *env, const char *created, struct err *e);

#endif
