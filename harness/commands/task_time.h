/* task_time.h - the tasks of a plan on other machines, and how long they take, for `ablate plan --engine`. */
#ifndef ABLATE_TASK_TIME_H
#define ABLATE_TASK_TIME_H

#include "harness/plan/plan.h"

/* The first cells of the trainings that pending cells need: heap, *n of them, ascending. */
int *task_cells(int *n, const struct plan *p);

struct task_time {
	double seconds; /* of all tasks together, one at a time; 0 = unknown */
	const char *by; /* what tells */
};
struct task_time task_time(const struct plan *p, bool cuda);
/* A line: of a task, of all, and of all with so many at once (0 = not limited). */
void task_time_text(struct str *out, const struct task_time *all, int tasks, int at_once);

#endif
