/* gate_builds.c - see gate_builds.h. */
#include "harness/study/gate_builds.h"

#include <stdio.h>
#include <string.h>

enum { CELLS_NAMED = 2 };

/* What is wrong with the cells of a gate. */
struct finding {
	struct str cells; /* the first ones, for people */
	const char *first;
	int n, of;
	bool mixed; /* of one gate, several builds */
};

static void look_at(struct finding *f, const struct study *s, int arm, const struct metric_ref *ref)
{
	for (int i = s->first[arm]; i < s->first[arm + 1]; i++) {
		const struct study_cell *c = &s->cells[s->of_arm[i]];
		const struct study_score *x = study_score(s, c, ref);
		if (!x)
			continue;
		f->of++;
		f->mixed = f->mixed || (f->first && strcmp(f->first, x->fingerprint) != 0);
		f->first = f->first ? f->first : x->fingerprint;
		if (builds_is_ours(s->builds, x->fingerprint))
			continue;
		if (f->n++ >= CELLS_NAMED)
			continue;
		SCOPED(free) char *text = builds_text(x->fingerprint);
		str_addf(&f->cells, "%s%.40s seed %lld (%.12s, %s)", f->n > 1 ? ", " : "",
		         s->plan->rows[s->plan->arms[arm].rows[0]].name, (long long)c->seed, c->hash, text);
	}
}

static void check(struct gate_result *r, struct study *s, const struct gates_ask *ask, const char *command,
                  bool accepted)
{
	struct finding f = { 0 };
	struct metric_ref ref;
	struct err unsaid = ERR_INIT;
	int arm, against;
	if (r->verdict == GATE_ERROR || grid_metric_ref(&ref, s->plan->grid, r->rule->metric, &unsaid) ||
	    plan_find_arm(&arm, s->plan, r->rule->arm, &unsaid))
		return; /* it could not be judged for a reason of its own */
	look_at(&f, s, arm, &ref);
	const char *grid = r->rule->against_grid && *r->rule->against_grid ? r->rule->against_grid : NULL;
	struct study *beside = grid ? ask->other(ask->ctx, grid, &unsaid) : s;
	SCOPED(free) char *theirs = grid && !f.n ? xstrfmt("ablate run %s", grid) : NULL;
	command = theirs ? theirs : command;
	if ((grid || strcmp(r->rule->against, "baseline") != 0) && beside &&
	    !plan_find_arm(&against, beside->plan, r->rule->against, &unsaid))
		look_at(&f, beside, against, &ref);
	char why[sizeof r->why];
	if (f.n && accepted) {
		size_t n = strlen(r->why);
		(void)snprintf(r->why + n, sizeof r->why - n,
		               "; %d of %d cells are of %s than this program's, which was accepted", f.n, f.of,
		               f.mixed ? "other builds" : "another build");
	} else if (f.n) {
		int more = f.n - CELLS_NAMED;
		SCOPED(free) char *others = more > 0 ? xstrfmt(" and %d more", more) : xstrdup("");
		(void)snprintf(
			why, sizeof why,
			"%d of %d cells were made by another build than this program's%s: %s%s; `%.300s --rebuild stale` "
			"makes them again, --accept-builds judges them as they are",
			f.n, f.of, f.mixed ? ", and not all by the same" : "", str_text(&f.cells), others, command);
		gate_error(r, r->rule, why);
	}
	str_release(&f.cells);
}

void gates_check_builds(struct gates *g, struct study *s, const struct gates_ask *ask, const char *command,
                        bool accepted)
{
	for (int i = 0; i < g->n; i++)
		check(&g->results[i], s, ask, command, accepted);
}
