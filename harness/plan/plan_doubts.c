/* plan_doubts.c - see plan_doubts.h. One row of the table per setting. */
#include "harness/plan/plan_doubts.h"

#include "harness/text/escape.h"
#include "model/base/str.h"

#include <string.h>

enum { NAMED_ROWS = 3 };

static bool no_step(const struct run_config *c)
{
	return c->train.steps == 0 && !*c->net.init;
}

static bool no_rate(const struct run_config *c)
{
	return c->optim.lr == 0 && c->train.steps > 0;
}

static bool average_stands(const struct run_config *c)
{
	return c->ema.decay == 1 && c->train.steps > 0 && c->sample.weights == SAMPLE_EMA;
}

static const struct doubt {
	const char *setting, *comes_to;
	bool (*has)(const struct run_config *c);
} doubts[] = {
	{ "train.steps = 0", "nothing is trained, and the scores are those of random weights", no_step },
	{ "optim.lr = 0", "training changes no weight", no_rate },
	{ "ema.decay = 1", "the average never leaves the weights at the start, and these are what is sampled from",
	  average_stands },
};

void plan_doubts(struct str *out, const struct plan *p)
{
	for (size_t d = 0; d < sizeof doubts / sizeof *doubts; d++) {
		SCOPED(str) struct str who = { 0 };
		int n = 0;
		for (int r = 0; r < p->n_rows; r++) {
			if (!doubts[d].has(&p->arms[p->rows[r].arm].config) || n++ >= NAMED_ROWS)
				continue;
			str_add(&who, n > 1 ? ", " : "");
			escape_plain(&who, p->rows[r].name);
		}
		if (n > NAMED_ROWS)
			str_addf(&who, " and %d more", n - NAMED_ROWS);
		if (n)
			str_addf(out, "%s: %s (%s)\n", doubts[d].setting, doubts[d].comes_to, str_text(&who));
	}
}
