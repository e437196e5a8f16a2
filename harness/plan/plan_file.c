/* plan_file.c - a plan frozen into a file and read back: the sources of the grid, --set and --only, and every arm and
 * cell that followed from them, so that a reader can check that it expands them alike. The database keeps the former
 * for every grid that was run. */
#include "harness/plan/plan.h"
#include "harness/text/json_writer.h"

#include <jansson.h>
#include <string.h>

#define PLAN_BYTES_MAX ((size_t)1 << 30)

/* The texts from the given source on; their paths without the first `cut` bytes where they begin as the first one. */
static void add_sources(struct json_writer *w, const struct grid *g, int first_text, size_t cut)
{
	json_begin(w, "sources", '[');
	for (int i = 0; i < g->n_sources; i++) {
		const char *path = g->sources[i].path;
		json_begin(w, NULL, '{');
		json_add_text(w, "file", strncmp(path, g->sources[0].path, cut) == 0 ? path + cut : path);
		if (i >= first_text)
			json_add_text(w, "text", g->sources[i].text);
		json_end(w);
	}
	json_end(w);
}

/* Bytes of the grid file's path before its name. */
static size_t folder_length(const struct grid *g)
{
	const char *path = g->n_sources ? g->sources[0].path : "", *slash = strrchr(path, '/');
	return slash ? (size_t)(slash + 1 - path) : 0;
}

int plan_write(const struct plan *p, const char *path, struct err *e)
{
	SCOPED(str) struct str out = { 0 };
	struct json_writer w = { .to = &out };
	json_begin(&w, NULL, '{');
	json_add_text(&w, "format", "ablate-plan-1");
	json_add_text(&w, "hash", p->hash);
	json_line(&w);
	add_sources(&w, p->grid, 0, 0);
	json_line(&w);
	plan_add_json(&w, "plan", p);
	json_line(&w);
	json_end(&w);
	str_addc(&out, '\n');
	return io_write_atomic(path, str_text(&out), out.len, e);
}

struct frozen {
	json_t *root, *plan, *grid, *arms;
};

static int damaged(const char *path, const char *what, struct err *e)
{
	return err_code(e, EXIT_RECORD, "%s: not a frozen plan of this program: %s; freeze it again", path, what);
}

/* Strings of a JSON array, which must hold nothing else. Borrowed; *n is their number. */
static int string_list(const char ***out, int *n, const json_t *array)
{
	*n = (int)json_array_size(array);
	*out = xcalloc((size_t)*n, sizeof **out);
	for (int i = 0; i < *n; i++)
		if (!((*out)[i] = json_string_value(json_array_get(array, (size_t)i))))
			return -1;
	return json_is_array(array) ? 0 : -1;
}

/* `first`: the text of the first source where that is kept elsewhere. */
static int parse_grid(struct grid **out, const json_t *root, const char *first, const char *path, struct err *e)
{
	const json_t *list = json_object_get(root, "sources");
	struct grid_source sources[GRID_INHERIT_MAX] = { 0 };
	size_t n = json_array_size(list);
	if (n == 0 || n > GRID_INHERIT_MAX)
		return damaged(path, "no sources", e);
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(list, i), *text = json_object_get(one, "text");
		sources[i].path = json_string_value(json_object_get(one, "file"));
		sources[i].text = json_string_value(text);
		sources[i].n = json_string_length(text);
		if (i == 0 && first)
			sources[i].text = first, sources[i].n = strlen(first);
		if (!sources[i].path || !sources[i].text)
			return damaged(path, "a source without text", e);
	}
	if (grid_parse(out, sources, (int)n, e)) {
		if (e)
			e->code = EXIT_RECORD;
		return err_in(e, "%s", path);
	}
	return 0;
}

static int apply_sets(struct grid *g, const json_t *grid, const char *path, struct err *e)
{
	SCOPED(free) const char **sets = NULL;
	int n = 0;
	if (string_list(&sets, &n, json_object_get(grid, "set")))
		return damaged(path, "no list of settings", e);
	for (int i = 0; i < n; i++)
		if (grid_set(g, sets[i], e))
			return err_in(e, "%s", path);
	return 0;
}

/* The data hashes are the frozen ones, by arm: what is on this machine's disk is for the worker to check. */
static int frozen_dataset(void *ctx, char hex[SHA256_HEX], const struct run_config *config, struct err *e)
{
	const struct frozen *f = ctx;
	size_t i;
	json_t *arm;
	char mine[SHA256_HEX];
	config_hash(mine, config);
	json_array_foreach(f->arms, i, arm)
	{
		const char *hash = json_string_value(json_object_get(arm, "dataset")),
				   *name = json_string_value(json_object_get(arm, "arm"));
		if (hash && name && !strcmp(name, mine) && (!*hash || strlen(hash) == SHA256_HEX - 1)) {
			(void)snprintf(hex, SHA256_HEX, "%s", hash);
			return 0;
		}
	}
	return err_set(e, "the frozen plan has no hash of what arm %.12s reads", mine);
}

static int same_plan(const struct plan *p, const struct frozen *f, const char *path, struct err *e)
{
	const char *hash = json_string_value(json_object_get(f->root, "hash"));
	const json_t *cells = json_object_get(f->plan, "cells");
	bool same = hash && !strcmp(hash, p->hash) && json_array_size(cells) == (size_t)p->n_cells;
	for (int i = 0; same && i < p->n_cells; i++) {
		const char *cell = json_string_value(json_object_get(json_array_get(cells, (size_t)i), "cell"));
		same = cell && !strcmp(cell, p->cells[i].hash);
	}
	if (same)
		return 0;
	return err_code(e, EXIT_RECORD,
	                "%s: this program makes different cells from this plan than the one that froze it (another "
	                "version, or the file was edited); freeze it again",
	                path);
}

static int thaw(struct plan **out, struct frozen *f, const char *path, const struct plan_options *opt, struct err *e)
{
	SCOPED(grid) struct grid *g = NULL;
	SCOPED(free) const char **only = NULL;
	struct plan_options mine = { .ctx = f, .dataset = frozen_dataset };
	struct plan *p = NULL;
	if (parse_grid(&g, f->root, NULL, path, e) || apply_sets(g, f->grid, path, e))
		return -1;
	if (string_list(&only, &mine.n_only, json_object_get(f->grid, "only")))
		return damaged(path, "no list of rows", e);
	mine.only = only;
	if (plan_expand(&p, g, &mine, e)) {
		if (e)
			e->code = EXIT_RECORD;
		return err_in(e, "%s", path);
	}
	g = NULL; /* the plan's now */
	if (same_plan(p, f, path, e)) {
		plan_free(p);
		return -1;
	}
	for (int i = 0; opt && opt->state && i < p->n_cells; i++)
		opt->state(opt->ctx, &p->cells[i], p);
	*out = p;
	return 0;
}

int plan_read(struct plan **out, const char *path, const struct plan_options *opt, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	struct frozen f;
	if (io_read(&text, path, PLAN_BYTES_MAX, e))
		return -1;
	f.root = json_loadb(str_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	f.plan = json_object_get(f.root, "plan");
	f.grid = json_object_get(f.plan, "grid");
	f.arms = json_object_get(f.plan, "arms");
	const char *format = json_string_value(json_object_get(f.root, "format"));
	int rc = !format || strcmp(format, "ablate-plan-1") != 0 || !f.grid || !json_is_array(f.arms)
	             ? damaged(path, "not JSON, or a different format", e)
	             : thaw(out, &f, path, opt, e);
	json_decref(f.root);
	return rc;
}

/* ---- in the database -------------------------------------------------------------------------------------------- */

char *plan_made_of(const struct plan *p)
{
	struct str s = { 0 };
	struct json_writer w = { .to = &s };
	json_begin(&w, NULL, '{');
	add_sources(&w, p->grid, 1, folder_length(p->grid)); /* the folder is nobody else's business */
	json_add_texts(&w, "set", p->grid->set_texts, p->grid->n_set_texts);
	json_add_texts(&w, "only", p->only, p->n_only);
	json_end(&w);
	return str_detach(&s);
}

static int expand_record(struct plan **out, const json_t *made, const char *name, const char *toml,
                         const struct plan_sets *more, const struct plan_options *opt, struct err *e)
{
	SCOPED(grid) struct grid *g = NULL;
	SCOPED(free) const char **only = NULL;
	struct plan_options mine = *opt;
	struct grid_source lone = { .path = name, .text = toml, .n = strlen(toml) };
	bool old = !json_object_size(made);
	if (old ? grid_parse(&g, &lone, 1, e) : parse_grid(&g, made, toml, name, e) || apply_sets(g, made, name, e))
		return err_in(e, "the grid in the database");
	for (int i = 0; i < more->n; i++)
		if (grid_set(g, more->v[i], e))
			return -1;
	if (!old && !opt->n_only) {
		if (string_list(&only, &mine.n_only, json_object_get(made, "only")))
			return damaged(name, "no list of rows", e);
		mine.only = only;
	}
	if (plan_expand(out, g, &mine, e))
		return -1;
	g = NULL; /* the plan's now */
	return 0;
}

int plan_of_record(struct plan **out, const char *name, const char *toml, const char *made_of,
                   const struct plan_sets *more, const struct plan_options *opt, struct err *e)
{
	json_t *made = json_loads(made_of, JSON_REJECT_DUPLICATES, NULL);
	int rc = json_is_object(made) ? expand_record(out, made, name, toml, more, opt, e)
	                              : err_code(e, EXIT_RECORD, "%s: the record of how it was made is damaged", name);
	json_decref(made);
	return rc;
}
