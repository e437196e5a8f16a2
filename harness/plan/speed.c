/* speed.c - see speed.h. */
#include "harness/plan/speed.h"

#include <math.h>

#define IDLE_STEP_S 0.005 /* a step's kernels take about that long to be started */

double work_gflop(const struct work *w)
{
	double all = 0;
	for (int k = 0; k < SCALING_NETS; k++)
		for (int d = 0; d < N_DTYPES; d++)
			all += w->gflop[k][d];
	return all;
}

/* With the cells at once and threads of one measured combination. A cell takes a processor's time for itself, so what
 * does not fill all of them wastes the rest. */
static double time_by(const struct scaling *s, const struct scaling_rate *r, const struct work *w, int most)
{
	int jobs = r->jobs < most ? r->jobs : most, cells = w->cells > 1 ? w->cells : 1;
	double rounds = ceil((double)cells / jobs), seconds = 0;
	for (int k = 0; k < SCALING_NETS; k++)
		for (int d = 0; d < N_DTYPES; d++)
			seconds += w->gflop[k][d] / (s->gflop[k] * r->steps_per_s[k]);
	return seconds * rounds * r->jobs / cells;
}

/* Cells at once as asked for: by the rate of cells that have as many threads. */
static double time_as_given(const struct scaling *s, const struct work *w, const struct jobs *jobs)
{
	const struct scaling_rate *r = s->v;
	for (int i = 1; i < s->n; i++)
		if (s->v[i].threads == jobs->threads)
			r = &s->v[i];
	return time_by(s, r, w, jobs->jobs);
}

static double measured_time(const struct scaling *s, const struct work *w, const struct jobs *jobs)
{
	double least = INFINITY;
	bool known = jobs->why != JOBS_UNKNOWN && jobs->why != JOBS_UNMEASURED;
	if (known)
		return time_as_given(s, w, jobs);
	for (int i = 0; i < s->n; i++)
		least = fmin(least, time_by(s, &s->v[i], w, w->cells > 1 ? w->cells : 1));
	return least;
}

double speed_card(const struct card *card, double share, const struct work *w)
{
	double seconds = 0;
	for (int k = 0; k < SCALING_NETS; k++)
		for (int d = 0; d < N_DTYPES; d++)
			seconds += w->gflop[k][d] / (1e3 * card->tflops[d] * share);
	return seconds;
}

bool speed_is_idle(const struct card *card, double share, const struct work *w)
{
	return w->steps > 0 && speed_card(card, share, w) < IDLE_STEP_S * w->steps;
}

double speed_here(const struct speed *s, const struct work *w, const struct jobs *jobs)
{
	switch (s->from) {
	case SPEED_STATED: return work_gflop(w) / s->stated;
	case SPEED_MEASURED: return measured_time(&s->measured, w, jobs);
	case SPEED_CARD: return speed_card(s->its, s->share, w) / s->cards;
	case SPEED_UNKNOWN: break;
	}
	return 0;
}
