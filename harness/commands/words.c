/* words.c - see words.h. One row of the table per kind. */
#include "harness/commands/words.h"

#include "harness/record/query.h"
#include "harness/record/query_show.h"
#include "metrics/features/published_stats.h"
#include "metrics/weights/weights.h"
#include "model/base/own_files.h"
#include "model/config/config.h"
#include "model/cpu/devices.h"
#include "model/data/shapes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void words_release(struct words *w)
{
	for (int i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
	*w = (struct words){ 0 };
}

void scoped_words(struct words *w)
{
	words_release(w);
}

static void add(struct words *w, const char *text)
{
	VEC_PUSH(w->v, w->n, w->cap) = xstrdup(text);
}

/* What a kind is made of. */
struct word_ask {
	const struct cli *c;
	const char *kind, *typed;
};

static void add_commands(struct words *w, const struct word_ask *s)
{
	const struct cmd_row *r = s->c->all->rows;
	for (int i = 0; i < s->c->all->n; i++)
		if (!r[i].cmd->hidden)
			add(w, r[i].cmd->name);
}

static void add_keys(struct words *w, const struct word_ask *s)
{
	int n;
	const struct knob *k = config_knobs(&n);
	(void)s;
	for (int i = 0; i < n; i++)
		add(w, k[i].key);
}

static void add_presets(struct words *w, const struct word_ask *s)
{
	int n;
	const struct preset *p = config_presets(&n);
	(void)s;
	for (int i = 0; i < n; i++)
		add(w, p[i].name);
}

static void add_data(struct words *w, const struct word_ask *s)
{
	int n;
	const struct data_shape *d = data_shapes(&n);
	(void)s;
	for (int i = 0; i < n; i++)
		add(w, d[i].name);
}

static void add_weights(struct words *w, const struct word_ask *s)
{
	(void)s;
	for (const struct weights_row *r = weights_rows; r->name; r++)
		add(w, r->name);
}

static void add_stats(struct words *w, const struct word_ask *s)
{
	(void)s;
	for (const struct stats_row *r = stats_rows; r->name; r++)
		add(w, r->name);
}

static void add_devices(struct words *w, const struct word_ask *s)
{
	int n = 0;
	struct err e = ERR_INIT;
	(void)s;
	add(w, "auto");
	add(w, "cpu");
	if (backend_cuda_devices(&n, &e)) /* no plugin, no driver or no card: there is nothing more to offer */
		return;
	add(w, "cuda");
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *one = xstrfmt("cuda:%d", i);
		add(w, one);
	}
}

static void add_recorded(struct words *w, const struct word_ask *s)
{
	SCOPED(db) struct db *db = NULL;
	struct db_rows rows;
	const char *word;
	struct err e = ERR_INIT;
	if (!db_is_there(s->c->db) || db_open(&db, s->c->db, DB_READ, &e) || query_words(&rows, db, s->kind, &e))
		return;
	while (query_text_next(&word, &rows))
		add(w, word);
	(void)!db_done(&rows, &e);
}

/* NAME of the files NAME.toml in `folder`, each behind `prefix`. */
static void add_folder(struct words *w, const char *folder, const char *prefix)
{
	SCOPED(free) char *path = own_data_file(folder);
	struct dirent **files;
	int n = path ? scandir(path, &files, NULL, alphasort) : -1;
	for (int i = 0; i < n; i++) {
		size_t len = strlen(files[i]->d_name), end = strlen(".toml");
		if (len > end && strcmp(files[i]->d_name + len - end, ".toml") == 0) {
			SCOPED(free) char *name = xstrfmt("%s%.*s", prefix, (int)(len - end), files[i]->d_name);
			add(w, name);
		}
		free(files[i]);
	}
	if (n >= 0)
		free(files);
}

static void add_studies(struct words *w, const struct word_ask *s)
{
	(void)s;
	add_folder(w, "ablations", "");
	add_folder(w, "ablations/paper", "paper/");
}

static void add_grids(struct words *w, const struct word_ask *s)
{
	add_recorded(w, s);
	add_studies(w, s);
}

static void add_configs(struct words *w, const struct word_ask *s)
{
	add_studies(w, s);
	add_presets(w, s);
}

static void add_value(struct words *w, const char *key, const char *value)
{
	SCOPED(free) char *one = xstrfmt("%s=%s", key, value);
	add(w, one);
}

static void add_choices(struct words *w, const char *key, const char *choices)
{
	for (const char *at = choices; *at;) {
		size_t n = strcspn(at, "|");
		SCOPED(free) char *one = xstrndup(at, n);
		add_value(w, key, one);
		at += n + (at[n] == '|');
	}
}

/* KEY=VALUE for each value that the knob has a name for, and its default. */
static void add_values(struct words *w, const struct word_ask *s, const char *key)
{
	SCOPED(words) struct words names = { 0 };
	const struct knob *k = config_find(key);
	if (strcmp(key, "preset") == 0)
		add_presets(&names, s);
	else if (strcmp(key, "data.name") == 0)
		add_data(&names, s);
	else if (k && k->type == KNOB_BOOL)
		add_choices(w, key, "true|false");
	else if (k && (k->type == KNOB_CHOICE || k->type == KNOB_NUMBER_OR_NAME))
		add_choices(w, key, k->choices);
	if (k && *k->def && k->type != KNOB_BOOL && k->type != KNOB_CHOICE && !names.n)
		add_value(w, key, k->def);
	for (int i = 0; i < names.n; i++)
		add_value(w, key, names.v[i]);
}

static void add_settings(struct words *w, const struct word_ask *s)
{
	const char *equals = strchr(s->typed, '=');
	SCOPED(words) struct words keys = { 0 };
	if (equals) {
		SCOPED(free) char *key = xstrndup(s->typed, (size_t)(equals - s->typed));
		add_values(w, s, key);
		return;
	}
	add(&keys, "preset");
	add(&keys, "seeds");
	add_keys(&keys, s);
	for (int i = 0; i < keys.n; i++)
		add_value(w, keys.v[i], "");
}

static const struct words_kind {
	const char *name;
	void (*add)(struct words *w, const struct word_ask *s);
} kinds[] = {
	{ "commands", add_commands }, { "keys", add_keys },         { "settings", add_settings },
	{ "presets", add_presets },   { "studies", add_studies },   { "configs", add_configs },
	{ "data", add_data },         { "weights", add_weights },   { "stats", add_stats },
	{ "devices", add_devices },   { "grids", add_grids },       { "cells", add_recorded },
	{ "labels", add_recorded },   { "attempts", add_recorded }, { "metrics", add_recorded },
};

bool words_of(struct words *out, const struct cli *c, const char *kind, const char *typed)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, kind) != 0)
			continue;
		kinds[i].add(out, &(struct word_ask){ c, kind, typed ? typed : "" });
		return true;
	}
	return false;
}

void words_kinds(struct str *out)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		str_addf(out, "%s%s", i ? ", " : "", kinds[i].name);
}

void words_suggest(struct str *out, const struct words *w, const char *wrong)
{
	str_suggest(out, wrong, (const char *const *)w->v, (size_t)w->n);
}
