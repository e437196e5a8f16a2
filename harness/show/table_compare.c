/* table_compare.c - the columns `delta`, `paired` and `verdict`: a row against its reference, seed by seed. It is
 * judged by harness/judge/gate.h as a gate with test = "superiority" and alpha = 0.025 is, so that a table never says
 * what such a gate would not. See table_private.h. */
#include "harness/show/table_private.h"

#include "harness/judge/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The values of both at the seeds that both have, in the order of x. */
struct sides {
	double *a, *b;
	int64_t *seed;
	int n;
};

static struct sides common_seeds(struct arena *arena, const struct study_stat *x, const struct study_stat *y)
{
	size_t room = (size_t)x->n + 1;
	struct sides s = { .a = arena_alloc(arena, room * sizeof *s.a),
		               .b = arena_alloc(arena, room * sizeof *s.b),
		               .seed = arena_alloc(arena, room * sizeof *s.seed) };
	for (int i = 0; i < x->n; i++) {
		for (int k = 0; k < y->n; k++) {
			if (x->seed[i] != y->seed[k])
				continue;
			s.a[s.n] = x->value[i], s.b[s.n] = y->value[k], s.seed[s.n++] = x->seed[i];
			break;
		}
	}
	return s;
}

static const char *verdict_of(const struct gate_result *r, const struct study_stat *x, const struct study_stat *y)
{
	switch (r->verdict) {
	case GATE_PASS: return VERDICT_BETTER;
	case GATE_FAIL: return VERDICT_WORSE;
	case GATE_INCONCLUSIVE: return VERDICT_UNCLEAR;
	case GATE_ERROR: break;
	}
	return strcmp(x->protocol, y->protocol) != 0 ? "not comparable" : "diverged";
}

static struct gate_result judge(const struct build *b, int r, int c, bool paired, const struct gate_side *x,
                                const struct gate_side *y)
{
	const struct gate_rule rule = { .name = "",
		                            .metric = b->t->cols[c].ref.name,
		                            .arm = b->rows[r]->label,
		                            .against = b->rows[b->reference[r]]->label,
		                            .kind = GATE_SUPERIORITY,
		                            .alpha = TABLE_ALPHA,
		                            .paired = paired,
		                            .higher_is_better = metric_higher_is_better(b->t->cols[c].ref.name) };
	struct gate_result judged;
	gate_judge(&judged, &rule, x, y);
	return judged;
}

static void take_numbers(struct table_pairs *out, const struct gate_result *judged)
{
	if (judged->verdict == GATE_ERROR)
		return;
	out->diff = judged->diff, out->lo = judged->lo, out->hi = judged->hi;
	out->p = fmin(1, 2 * fmin(judged->p_pass, judged->p_fail));
}

struct table_pairs table_compare(const struct build *b, int r, int c)
{
	const struct study_stat *x = table_stat(b, r, c), *y = table_stat(b, b->reference[r], c);
	struct sides s = common_seeds(&b->t->arena, x, y);
	struct table_pairs out = { .n = s.n, .diff = NAN, .lo = NAN, .hi = NAN, .p = NAN, .verdict = "" };
	if (s.n < 2) {
		out.diff = s.n && !strcmp(x->protocol, y->protocol) ? s.a[0] - s.b[0] : NAN;
		out.verdict = x->n ? "too few seeds" : "";
		return out;
	}
	struct gate_result judged = judge(
		b, r, c, true, &(struct gate_side){ .value = s.a, .seed = s.seed, .n = s.n, .protocol = x->protocol },
		&(struct gate_side){ .value = s.b, .seed = s.seed, .n = s.n, .protocol = y->protocol });
	out.verdict = verdict_of(&judged, x, y);
	take_numbers(&out, &judged);
	return out;
}

struct table_pairs table_difference(const char **test, const struct build *b, int r, int c)
{
	const struct study_stat *x = table_stat(b, r, c), *y = table_stat(b, b->reference[r], c);
	struct table_pairs out = { .n = x->n < y->n ? x->n : y->n, .lo = NAN, .hi = NAN, .p = NAN, .verdict = "" };
	out.diff = x->mean - y->mean;
	*test = TABLE_NO_TEST;
	if (!isfinite(out.diff) || x->n < 2 || y->n < 2 || strcmp(x->protocol, y->protocol) != 0)
		return out;
	struct sides s = common_seeds(&b->t->arena, x, y);
	bool paired = b->s->plan->grid->seeds.paired && s.n == x->n && s.n == y->n;
	struct gate_side cand = { .value = x->value, .seed = x->seed, .n = x->n, .protocol = x->protocol },
					 base = { .value = y->value, .seed = y->seed, .n = y->n, .protocol = y->protocol };
	if (paired) /* in one order */
		cand.value = s.a, base.value = s.b, cand.seed = base.seed = s.seed;
	struct gate_result judged = judge(b, r, c, paired, &cand, &base);
	take_numbers(&out, &judged);
	if (isfinite(out.lo))
		*test = judged.test == GATE_PAIRED_T ? TABLE_PAIRED_T : TABLE_WELCH_T;
	return out;
}

void table_holm(struct build *b, int c)
{
	struct table *t = b->t;
	SCOPED(free) double *p = xcalloc((size_t)b->n_ours + 1, sizeof *p);
	SCOPED(free) double *alpha = xcalloc((size_t)b->n_ours + 1, sizeof *alpha);
	SCOPED(free) bool *kept = xcalloc((size_t)b->n_ours + 1, sizeof *kept);
	int n = 0;
	for (int r = 0; r < b->n_ours; r++)
		if (isfinite(t->cells[r * t->n_cols + c].p))
			p[n] = t->cells[r * t->n_cols + c].p, alpha[n++] = 2 * TABLE_ALPHA;
	stats_holm(kept, p, alpha, n);
	n = 0;
	for (int r = 0; r < b->n_ours; r++)
		if (isfinite(t->cells[r * t->n_cols + c].p))
			t->cells[r * t->n_cols + c].holm = kept[n++];
}

bool table_says(const struct table_cell *cell)
{
	return !strcmp(cell->verdict, VERDICT_BETTER) || !strcmp(cell->verdict, VERDICT_WORSE);
}
