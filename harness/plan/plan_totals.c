/* plan_totals.c - see plan_totals.h. */
#include "harness/plan/plan_totals.h"

bool plan_lacks_memory(const struct plan_memory *m)
{
	return m->limit > 0 && m->bytes > m->limit;
}

/* Trainings without an estimate of their own count by their arithmetic, or as the mean of the others where that is not
 * known. */
static void add_seconds(struct plan_totals *t, const struct plan *p)
{
	SCOPED(free) bool *trains = plan_trainers(p, false);
	double all = 0, guessed = 0;
	bool known = true;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		const struct plan_arm *a = &p->arms[c->arm];
		double work = a->step_gflop * (double)a->config.train.steps;
		if (!trains[i])
			continue;
		known &= work > 0;
		all += work;
		if (c->seconds > 0) {
			t->guessed++;
			t->seconds += c->seconds;
			guessed += work;
		}
	}
	if (t->guessed)
		t->seconds *= known ? all / guessed : (double)t->stages.to_do / t->guessed;
}

struct plan_totals plan_totals(const struct plan *p)
{
	struct plan_totals t = { .stages = plan_stages(p) };
	for (int i = 0; i < p->n_cells; i++) {
		t.state[p->cells[i].state]++;
		t.of_another_build += *p->cells[i].made_by != '\0';
	}
	for (int i = 0; i < p->n_arms; i++)
		t.shared += p->arms[i].n_rows > 1;
	add_seconds(&t, p);
	return t;
}
