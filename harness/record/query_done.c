/* query_done.c - is a cell finished? See query.h and, for all ways by which it is found so, "Found done" in
 * harness/README.md. */
#include "harness/record/query.h"

#include "harness/record/score_key.h"
#include "harness/record/stage.h"
#include "metrics/features/extractor.h"
#include "model/base/mem.h"
#include "model/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A score of a done attempt. */
struct have {
	char name[64], asked[SHA256_HEX], extractor[SCORE_EXTRACTOR_MAX]; /* asked "": of before it was recorded */
	int64_t nfe, eval_seed, n;
};

/* What is needed to say what a score of the cell is asked as. */
struct subject {
	char *training, *config;
	char data[KNOB_TEXT_MAX];
};

static void subject_release(struct subject *s)
{
	free(s->training);
	free(s->config);
}

/* data.name of canonical JSON; "" where there is none. */
static void find_data(char out[KNOB_TEXT_MAX], const char *config)
{
	static const char key[] = "\"data.name\":\"";
	const char *at = strstr(config, key);
	*out = '\0';
	if (at)
		(void)snprintf(out, KNOB_TEXT_MAX, "%.*s", (int)strcspn(at + sizeof key - 1, "\""), at + sizeof key - 1);
}

static int find_subject(struct subject *s, struct db *db, const char *cell, struct err *e)
{
	struct db_rows rows;
	*s = (struct subject){ 0 };
	if (db_query(&rows, db, e, "SELECT c.training, r.config FROM cell c JOIN arm r ON r.hash = c.arm WHERE c.hash = ?",
	             "s", cell))
		return -1;
	if (db_next(&rows) && db_text(&rows, 0)) {
		s->training = xstrdup(db_text(&rows, 0));
		s->config = xstrdup(db_text(&rows, 1));
		find_data(s->data, s->config);
	}
	return db_done(&rows, e);
}

/* An old row says which extractor made it, in its protocol, and of the reference only a hash of its pictures. */
static bool old_row_fits(const struct have *h, const struct wanted_score *w, const char *data)
{
	const char *extractor = w->extractor && *w->extractor ? w->extractor : *data ? extractor_default(data) : "";
	return !*h->extractor || !*extractor || strcmp(h->extractor, extractor) == 0;
}

static bool is_key(const struct have *h, const struct wanted_score *w, const struct subject *s)
{
	char sampling[SHA256_HEX], key[SHA256_HEX];
	const struct score_request r = {
		.data = s->data, .ref = w->ref ? w->ref : "", .extractor = w->extractor ? w->extractor : "", .n = w->n
	};
	if (!s->training || stage_sampling_key(sampling, s->training, s->config, (int)w->nfe, w->eval_seed, NULL))
		return false;
	score_request_key(key, sampling, w->name, &r);
	return strcmp(key, h->asked) == 0;
}

static bool fits(const struct have *h, const struct wanted_score *w, const struct subject *s)
{
	return *h->asked ? is_key(h, w, s) : old_row_fits(h, w, s->data);
}

static bool has(const struct have *have, int n, const struct wanted_score *w, const struct subject *s)
{
	for (int i = 0; i < n; i++)
		if (have[i].nfe == w->nfe && have[i].eval_seed == w->eval_seed && have[i].n == w->n &&
		    !strcmp(have[i].name, w->name) && fits(&have[i], w, s))
			return true;
	return false;
}

static int find_scores(struct have **out, int *n, struct db *db, const char *cell, struct err *e)
{
	struct db_rows rows;
	int cap = 0;
	if (db_query(&rows, db, e,
	             "SELECT DISTINCT m.name, m.nfe, m.eval_seed, m.n, coalesce(m.asked, ''), m.protocol FROM attempt a "
	             "JOIN metric m ON m.attempt = a.id WHERE a.cell = ? AND a.state = 'done' AND a.purpose = 'run'",
	             "s", cell))
		return -1;
	while (db_next(&rows)) {
		struct have *h = &VEC_PUSH(*out, *n, cap);
		*h = (struct have){ .nfe = db_int(&rows, 1), .eval_seed = db_int(&rows, 2), .n = db_int(&rows, 3) };
		(void)snprintf(h->name, sizeof h->name, "%s", db_text(&rows, 0));
		(void)snprintf(h->asked, sizeof h->asked, "%s", db_text(&rows, 4));
		score_extractor(h->extractor, db_text(&rows, 5));
	}
	return db_done(&rows, e);
}

int query_finished(bool *out, struct db *db, const char *cell, const struct wanted_score *wanted, int n_wanted,
                   struct err *e)
{
	SCOPED(free) struct have *have = NULL;
	struct subject s;
	int64_t done = 0;
	int n = 0;
	*out = false;
	if (db_int_of(&done, 0, db, e, "SELECT count(*) FROM attempt WHERE cell = ? AND state = 'done' AND purpose = 'run'",
	              "s", cell))
		return -1;
	if (!done)
		return 0;
	if (find_scores(&have, &n, db, cell, e))
		return -1;
	int rc = find_subject(&s, db, cell, e);
	bool all = !rc;
	for (int i = 0; i < n_wanted && all; i++)
		all = has(have, n, &wanted[i], &s);
	subject_release(&s);
	*out = all;
	return rc;
}

int query_score_is(bool *out, struct db *db, const char *cell, const struct wanted_score *wanted, const char *asked,
                   const char *protocol, struct err *e)
{
	struct have h = { .n = wanted->n };
	struct subject s;
	(void)snprintf(h.asked, sizeof h.asked, "%s", asked);
	score_extractor(h.extractor, protocol);
	int rc = find_subject(&s, db, cell, e);
	*out = !rc && fits(&h, wanted, &s);
	subject_release(&s);
	return rc;
}
