/* task_time.c - see task_time.h. */
#include "harness/commands/task_time.h"

#include "harness/plan/plan_duration.h"
#include "harness/plan/plan_totals.h"

int *task_cells(int *n, const struct plan *p)
{
	SCOPED(free) bool *wanted = xcalloc((size_t)p->n_trainings + 1, sizeof *wanted);
	int *index = xcalloc((size_t)p->n_trainings + 1, sizeof *index);
	*n = 0;
	for (int i = 0; i < p->n_cells; i++)
		wanted[p->cells[i].training] |= p->cells[i].state == CELL_PENDING;
	for (int i = 0; i < p->n_trainings; i++)
		if (wanted[i])
			index[(*n)++] = p->trainings[i].first;
	return index;
}

struct task_time task_time(const struct plan *p, bool cuda)
{
	struct plan_totals t = plan_totals(p);
	struct plan_cost cost = plan_cost(p, false);
	if (t.seconds > 0)
		return (struct task_time){ t.seconds, "by finished cells" };
	if (cuda && cost.card_s > 0)
		return (struct task_time){ cost.card_s, "on such a card (--card, --share)" };
	if (!cuda && cost.here_s > 0)
		return (struct task_time){ cost.here_s, p->speed.from == SPEED_STATED
			                                        ? "at the rate that was given"
			                                        : "if a node is as fast as this machine" };
	return (struct task_time){ 0 };
}

void task_time_text(struct str *out, const struct task_time *all, int tasks, int at_once)
{
	if (!(all->seconds > 0) || !tasks) {
		str_add(out, "time: unknown: no finished cell to learn from; --rate or, on GPUs, --card tells\n");
		return;
	}
	str_add(out, "time: ");
	plan_add_duration(out, all->seconds / tasks);
	str_add(out, " a task, ");
	plan_add_duration(out, all->seconds);
	str_add(out, " in all");
	if (at_once > 0 && at_once < tasks) {
		str_addf(out, ", %d at once: ", at_once);
		plan_add_duration(out, all->seconds / tasks * ((tasks + at_once - 1) / at_once));
	}
	str_addf(out, ", %s\n", all->by);
}
