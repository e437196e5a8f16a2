/* table_lookup.c - look-ups in a table that is being built: its numbers, its protocols, what was published. See
 * table_private.h. */
#include "harness/show/table_private.h"

#include <string.h>

const char *table_data(const struct build *b, const struct plan_row *row)
{
	return b->s->plan->arms[row->arm].config.data.name;
}

static const char *paper_of(const struct build *b)
{
	return b->def && strcmp(b->def->paper, "all") != 0 ? b->def->paper : "";
}

const struct published_value *table_published(const struct build *b, const struct plan_row *row,
                                              const struct metric_ref *ref)
{
	if (!b->pub || !metric_ref_in_papers(ref))
		return NULL;
	const struct published_value *v = published_find(b->pub, paper_of(b), row->label, table_data(b, row), ref->name,
	                                                 ref->nfe);
	const struct preset *scaling = NULL, *full = NULL;
	bool plain = !*row->chain || strcmp(row->label, "base") == 0 || strcmp(row->label, "full") == 0;
	const char *preset = b->s->plan->arms[row->arm].preset;
	if (!v && plain && *preset && (full = config_find_preset(preset, &scaling)))
		v = published_find(b->pub, paper_of(b), full->name, table_data(b, row), ref->name, ref->nfe);
	return v;
}

struct study_stat *table_stat(const struct build *b, int row, int col)
{
	return &b->stats[row * b->t->n_cols + col];
}

bool table_begins_protocol(const struct build *b, int r, int c)
{
	const char *p = table_stat(b, r, c)->protocol;
	for (int k = 0; k < r && p; k++)
		if (table_stat(b, k, c)->protocol && strcmp(table_stat(b, k, c)->protocol, p) == 0)
			return false;
	return p;
}

bool table_mixes_protocols(const struct build *b, int c)
{
	const char *first = NULL;
	for (int r = 0; r < b->n_ours; r++) {
		const char *p = table_stat(b, r, c)->protocol;
		if (first && p && strcmp(first, p) != 0)
			return true;
		first = first ? first : p;
	}
	return false;
}

const char *table_state_text(struct build *b, const struct study_stat *s)
{
	const struct {
		int n;
		const char *name;
	} states[] = { { s->done, record_state_name(RECORD_DONE) },
		           { s->failed, record_state_name(RECORD_FAILED) },
		           { s->blocked, record_state_name(RECORD_BLOCKED) },
		           { s->pending, record_state_name(RECORD_PENDING) } };
	struct str t = { 0 };
	for (size_t i = 0; i < 4; i++)
		if (states[i].n == s->asked && s->asked)
			return states[i].name;
		else if (states[i].n)
			str_addf(&t, "%s%d %s", t.len ? ", " : "", states[i].n, states[i].name);
	const char *copy = arena_strdup(&b->t->arena, str_text(&t));
	str_release(&t);
	return copy;
}
