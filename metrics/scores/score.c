/* score.c - the table of metrics and what they share; see score.h. */
#include "metrics/scores/score.h"

#include "metrics/scores/metric_classes.h"
#include "metrics/scores/metric_scores.h"

#include <string.h>

static const struct metric rows[] = {
#define METRIC(name, needs, sides, better, text) { #name, needs, sides, better, text, metric_##name },
#include "metrics/scores/metrics.def"
#undef METRIC
};

const struct metric *metric_rows(int *n)
{
	*n = (int)(sizeof rows / sizeof *rows);
	return rows;
}

const struct metric *metric_find(const char *name)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const char *metric_elsewhere(const char *name)
{
	if (strncmp(name, METRIC_PER_CLASS, strlen(METRIC_PER_CLASS)) != 0)
		return NULL;
	return "it takes labels beside images: `ablate fid --per-class A B`, A being `ablate sample CELL -o A.npz` of a "
		   "conditional model";
}

/* Rows that give several scores, none of them under the row's own name. */
static const struct {
	const char *row, *score;
} parts[] = { { "pr", "precision" },     { "pr", "recall" },    { "prdc", "precision_prdc" },
	          { "prdc", "recall_prdc" }, { "prdc", "density" }, { "prdc", "coverage" } };

int metric_scores(const char *out[METRIC_SCORES_MAX], const struct metric *m)
{
	int n = 0;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcmp(parts[i].row, m->name) == 0)
			out[n++] = parts[i].score;
	if (!n)
		out[n++] = m->name;
	return n;
}

const struct metric *metric_of_score(const char *score)
{
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcmp(parts[i].score, score) == 0)
			return metric_find(parts[i].row);
	return metric_find(score);
}

unsigned metric_keep(const struct metric *m, int side, const struct metric_options *o)
{
	if (side >= m->sides)
		return 0;
	switch (m->needs) {
	case NEEDS_MOMENTS: return side == 0 && o->interval ? 1u << FEATURE_POOL : 0;
	case NEEDS_FEATURES: return 1u << FEATURE_POOL;
	case NEEDS_LOGITS: return 1u << FEATURE_LOGITS;
	case NEEDS_SPATIAL: return side == 0 && o->interval ? 1u << FEATURE_SPATIAL : 0;
	}
	BUG("metric %s needs %d", m->name, m->needs);
}

int metric_run(struct score_list *out, const struct metric *m, struct feature_set *a, struct feature_set *b,
               const struct metric_options *o, struct err *e)
{
	REQUIRE((m->sides == 1 || b) && (m->sides < 3 || o->train));
	if (m->sides >= 2 && feature_set_check_pair(a, b, e))
		return -1;
	return m->run(out, m, a, b, o, e);
}
