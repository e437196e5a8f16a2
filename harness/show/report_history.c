/* report_history.c - a metric over the builds of the program that made it, oldest first (report_private.h). A build is
 * a commit and a numerics fingerprint: two commits with one fingerprint give the same numbers. */
#include "harness/show/report_private.h"

#include "harness/record/query_history.h"
#include "harness/text/json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct build {
	const char *commit, *fingerprint, *since; /* since: start of its first attempt */
	int attempts;
};

struct point {
	int arm, build, score;
	int64_t seed;
	double value;
};

struct history {
	struct build *builds;
	const char **scores; /* JSON of {name, nfe, weights, step, protocol} */
	struct point *points;
	int n_builds, cap_builds, n_scores, cap_scores, n_points, cap_points;
};

static void release(struct history *h)
{
	free(h->builds);
	free(h->scores);
	free(h->points);
}

struct place {
	const char *hash;
	int arm;
};

static int by_hash(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->hash, ((const struct place *)b)->hash);
}

static int build_of(struct history *h, struct arena *a, const struct history_row *r)
{
	for (int i = h->n_builds - 1; i >= 0; i--)
		if (!strcmp(h->builds[i].commit, r->commit) && !strcmp(h->builds[i].fingerprint, r->fingerprint))
			return i;
	VEC_PUSH(h->builds, h->n_builds, h->cap_builds) = (struct build){ .commit = arena_strdup(a, r->commit),
		                                                              .fingerprint = arena_strdup(a, r->fingerprint),
		                                                              .since = arena_strdup(a, r->started) };
	return h->n_builds - 1;
}

static int score_of(struct history *h, struct arena *a, const struct history_row *r)
{
	SCOPED(str) struct str json = { 0 };
	struct json_writer w = { .to = &json };
	json_begin(&w, NULL, '{');
	json_add_text(&w, "name", r->name);
	json_add_int(&w, "nfe", r->nfe);
	json_add_text(&w, "weights", r->weights);
	json_add_int(&w, "step", r->step);
	json_add_text(&w, "protocol", r->protocol);
	json_end(&w);
	for (int i = 0; i < h->n_scores; i++)
		if (!strcmp(h->scores[i], str_text(&json)))
			return i;
	VEC_PUSH(h->scores, h->n_scores, h->cap_scores) = arena_strdup(a, str_text(&json));
	return h->n_scores - 1;
}

/* Arms are found by their hash, so that cells of an older numerics version, which are other cells, have their place. */
static int load(struct history *h, struct study *s, struct err *e)
{
	const struct plan *plan = s->plan;
	SCOPED(free) struct place *arms = xcalloc((size_t)plan->n_arms + 1, sizeof *arms);
	SCOPED(free) char *last = xstrdup("");
	struct db_rows rows;
	struct history_row r;
	for (int i = 0; i < plan->n_arms; i++)
		arms[i] = (struct place){ plan->arms[i].hash, i };
	qsort(arms, (size_t)plan->n_arms, sizeof *arms, by_hash);
	if (query_history(&rows, s->db, e))
		return -1;
	while (query_history_next(&r, &rows)) {
		const struct place want = { .hash = r.arm },
						   *at = bsearch(&want, arms, (size_t)plan->n_arms, sizeof *arms, by_hash);
		if (!at)
			continue;
		int build = build_of(h, &s->arena, &r);
		if (strcmp(last, r.attempt) != 0) {
			h->builds[build].attempts++;
			free(last);
			last = xstrdup(r.attempt);
		}
		VEC_PUSH(h->points, h->n_points, h->cap_points) = (struct point){
			.arm = at->arm, .build = build, .score = score_of(h, &s->arena, &r), .seed = r.seed, .value = r.value
		};
	}
	return db_done(&rows, e);
}

static void table_of_builds(struct report_page *p, const struct history *h)
{
	report_scroll(p, "builds");
	str_add(p->out, "<table class=\"results\"><thead><tr><th scope=\"col\">build</th><th scope=\"col\">commit</th><th "
	                "scope=\"col\">numerics fingerprint</th><th scope=\"col\">first attempt</th><th scope=\"col\" "
	                "class=\"num\">attempts</th></tr></thead><tbody>\n");
	for (int i = 0; i < h->n_builds; i++) {
		const struct build *b = &h->builds[i];
		str_addf(p->out, "<tr><th scope=\"row\">%d</th>", i + 1);
		report_tag(p, "<td><code>", *b->commit ? b->commit : "not recorded", "</code></td>");
		str_addf(p->out, "<td><code>%.12s</code></td>", *b->fingerprint ? b->fingerprint : "not recorded");
		report_tag(p, "<td>", b->since, "</td>");
		str_addf(p->out, "<td class=\"num\">%d</td></tr>\n", b->attempts);
	}
	str_add(p->out, "</tbody></table>");
	report_scroll_end(p);
}

/* {scores: [...], points: [[arm, build, score, seed, value], ...], builds: n}; without points where there is one build.
 */
static void write(struct str *out, const struct history *h)
{
	struct json_writer w = { .to = out };
	json_begin(&w, NULL, '{');
	json_add_int(&w, "builds", h->n_builds);
	json_begin(&w, "scores", '[');
	for (int i = 0; i < h->n_scores; i++) {
		SCOPED(free) char *safe = report_safe_json(h->scores[i]);
		json_add_raw(&w, NULL, safe);
	}
	json_end(&w);
	json_begin(&w, "points", '[');
	for (int i = 0; h->n_builds > 1 && i < h->n_points; i++) {
		const struct point *x = &h->points[i];
		json_begin(&w, NULL, '[');
		json_add_int(&w, NULL, x->arm);
		json_add_int(&w, NULL, x->build);
		json_add_int(&w, NULL, x->score);
		json_add_int(&w, NULL, x->seed);
		if (isfinite(x->value))
			json_add_format(&w, NULL, "%.7g", x->value);
		else
			json_add_null(&w, NULL);
		json_end(&w);
	}
	json_end(&w);
	json_end(&w);
}

int report_history(struct report_page *p, struct str *data, struct err *e)
{
	struct history h = { 0 };
	if (p->s->db && load(&h, p->s, e)) {
		release(&h);
		return -1;
	}
	str_add(p->out, "<section id=\"history\"><h2>History</h2>\n");
	if (!h.n_builds)
		str_add(p->out, "<p class=\"soft\">No scores yet.</p>\n");
	else if (h.n_builds == 1) {
		report_tag(p, "<p>One build made all scores, so nothing can be compared over time: commit <code>",
		           *h.builds[0].commit ? h.builds[0].commit : "not recorded", "</code>, ");
		str_addf(p->out, "numerics fingerprint <code>%.12s</code>, %d attempt%s.</p>\n",
		         *h.builds[0].fingerprint ? h.builds[0].fingerprint : "not recorded", h.builds[0].attempts,
		         str_plural(h.builds[0].attempts));
	} else {
		str_add(p->out, "<p class=\"soft\">Each arm's mean over training seeds by the build that computed it, in the "
		                "order of the builds' first attempts; repetitions by <code>ablate verify</code> count. Means "
		                "are joined where both are over the same seeds.</p>\n<div id=\"history-chart\"></div>\n");
		table_of_builds(p, &h);
	}
	str_add(p->out, "</section>\n");
	write(data, &h);
	release(&h);
	return 0;
}
