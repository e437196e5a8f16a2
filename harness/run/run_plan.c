/* run_plan.c - see run_plan.h. */
#define _GNU_SOURCE
#include "harness/run/run_plan.h"
#include "harness/plan/plan_memory.h"
#include "harness/record/query.h"
#include "harness/record/query_attempt.h"
#include "harness/record/store.h"
#include "harness/run/asked.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void add_asked(struct run_set *s, const struct grid *g)
{
	struct job_score *asked = arena_alloc(&s->arena, (size_t)(g->n_metrics + 1) * sizeof *asked);
	for (int i = 0; i < g->n_metrics; i++) {
		const struct grid_metric *m = &g->metrics[i];
		int64_t *nfe = arena_alloc(&s->arena, (size_t)(m->n_nfe + 1) * sizeof *nfe);
		for (int k = 0; k < m->n_nfe; k++)
			nfe[k] = m->nfe[k];
		asked[i] = (struct job_score){ .name = m->name,
			                           .ref = m->ref,
			                           .extractor = m->extractor,
			                           .samples = m->samples,
			                           .interval = m->ci == CI_JACKKNIFE,
			                           .infinity = m->infinity,
			                           .nfe = nfe,
			                           .n_nfe = m->n_nfe,
			                           .eval_seeds = g->seeds.eval,
			                           .n_eval_seeds = g->seeds.n_eval };
	}
	s->run.asked = asked;
	s->run.n_asked = g->n_metrics;
}

/* One row of the plan means one cell per seed. Cells are ordered by arm. */
static void add_rows(struct run_set *s, const struct plan *p)
{
	int cap = 0, n = 0, *first = xcalloc((size_t)p->n_arms + 1, sizeof *first);
	for (int i = p->n_cells - 1; i >= 0; i--)
		first[p->cells[i].arm] = i;
	for (int r = 0; r < p->n_rows; r++) {
		const struct plan_arm *arm = &p->arms[p->rows[r].arm];
		json_t *labels = json_array();
		for (int k = 0; k < arm->n_rows; k++)
			(void)json_array_append_new(labels, json_string(p->rows[arm->rows[k]].name));
		for (int c = first[p->rows[r].arm]; c < p->n_cells && p->cells[c].arm == p->rows[r].arm; c++)
			VEC_PUSH(s->rows, n, cap) = (struct run_row){ .cell = c,
				                                          .chain = p->rows[r].chain,
				                                          .label = p->rows[r].label,
				                                          .ordinal = r,
				                                          .labels = json_incref(labels) };
		json_decref(labels);
	}
	free(first);
	s->run.rows = s->rows;
	s->run.n_rows = n;
}

void run_set_of_plan(struct run_set *out, const struct plan *p)
{
	struct run_set s = {
		.run = { .hash = p->hash, .name = p->grid->name, .toml = p->grid->sources[0].text, .n_cells = p->n_cells }
	};
	s.run.made_of = s.made_of = plan_made_of(p);
	s.run.cells = s.cells = xcalloc((size_t)p->n_cells + 1, sizeof *s.cells);
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		const struct plan_arm *arm = &p->arms[c->arm];
		s.cells[i] = (struct run_cell){
			.cell = c->hash,
			.arm = arm->hash,
			.config = arm->json,
			.dataset = arm->dataset,
			.seed = c->seed,
			.numerics = NUMERICS_VERSION,
			.label = p->rows[arm->rows[0]].label,
			.steps = arm->config.train.steps,
			.microbatch = plan_arm_microbatch(arm),
			.training = p->trainings[c->training].key,
			.ema = p->trainings[c->training].ema,
			.n_ema = p->trainings[c->training].n_ema,
			.blocked = c->state == CELL_BLOCKED ? c->reason : NULL,
		};
	}
	add_rows(&s, p);
	s.run.n_scores = grid_wanted_scores(&s.scores, p->grid);
	s.run.scores = s.scores;
	add_asked(&s, p->grid);
	*out = s;
}

/* Where its job is not at hand: the EMA decays that its environment names. */
static int kept_averages(struct run_cell *c, struct arena *a, struct db *db, const char *attempt, struct err *e)
{
	SCOPED(free) char *json = NULL;
	if (query_env(&json, db, attempt, e))
		return -1;
	json_t *env = json ? json_loads(json, 0, NULL) : NULL, *list = json_object_get(env, "ema");
	size_t n = json_array_size(list);
	double *ema = arena_alloc(a, (n + 1) * sizeof *ema);
	for (size_t i = 0; i < n; i++)
		ema[i] = json_number_value(json_array_get(list, i));
	json_decref(env);
	c->ema = ema;
	c->n_ema = (int)n;
	return 0;
}

int run_set_of_attempt(struct run_set *out, struct db *db, const char *runs, const char *cell, const char *attempt,
                       struct err *e)
{
	struct run_set s = { .run = { .hash = "verify", .name = "verify", .toml = "", .n_cells = 1 } };
	struct db_rows rows;
	struct repeat_row r;
	if (query_repeat(&rows, db, cell, e))
		return -1;
	s.run.cells = s.cells = xcalloc(1, sizeof *s.cells);
	if (query_repeat_next(&r, &rows)) {
		s.cells[0] = (struct run_cell){
			.cell = arena_strdup(&s.arena, cell),
			.arm = arena_strdup(&s.arena, r.arm),
			.config = arena_strdup(&s.arena, r.config),
			.dataset = arena_strdup(&s.arena, r.dataset),
			.seed = r.seed,
			.numerics = r.numerics,
			.steps = r.steps,
			.label = arena_strdup(&s.arena, r.label),
		};
	}
	if (db_done(&rows, e)) {
		run_set_release(&s);
		return -1;
	}
	SCOPED(free) char *dir = store_dir_of(runs, cell, attempt);
	if (job_read(&s.earlier, dir, NULL) == 0) {
		s.run.asked = s.earlier.scores;
		s.run.n_asked = s.earlier.n_scores;
		s.cells[0].ema = s.earlier.ema; /* checkpoints are compared: they have to hold the same averages */
		s.cells[0].n_ema = s.earlier.n_ema;
	} else if (asked_of_record(&s.run.asked, &s.run.n_asked, &s.arena, db, cell, attempt, e) ||
	           kept_averages(&s.cells[0], &s.arena, db, attempt, e)) {
		run_set_release(&s);
		return -1;
	}
	*out = s;
	return 0;
}

void run_set_release(struct run_set *s)
{
	for (int i = 0; i < s->run.n_rows; i++)
		json_decref(s->rows[i].labels);
	free(s->cells);
	free(s->rows);
	free(s->scores);
	free(s->made_of);
	job_release(&s->earlier);
	arena_release(&s->arena);
	*s = (struct run_set){ 0 };
}
