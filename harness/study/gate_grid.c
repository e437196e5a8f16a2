/* gate_grid.c - see gate_grid.h. */
#include "harness/study/gate_grid.h"

#include "harness/judge/stats.h"

#include "model/base/io.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gates_release(struct gates *g)
{
	arena_release(&g->arena);
	*g = (struct gates){ 0 };
}

void scoped_gates(struct gates *g)
{
	gates_release(g);
}

/* The scores of an arm over its declared seeds. With `prefix` the first missing one ends the list; otherwise it is an
 * error. */
static int side_of(struct gate_side *out, struct study_stat *stat, struct study *s, int arm,
                   const struct metric_ref *ref, const char *name, bool prefix, struct err *e)
{
	if (study_stat(stat, s, arm, ref, e))
		return -1;
	int n = 0;
	for (int i = 0; i < s->plan->n_cells; i++) {
		const struct study_cell *c = &s->cells[i];
		if (c->arm != arm)
			continue;
		if (study_score(s, c, ref)) {
			n++;
			continue;
		}
		if (prefix)
			break;
		const char *state = c->state == RECORD_DONE ? "done, but not scored" : record_state_name(c->state);
		return err_code(e, EXIT_RECORD, "%s has no %s for seed %lld (%s%s%s)", name, ref->name, (long long)c->seed,
		                state, *c->reason ? ": " : "", c->reason);
	}
	/* the stat holds the seeds that have a score in declared order; its first n are the unbroken ones */
	*out = (struct gate_side){ .value = stat->value, .seed = stat->seed, .n = n, .protocol = stat->protocol };
	return 0;
}

static const char *numerics_text(struct arena *a)
{
	return arena_strfmt(a, "%d", NUMERICS_VERSION);
}

/* The study of the grid that a gate's baseline row is in. A file lies beside the gate's own, unless absolute. */
static int study_against(struct study **out, struct gates *g, const char **grid, struct study *s,
                         const struct gates_ask *ask, struct err *e)
{
	const char *own = s->plan->grid->path, *slash = strrchr(own, '/');
	if (!ask->other)
		return err_code(e, EXIT_RECORD, "the row is in another grid, %s, which is not read here: see `ablate gate`",
		                *grid);
	if (strstr(*grid, ".toml") && **grid != '/' && slash)
		*grid = arena_strfmt(&g->arena, "%.*s/%s", (int)(slash - own), own, *grid);
	*out = ask->other(ask->ctx, *grid, e);
	return *out ? 0 : err_in(e, "against_grid");
}

static int judge_arms(struct gates *g, int i, struct gate_rule *rule, struct study *s, struct gate_side *cand,
                      const struct metric_ref *ref, const struct gates_ask *ask, struct err *e)
{
	struct study *other = s;
	struct gate_side base;
	const char *grid = rule->against_grid;
	int against;
	if (grid && *grid) {
		if (study_against(&other, g, &grid, s, ask, e))
			return -1;
		if (plan_find_arm(&against, other->plan, rule->against, e))
			return err_in(e, "%s", grid);
		rule->against = arena_strfmt(&g->arena, "%s of %s", rule->against, grid);
	} else if (plan_find_arm(&against, s->plan, rule->against, e)) {
		return -1;
	}
	if (side_of(&base, &g->base[i], other, against, ref, rule->against, rule->n_looks > 0, e))
		return -1;
	base.numerics = cand->numerics;
	if (rule->n_looks && base.n < cand->n)
		cand->n = base.n; /* both sides reach the look */
	gate_judge(&g->results[i], rule, cand, &base);
	return 0;
}

/* Is the baseline of the arm that is judged? If not, that is refused or said. */
static int same_arm(struct gates *g, struct gate_rule *rule, const struct baseline *b, const char *path,
                    const char *arm, const struct gates_ask *ask, struct err *e)
{
	bool labelled = !*b->label || strcmp(b->label, rule->arm) == 0;
	if (*b->arm ? strcmp(b->arm, arm) == 0 : labelled)
		return 0; /* a file without the arm's hash has only the label to tell */
	const char *what = labelled ? "of another configuration of this arm"
	                            : arena_strfmt(&g->arena, "of another arm, %s", b->label);
	if (!ask->allow_config_change)
		return err_code(e, EXIT_RECORD,
		                "%s is %s (%.12s, now %s %.12s): --allow-config-change compares the two; `ablate baseline "
		                "propose` makes a new one",
		                path, what, *b->arm ? b->arm : "hash unknown", rule->arm, arm);
	rule->remark = arena_strfmt(&g->arena, "The baseline is %s (%.12s, now %s %.12s), as --allow-config-change allows.",
	                            what, *b->arm ? b->arm : "hash unknown", rule->arm, arm);
	return 0;
}

static int judge_baseline(struct gates *g, int i, struct gate_rule *rule, struct study *s, const struct gate_side *cand,
                          const char *arm, const struct gates_ask *ask, struct err *e)
{
	SCOPED(free) char *path = baseline_path(ask->baselines, s->plan->grid->name, rule->name, false);
	if (!io_exists(path))
		return err_code(
			e, EXIT_RECORD,
			"there is no baseline %s yet: run `ablate baseline propose`, review it, then `ablate baseline accept`",
			path);
	SCOPED(baseline) struct baseline b = { 0 };
	if (baseline_read(&b, path, e))
		return -1;
	if (strcmp(b.metric, rule->metric) != 0)
		return err_code(e, EXIT_RECORD, "%s is a baseline for %s, but the gate asks for %s", path, b.metric,
		                rule->metric);
	if (same_arm(g, rule, &b, path, arm, ask, e))
		return -1;
	struct gate_side base = baseline_side(&b, &b.now);
	gate_judge(&g->results[i], rule, cand, &base);
	if (b.first.n) {
		struct gate_side first = baseline_side(&b, &b.first);
		gate_judge_drift(&g->results[i], cand, &first);
	}
	g->base[i] = (struct study_stat){ .n = b.now.n,
		                              .mean = stats_mean(b.now.value, b.now.n),
		                              .sd = stats_sd(b.now.value, b.now.n) };
	g->base[i].value = arena_alloc(&g->arena, (size_t)b.now.n * sizeof(double));
	memcpy(g->base[i].value, b.now.value, (size_t)b.now.n * sizeof(double));
	return 0;
}

static int judge_one(struct gates *g, int i, struct study *s, const struct grid_gate *gate, const struct gates_ask *ask,
                     struct err *e)
{
	struct gate_rule *rule = arena_alloc(&g->arena, sizeof *rule);
	struct metric_ref ref;
	int arm;
	*rule = gate->rule;
	gate_error(&g->results[i], rule, "");
	if (grid_metric_ref(&ref, s->plan->grid, rule->metric, e) || plan_find_arm(&arm, s->plan, rule->arm, e))
		return -1;
	ref.least = false; /* the minimum of several evaluations is too good by chance */
	rule->higher_is_better = metric_higher_is_better(ref.name);
	struct gate_side cand;
	if (side_of(&cand, &g->cand[i], s, arm, &ref, rule->arm, rule->n_looks > 0, e))
		return -1;
	cand.numerics = numerics_text(&g->arena);
	return strcmp(rule->against, "baseline") == 0
	           ? judge_baseline(g, i, rule, s, &cand, s->plan->arms[arm].hash, ask, e)
	           : judge_arms(g, i, rule, s, &cand, &ref, ask, e);
}

static bool asked_for(const char *name, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return !n;
}

int gates_judge(struct gates *out, struct study *s, const struct gates_ask *ask, struct err *e)
{
	const char *const *names = ask->names;
	int n_names = ask->n_names;
	const struct grid *grid = s->plan->grid;
	struct gates g = { 0 };
	for (int i = 0; i < n_names; i++) {
		int k = 0;
		while (k < grid->n_gates && strcmp(grid->gates[k].rule.name, names[i]) != 0)
			k++;
		if (k == grid->n_gates)
			return err_code(e, EXIT_USAGE, "%s has no gate '%s'", grid->path, names[i]);
	}
	size_t room = (size_t)grid->n_gates + 1;
	g.results = arena_alloc(&g.arena, room * sizeof *g.results);
	g.cand = arena_alloc(&g.arena, room * sizeof *g.cand);
	g.base = arena_alloc(&g.arena, room * sizeof *g.base);
	for (int i = 0; i < grid->n_gates; i++) {
		if (!asked_for(grid->gates[i].rule.name, names, n_names))
			continue;
		struct err why = ERR_INIT;
		int k = g.n++;
		if (judge_one(&g, k, s, &grid->gates[i], ask, &why))
			gate_error(&g.results[k], g.results[k].rule, why.msg);
	}
	gate_holm(g.results, g.n);
	*out = g;
	return 0;
}

int gates_propose(struct baseline *out, struct study *s, const struct grid_gate *gate, const char *commit,
                  const char *env, const char *created, struct err *e)
{
	struct metric_ref ref;
	int arm;
	struct gate_side side;
	struct study_stat stat;
	if (grid_metric_ref(&ref, s->plan->grid, gate->rule.metric, e) || plan_find_arm(&arm, s->plan, gate->rule.arm, e))
		return -1;
	ref.least = false;
	if (side_of(&side, &stat, s, arm, &ref, gate->rule.arm, false, e)) {
		if (e)
			e->code = EXIT_INCOMPLETE;
		return err_in(e, "gate %s", gate->rule.name);
	}
	struct baseline b = { .first_commit = "" };
	struct arena *a = &b.arena;
	b.gate = arena_strdup(a, gate->rule.name), b.metric = arena_strdup(a, gate->rule.metric),
	b.label = arena_strdup(a, gate->rule.arm);
	b.arm = arena_strdup(a, s->plan->arms[arm].hash), b.protocol = arena_strdup(a, stat.protocol ? stat.protocol : "");
	b.numerics = numerics_text(a), b.env = arena_strdup(a, env), b.commit = arena_strdup(a, commit),
	b.created = arena_strdup(a, created);
	b.fingerprint = arena_strdup(a, study_stat_builds(s, &stat));
	b.reason = b.supersedes = "";
	b.now.n = side.n;
	b.now.value = arena_alloc(a, (size_t)(side.n + 1) * sizeof(double));
	b.now.seed = arena_alloc(a, (size_t)(side.n + 1) * sizeof(int64_t));
	for (int i = 0; i < side.n; i++) {
		if (!isfinite(side.value[i])) {
			baseline_release(&b);
			return err_code(e, EXIT_INCOMPLETE, "gate %s: seed %lld of %s gave no number, so it cannot be a baseline",
			                gate->rule.name, (long long)side.seed[i], gate->rule.arm);
		}
		b.now.value[i] = side.value[i], b.now.seed[i] = side.seed[i];
	}
	*out = b;
	return 0;
}
