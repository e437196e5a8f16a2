/* jobs.c - see jobs.h. */
#include "harness/plan/jobs.h"

#include "harness/text/json_out.h"

#include <math.h>

#define DOUBT 1.05 /* times that are closer than this are alike */

static const char *why_name(enum jobs_why why)
{
	static const char *const names[] = { [JOBS_UNKNOWN] = "unknown",
		                                 [JOBS_GIVEN] = "given",
		                                 [JOBS_ALONE] = "alone",
		                                 [JOBS_MEASURED] = "measured",
		                                 [JOBS_UNMEASURED] = "not measured yet",
		                                 [JOBS_OFF] = "off" };
	return names[why];
}

static int at_least_one(int n)
{
	return n > 1 ? n : 1;
}

/* How many cells at once their number and the memory allow. */
static int most_at_once(bool *by_memory, const struct jobs_ask *a)
{
	double fit = a->memory > 0 && a->cell_bytes > 0 ? floor(a->memory / a->cell_bytes) : INFINITY;
	int most = a->cells < a->processors ? a->cells : a->processors;
	*by_memory = fit < most;
	return at_least_one(*by_memory ? (int)fit : most);
}

/* Time of the grid in units of its time by one cell at once, at most `most` of rate r's cells being used. */
static double time_of(const struct jobs_ask *a, const struct scaling *s, const struct scaling_rate *r, int most)
{
	int jobs = r->jobs < most ? r->jobs : most;
	double rounds = ceil((double)a->cells / jobs), time = 0, work = 0;
	for (int k = 0; k < SCALING_NETS; k++) {
		work += a->work[k];
		time += a->work[k] * rounds * r->jobs * s->v[0].steps_per_s[k] / (r->steps_per_s[k] * a->cells);
	}
	return time / work;
}

static void choose_measured(struct jobs *j, const struct jobs_ask *a, const struct scaling *s)
{
	int most = most_at_once(&j->by_memory, a), n = 0;
	double times[SCALING_MAX], least = INFINITY;
	for (; n < s->n && (!n || s->v[n - 1].jobs < most); n++) {
		times[n] = time_of(a, s, &s->v[n], most);
		least = times[n] < least ? times[n] : least;
	}
	while (n > 1 && !(times[n - 1] <= least * DOUBT))
		n--;
	const struct scaling_rate *r = &s->v[n - 1];
	j->jobs = r->jobs < most ? r->jobs : most;
	j->threads = r->threads;
	j->gain = 1 / times[n - 1];
	j->why = JOBS_MEASURED;
}

struct jobs jobs_choose(const struct jobs_ask *a, const struct scaling *s)
{
	struct jobs j = { .jobs = at_least_one(a->jobs), .processors = a->processors };
	int ranks = at_least_one(a->ranks);
	j.why = a->cells < 1                       ? JOBS_UNKNOWN
	        : a->jobs || a->threads            ? JOBS_GIVEN
	        : ranks > 1 || a->off              ? JOBS_OFF
	        : a->cells == 1                    ? JOBS_ALONE
	        : at_least_one(a->processors) == 1 ? JOBS_ALONE
	                                           : JOBS_UNMEASURED;
	if (j.why == JOBS_GIVEN && !a->jobs && !a->off) { /* as many as have processors of their own */
		int most = most_at_once(&j.by_memory, a), fit = at_least_one(a->processors / a->threads / ranks);
		j.by_memory = j.by_memory && most < fit;
		j.jobs = fit < most ? fit : most;
	}
	j.threads = a->threads ? a->threads : at_least_one(a->processors / j.jobs / ranks);
	if (j.why == JOBS_UNMEASURED && s)
		choose_measured(&j, a, s);
	return j;
}

void jobs_text(struct str *out, const struct jobs *j)
{
	if (j->why == JOBS_UNKNOWN)
		return;
	if (j->why == JOBS_UNMEASURED) {
		str_add(out, "jobs and threads: not measured yet; `ablate run` measures this machine once, some seconds");
		return;
	}
	str_addf(out, "%d job%s of %d thread%s%s", j->jobs, str_plural(j->jobs), j->threads, str_plural(j->threads),
	         j->jobs > 1 ? " each" : "");
	if (j->why == JOBS_ALONE)
		str_addf(out, ": %s", j->processors > 1 ? "one cell to run" : "one processor");
	else if (j->why == JOBS_OFF)
		str_add(out, ": not measured");
	else if (j->why == JOBS_GIVEN)
		str_add(out, ": as asked for");
	else if (j->jobs > 1)
		str_addf(out, ": measured on this machine, %.2g times one job of %d threads", j->gain, j->processors);
	else if (!j->by_memory)
		str_add(out, ": measured on this machine, several at once would be slower");
	if (j->by_memory)
		str_add(out, "; more do not fit its memory");
}

const struct json_key jobs_keys[] = {
	JSON_KEY("jobs", "integer?", "cells at once; null while they are not measured"),
	JSON_KEY("threads", "integer?", "threads of each process; null while they are not measured"),
	JSON_KEY("why", "string", "given, alone, measured, not measured yet or off"),
	JSON_KEY("gain", "number?", "how many times as fast as one job of all processors",
	         .absent = "where it was not measured", .unseen = "several processors, and their scaling measured"),
	{ 0 },
};

json_t *jobs_json(const struct jobs *j)
{
	bool known = j->why != JOBS_UNMEASURED;
	json_t *o = json_pack("{s:o, s:o, s:s}", "jobs", known ? json_integer(j->jobs) : json_null(), "threads",
	                      known ? json_integer(j->threads) : json_null(), "why", why_name(j->why));
	if (j->why == JOBS_MEASURED)
		(void)json_object_set_new(o, "gain", json_out_real(j->gain));
	return o;
}

void jobs_add_json(struct json_writer *w, const char *name, const struct jobs *j)
{
	SCOPED(str) struct str text = { 0 };
	json_t *o = jobs_json(j);
	json_out(&text, o, 0);
	json_decref(o);
	json_add_raw(w, name, str_text(&text));
}
