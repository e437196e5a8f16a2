/* plan_stages.c - which cells of a plan share a training, and what there is to be made of each stage. See plan.h. */
#include "harness/plan/plan.h"
#include "harness/record/stage.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- trainings -------------------------------------------------------------------------------------------------- */

struct keyed {
	char key[SHA256_HEX];
	int cell;
};

static int by_key(const void *pa, const void *pb)
{
	const struct keyed *a = pa, *b = pb;
	int order = strcmp(a->key, b->key);
	return order ? order : a->cell - b->cell;
}

static int by_value(const void *pa, const void *pb)
{
	double a = *(const double *)pa, b = *(const double *)pb;
	return (a > b) - (a < b);
}

static void add_ema(struct plan_training *t, const struct run_config *c)
{
	for (int i = 0; i < t->n_ema; i++)
		if (t->ema[i] >= c->ema.decay && t->ema[i] <= c->ema.decay)
			return;
	VEC_PUSH(t->ema, t->n_ema, t->cap_ema) = c->ema.decay;
	qsort(t->ema, (size_t)t->n_ema, sizeof *t->ema, by_value);
}

/* By cell. */
static struct keyed *keys_of(const struct plan *p)
{
	struct keyed *keys = xcalloc((size_t)p->n_cells + 1, sizeof *keys);
	SCOPED(free) char *settings = NULL;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		const struct plan_arm *arm = &p->arms[c->arm];
		struct err e = ERR_INIT;
		if (i == 0 || p->cells[i - 1].arm != c->arm) {
			free(settings);
			settings = stage_train_settings(arm->json, &e);
			if (!settings)
				BUG("an arm that this program wrote: %s", e.msg);
		}
		keys[i].cell = i;
		stage_training_of(keys[i].key, settings, arm->dataset, NUMERICS_VERSION, c->seed);
	}
	return keys;
}

void plan_find_trainings(struct plan *p)
{
	SCOPED(free) struct keyed *keys = keys_of(p);
	SCOPED(free) int *first = xcalloc((size_t)p->n_cells + 1, sizeof *first); /* by cell: the first of its training */
	qsort(keys, (size_t)p->n_cells, sizeof *keys, by_key);
	for (int i = 0; i < p->n_cells; i++) {
		bool same = i && !strcmp(keys[i].key, keys[i - 1].key);
		first[keys[i].cell] = same ? first[keys[i - 1].cell] : keys[i].cell;
		p->cells[keys[i].cell].training = i; /* for now: where its key is */
	}
	p->trainings = xcalloc((size_t)p->n_cells + 1, sizeof *p->trainings);
	for (int i = 0; i < p->n_cells; i++) {
		struct plan_cell *c = &p->cells[i];
		if (first[i] == i) {
			struct plan_training *t = &p->trainings[p->n_trainings];
			memcpy(t->key, keys[c->training].key, SHA256_HEX);
			t->first = i;
			c->training = p->n_trainings++;
		} else {
			c->training = p->cells[first[i]].training;
		}
		p->trainings[c->training].n_cells++;
		add_ema(&p->trainings[c->training], &p->arms[c->arm].config);
	}
}

bool *plan_trainers(const struct plan *p, bool blocked_too)
{
	bool *out = xcalloc((size_t)p->n_cells + 1, sizeof *out);
	SCOPED(free) bool *begun = xcalloc((size_t)p->n_trainings + 1, sizeof *begun);
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		bool counts = c->state == CELL_PENDING || (blocked_too && c->state == CELL_BLOCKED);
		if (!counts || c->trained || begun[c->training])
			continue;
		out[i] = begun[c->training] = true;
	}
	return out;
}

/* ---- what there is to be made ----------------------------------------------------------------------------------- */

struct wish {
	char key[SHA256_HEX]; /* of the sampling */
	const char *score;
	int64_t n;
};

static int by_wish(const void *pa, const void *pb)
{
	const struct wish *a = pa, *b = pb;
	int order = strcmp(a->key, b->key);
	if (!order)
		order = strcmp(a->score, b->score);
	return order ? order : (a->n > b->n) - (a->n < b->n);
}

/* Cells of one training may sample alike, where they differ in the second noise level alone: each sampling counts once,
 * and so do its scores. */
static void count_shared(struct plan_stages *s, const struct plan *p, const int *cells, int n,
                         const struct wanted_score *wanted, int n_wanted)
{
	SCOPED(free) struct wish *v = xcalloc((size_t)n * (size_t)n_wanted + 1, sizeof *v);
	int k = 0;
	for (int i = 0; i < n; i++) {
		const struct plan_cell *c = &p->cells[cells[i]];
		for (int w = 0; w < n_wanted; w++, k++) {
			struct err e = ERR_INIT;
			if (stage_sampling_key(v[k].key, p->trainings[c->training].key, p->arms[c->arm].json, (int)wanted[w].nfe,
			                       wanted[w].eval_seed, &e))
				BUG("an arm that this program wrote: %s", e.msg);
			v[k].score = wanted[w].name;
			v[k].n = wanted[w].n;
		}
	}
	qsort(v, (size_t)k, sizeof *v, by_wish);
	for (int i = 0; i < k; i++) {
		s->samplings += !i || strcmp(v[i].key, v[i - 1].key) != 0;
		s->scores += !i || by_wish(&v[i], &v[i - 1]) != 0;
	}
}

/* Samplings of a cell that shares nothing. */
static int samplings_of(const struct wanted_score *wanted, int n)
{
	int count = 0;
	for (int i = 0; i < n; i++) {
		int j = 0;
		while (j < i && (wanted[j].nfe != wanted[i].nfe || wanted[j].eval_seed != wanted[i].eval_seed))
			j++;
		count += j == i;
	}
	return count;
}

struct plan_stages plan_stages(const struct plan *p)
{
	struct plan_stages s = { .trainings = p->n_trainings };
	SCOPED(free) bool *trains = plan_trainers(p, false);
	SCOPED(free) bool *at_hand = xcalloc((size_t)p->n_trainings + 1, sizeof *at_hand);
	SCOPED(free) int *pending = xcalloc((size_t)p->n_cells + 1, sizeof *pending); /* of a training, gathered */
	SCOPED(free) int *next = xcalloc((size_t)p->n_trainings + 1, sizeof *next), *begin = NULL;
	SCOPED(free) struct wanted_score *wanted = NULL;
	int n_wanted = grid_wanted_scores(&wanted, p->grid), alone = samplings_of(wanted, n_wanted), at = 0;
	begin = xcalloc((size_t)p->n_trainings + 1, sizeof *begin);
	for (int t = 0; t < p->n_trainings; t++) {
		begin[t] = next[t] = at;
		at += p->trainings[t].n_cells;
		s.sharing += p->trainings[t].n_cells > 1 ? p->trainings[t].n_cells : 0;
	}
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		s.to_do += trains[i];
		at_hand[c->training] |= c->state == CELL_PENDING && c->trained;
		if (c->state == CELL_PENDING)
			pending[next[c->training]++] = i;
	}
	for (int t = 0; t < p->n_trainings; t++) {
		int n = next[t] - begin[t];
		s.at_hand += at_hand[t];
		if (n > 1) {
			count_shared(&s, p, pending + begin[t], n, wanted, n_wanted);
		} else if (n) {
			s.samplings += alone;
			s.scores += n_wanted;
		}
	}
	return s;
}
