/* table_fixture.h - tables over a study that looks as if it had been run: for tests of what prints results. */
#ifndef ABLATE_TESTS_TABLE_FIXTURE_H
#define ABLATE_TESTS_TABLE_FIXTURE_H

#include "harness/show/table.h"
#include "tests/common/study_fixture.h"

#define NEAR(got, want, tol) \
	do { \
		double g_ = (got), w_ = (want); \
		cr_assert(fabs(g_ - w_) <= (tol), "%s = %.15g, want %.15g", #got, g_, w_); \
	} while (0)

struct setup {
	struct plan *plan;
	struct db *db;
	struct study *study;
	struct published *pub;
};

static inline struct setup setup(const char *toml, fixture_fn *fn)
{
	struct setup s = { .plan = fixture_plan(toml) };
	s.db = fixture_db("table.db", s.plan, fn, 0);
	OK(study_load(&s.study, s.plan, s.db, e));
	OK(published_read(&s.pub, NULL, e));
	return s;
}

static inline void done(struct setup *s)
{
	study_free(s->study);
	published_free(s->pub);
	db_close(s->db);
	plan_free(s->plan);
}

static inline const struct table_cell *at(const struct table *t, int row, const char *key)
{
	for (int c = 0; c < t->n_cols; c++)
		if (strcmp(t->cols[c].key, key) == 0)
			return &t->cells[row * t->n_cols + c];
	cr_assert_fail("no column %s", key);
	return NULL;
}

static inline char *written(const struct table *t, const char *format)
{
	struct str s = { 0 };
	const struct table_format *f = table_format(format);
	cr_assert_not_null(f);
	f->write(&s, t);
	return str_detach(&s);
}

static inline bool has_note(const struct table *t, const char *part)
{
	for (int i = 0; i < t->n_notes; i++)
		if (strstr(t->notes[i], part))
			return true;
	return false;
}

#endif
