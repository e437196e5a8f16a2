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

struct gates {
	struct arena arena;
	struct gate_result *results; /* n, in the grid's order */
	int n;
	struct study_stat *cand, *base; /* what was judged, for --power; n of each; .n = 0 where there was nothing */
};

/* baselines: the folder. Holm's rule is applied. Only the gates in names[0..n_names) when n_names > 0 (unknown: exit
 * 2). What a single gate lacks becomes its error verdict; -1 only for what concerns all of them. */
MUST_CHECK int gates_judge(struct gates *out, struct study *s, const char *baselines, const char *const *names,
                           int n_names, struct err *e);
void gates_release(struct gates *g);
void scoped_gates(struct gates *g);

/* The arm and metric of a gate as a new proposal; texts in its arena. Exit 1 when seeds are missing. */
MUST_CHECK int gates_propose(struct baseline *out, struct study *s, const struct grid_gate *gate, const char *commit,
                             const char *env, const char *created, struct err *e);

#endif
