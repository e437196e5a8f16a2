/* asked.c - see asked.h. */
#include "harness/run/asked.h"

#include "harness/plan/plan.h"
#include "harness/record/query_attempt.h"
#include "harness/record/query_grid.h"
#include "harness/record/score_key.h"
#include "metrics/features/extractor_command.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct list {
	struct job_score *v;
	int n, cap;
};

static const char *extractor_of(struct arena *a, const char *protocol)
{
	char name[SCORE_EXTRACTOR_MAX];
	score_extractor(name, protocol);
	return arena_strdup(a, name);
}

/* 50000 of "fid:inception-2015:tf-bilinear:u8:n50000:ref=..."; 0 where it does not say. */
static int64_t images_of(const char *protocol)
{
	for (const char *at = protocol; (at = strstr(at, ":n")); at++) {
		char *end;
		long long n = strtoll(at + 2, &end, 10);
		if (n > 0 && (*end == ':' || !*end))
			return n;
	}
	return 0;
}

static bool same(const struct job_score *a, const struct job_score *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->ref, b->ref) == 0 && strcmp(a->extractor, b->extractor) == 0 &&
	       a->samples == b->samples && *a->nfe == *b->nfe && *a->eval_seeds == *b->eval_seeds;
}

static void add(struct list *all, struct job_score one, const char *ref)
{
	one.ref = ref;
	for (int i = 0; i < all->n; i++)
		if (same(&all->v[i], &one))
			return;
	VEC_PUSH(all->v, all->n, all->cap) = one;
}

/* Does the metric give such a score? */
static bool gives(const struct grid *g, const struct grid_metric *m, const struct job_score *one)
{
	const char *outputs[GRID_OUTPUTS_MAX];
	char label[EXTRACTOR_LABEL_MAX];
	bool named = false, steps = false;
	for (int o = grid_metric_outputs(outputs, m) - 1; o >= 0; o--)
		named |= strcmp(outputs[o], one->name) == 0;
	for (int k = 0; k < m->n_nfe; k++)
		steps |= m->nfe[k] == *one->nfe;
	return named && steps && m->samples == one->samples &&
	       job_list_has(g->seeds.eval, g->seeds.n_eval, *one->eval_seeds) &&
	       (!*m->extractor || strcmp(extractor_label(label, m->extractor), one->extractor) == 0);
}

/* The references of the scores, from one grid; found[i]: of score i there was one. */
static void add_refs(struct list *all, bool *found, const struct list *rows, const struct grid *g, struct arena *a)
{
	for (int i = 0; i < rows->n; i++)
		for (int m = 0; m < g->n_metrics; m++)
			if (gives(g, &g->metrics[m], &rows->v[i])) {
				struct job_score one = rows->v[i];
				if (extractor_is_command(g->metrics[m].extractor))
					one.extractor = arena_strdup(a, g->metrics[m].extractor); /* a protocol has its label alone */
				found[i] = true;
				add(all, one, arena_strdup(a, g->metrics[m].ref));
			}
}

static int read_scores(struct list *out, struct arena *a, struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct measured_row r;
	if (query_measured(&rows, db, attempt, e))
		return -1;
	while (query_measured_next(&r, &rows)) {
		int64_t *number = arena_alloc(a, 2 * sizeof *number), n = images_of(r.protocol);
		number[0] = r.nfe;
		number[1] = r.eval_seed;
		if (n > 0 || r.n > 0)
			VEC_PUSH(out->v, out->n, out->cap) = (struct job_score){ .name = arena_strdup(a, r.name),
				                                                     .ref = "",
				                                                     .extractor = extractor_of(a, r.protocol),
				                                                     .samples = n > 0 ? n : r.n,
				                                                     .interval = r.interval,
				                                                     .nfe = number,
				                                                     .eval_seeds = number + 1,
				                                                     .n_nfe = 1,
				                                                     .n_eval_seeds = 1 };
	}
	return db_done(&rows, e);
}

/* A grid that this version does not understand any more says nothing. */
static int read_grids(struct list *all, bool *found, const struct list *scores, struct arena *a, struct db *db,
                      const char *cell, struct err *e)
{
	struct db_rows rows;
	struct grid_text_row r;
	if (query_grids_of_cell(&rows, db, cell, e))
		return -1;
	while (query_grid_text_next(&r, &rows)) {
		SCOPED(plan) struct plan *p = NULL;
		struct err why = ERR_INIT;
		if (plan_of_record(&p, r.name, r.toml, r.made_of, &(struct plan_sets){ 0 }, &(struct plan_options){ 0 },
		                   &why) == 0)
			add_refs(all, found, scores, p->grid, a);
	}
	return db_done(&rows, e);
}

int asked_of_record(const struct job_score **out, int *n, struct arena *arena, struct db *db, const char *cell,
                    const char *attempt, struct err *e)
{
	struct list scores = { 0 }, all = { 0 };
	int rc = read_scores(&scores, arena, db, attempt, e);
	SCOPED(free) bool *found = xcalloc((size_t)scores.n + 1, sizeof *found);
	if (!rc && scores.n)
		rc = read_grids(&all, found, &scores, arena, db, cell, e);
	for (int i = 0; i < scores.n && !rc; i++)
		if (!found[i])
			add(&all, scores.v[i], "");
	if (!rc) {
		struct job_score *kept = arena_alloc(arena, (size_t)(all.n + 1) * sizeof *kept);
		if (all.n)
			memcpy(kept, all.v, (size_t)all.n * sizeof *kept);
		*out = kept;
		*n = all.n;
	}
	free(scores.v);
	free(all.v);
	return rc;
}
