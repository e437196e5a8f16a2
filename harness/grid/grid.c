/* grid.c - a grid file as a whole: schema, inherit, [grid], [base], and the order in which the sections are read. */
#include "harness/grid/grid_command.h"
#include "harness/grid/grid_private.h"

#include <string.h>

void grid_free(struct grid *g)
{
	if (!g)
		return;
	for (int i = 0; i < g->n_sources; i++)
		toml_free(g->docs[i]);
	for (int i = 0; i < g->n_set_docs; i++)
		toml_free(g->set_docs[i]);
	free(g->set_docs);
	free(g->set_texts);
	free(g->scratch);
	arena_release(&g->arena);
	free(g);
}

void scoped_grid(struct grid **g)
{
	grid_free(*g);
}

/* ---- seeds ------------------------------------------------------------------------------------------------------ */

static int seed_ok(const struct toml_value *v, struct err *e)
{
	if (v->type != TOML_INTEGER || v->i < 0)
		return toml_err(e, v, "a seed must be an integer of at least 0");
	return 0;
}

static int compare_seeds(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static int no_seed_twice(const struct toml_value *v, const int64_t *seeds, int n, struct err *e)
{
	SCOPED(free) int64_t *sorted = xcalloc((size_t)n, sizeof *sorted);
	memcpy(sorted, seeds, (size_t)n * sizeof *sorted);
	qsort(sorted, (size_t)n, sizeof *sorted, compare_seeds);
	for (int i = 1; i < n; i++)
		if (sorted[i] == sorted[i - 1])
			return toml_err(e, v, "seed %lld is given twice", (long long)sorted[i]);
	return 0;
}

int grid_read_seed_list(int64_t **out, int *n, struct grid *g, const struct toml_value *v, struct err *e)
{
	int64_t start = 0, count;
	if (v->type == TOML_ARRAY) {
		count = (int64_t)toml_len(v);
	} else if (v->type == TOML_TABLE) {
		int rc = grid_closed(v, &grid_keys[KEYS_SEED_RANGE], e) ? -1 : toml_integer(&count, v, "count", e);
		if (rc < 0 || toml_integer(&start, v, "start", e) < 0)
			return -1;
		if (rc || !toml_find(v, "start"))
			return toml_err(e, v, "seeds need start and count");
		if (start < 0 || start > INT64_MAX - GRID_CELLS_MAX)
			return toml_err(e, v, "start must be at least 0");
	} else {
		return toml_err(e, v, "seeds are a list [1, 2, 3] or { start = 1, count = 3 }");
	}
	if (count < 1 || count > GRID_CELLS_MAX)
		return toml_err(e, v, "%lld seeds: at least 1 and at most %d", (long long)count, GRID_CELLS_MAX);
	*out = arena_alloc(&g->arena, (size_t)count * sizeof **out);
	*n = (int)count;
	for (int i = 0; i < *n; i++)
		if (v->type == TOML_TABLE)
			(*out)[i] = start + i;
		else if (seed_ok(toml_at(v, (size_t)i), e))
			return -1;
		else
			(*out)[i] = toml_at(v, (size_t)i)->i;
	return no_seed_twice(v, *out, *n, e);
}

static int read_study(struct grid *g, const struct toml_value *root, struct err *e)
{
	const struct toml_value *t = NULL, *seeds = NULL;
	int rc = toml_typed(&t, root, "grid", TOML_TABLE, e);
	if (rc < 0)
		return -1;
	if (rc)
		return toml_err(e, root, "[grid] is missing: it gives the study's name and seeds");
	const struct grid_keys *keys = &grid_keys[KEYS_GRID];
	if (grid_closed(t, keys, e) || grid_string(&g->name, t, keys, "name", e) ||
	    grid_name_ok(g->name, grid_at(toml_find(t, "name")->value), "the name", e))
		return -1;
	if (grid_string(&g->text, t, keys, "text", e) < 0 || grid_read_like(g, t, e) ||
	    grid_words(&g->on_finish, t, keys, "on_finish", e) || toml_typed(&seeds, t, "seeds", TOML_TABLE, e) < 0)
		return -1;
	if (!seeds || !toml_find(seeds, "train"))
		return toml_err(e, seeds ? seeds : t,
		                "seeds.train is missing: write seeds = { train = [1, 2, 3], eval = [101] }");
	g->seeds.eval = arena_alloc(&g->arena, sizeof *g->seeds.eval);
	g->seeds.eval[0] = 101;
	g->seeds.n_eval = 1;
	return grid_read_seeds(g, seeds, e);
}

int grid_read_like(struct grid *g, const struct toml_value *study, struct err *e)
{
	struct err why = ERR_INIT;
	if (grid_string(&g->like, study, &grid_keys[KEYS_GRID], "like", e) < 0)
		return -1;
	if (!*g->like || config_find_preset(g->like, NULL))
		return 0;
	return config_preset(g->scratch, g->like, &why) ? toml_err(e, toml_find(study, "like")->value, "%s", why.msg) : 0;
}

int grid_read_seeds(struct grid *g, const struct toml_value *seeds, struct err *e)
{
	const struct toml_entry *train = toml_find(seeds, "train"), *eval = toml_find(seeds, "eval");
	if (grid_closed(seeds, &grid_keys[KEYS_SEEDS], e) || toml_boolean(&g->seeds.paired, seeds, "paired", e) < 0 ||
	    (train && grid_read_seed_list(&g->seeds.train, &g->seeds.n_train, g, train->value, e)))
		return -1;
	return eval ? grid_read_seed_list(&g->seeds.eval, &g->seeds.n_eval, g, eval->value, e) : 0;
}

/* ---- the file and what it inherits ------------------------------------------------------------------------------ */

static int check_top(const struct toml_value *root, struct err *e)
{
	int64_t schema = 0;
	if (grid_closed(root, &grid_keys[KEYS_TOP], e))
		return -1;
	int rc = toml_integer(&schema, root, "schema", e);
	if (rc == 1)
		return toml_err(e, root, "schema is missing: begin the file with schema = %d", GRID_SCHEMA);
	if (rc)
		return -1;
	if (schema != GRID_SCHEMA)
		return toml_err(e, toml_find(root, "schema")->value, "schema %lld; this program reads schema %d",
		                (long long)schema, GRID_SCHEMA);
	return 0;
}

/* The path that `inherit` in file `from` means: beside that file, unless absolute. Arena text. */
static const char *resolve(struct grid *g, const char *from, const char *name)
{
	const char *slash = strrchr(from, '/');
	if (*name == '/' || !slash)
		return name;
	return arena_strfmt(&g->arena, "%.*s/%s", (int)(slash - from), from, name);
}

struct given {
	const struct grid_source *v;
	int n;
};

/* One file of the inheritance, from the given texts or, without any, from disk. */
static int load(struct grid *g, const char *path, const struct given *given, struct err *e)
{
	struct grid_source *src = &g->sources[g->n_sources];
	struct toml **doc = &g->docs[g->n_sources];
	if (!given) {
		if (toml_read(doc, path, e))
			return -1;
	} else {
		int i = 0;
		while (i < given->n && strcmp(given->v[i].path, path) != 0)
			i++;
		if (i == given->n)
			return err_code(e, EXIT_USAGE, "%s: its text is not among the sources", path);
		if (toml_parse(doc, given->v[i].text, given->v[i].n, path, e))
			return -1;
	}
	src->path = arena_strdup(&g->arena, path);
	src->text = toml_text(*doc, &src->n);
	io_sha256(src->sha256, src->text, src->n);
	g->n_sources++;
	return check_top(toml_root(*doc), e);
}

static int load_all(struct grid *g, const char *path, const struct given *given, struct err *e)
{
	if (load(g, path, given, e))
		return -1;
	for (;;) {
		const struct toml_value *root = toml_root(g->docs[g->n_sources - 1]);
		const char *name = NULL;
		int rc = toml_string(&name, root, "inherit", e);
		if (rc)
			return rc < 0 ? -1 : 0;
		const struct toml_value *at = toml_find(root, "inherit")->value;
		if (grid_name_ok(name, grid_at(at), "inherit", e))
			return -1;
		const char *next = resolve(g, g->sources[g->n_sources - 1].path, name);
		for (int i = 0; i < g->n_sources; i++)
			if (!strcmp(g->sources[i].path, next))
				return toml_err(e, at, "%s inherits from itself", next);
		if (g->n_sources == GRID_INHERIT_MAX)
			return toml_err(e, at, "more than %d files inherit from each other", GRID_INHERIT_MAX);
		if (load(g, next, given, e))
			return err_in(e, "%s:%d:%d: inherit", at->file, at->line, at->col);
	}
}

/* [base] and [variants] of every file, the most distant ancestor first. */
static int read_inherited(struct grid *g, struct err *e)
{
	for (int i = g->n_sources - 1; i >= 0; i--) {
		const struct toml_value *root = toml_root(g->docs[i]), *base = NULL;
		if (toml_typed(&base, root, "base", TOML_TABLE, e) < 0)
			return -1;
		if ((base && grid_settings(&g->base, g, base, "[base]", e)) || grid_read_variants(g, root, e))
			return -1;
	}
	return 0;
}

static double chain_rows(const struct grid_chain *c)
{
	double rows = 1;
	if (c->mode != CHAIN_FACTORIAL)
		return c->n_steps + 1;
	for (int i = 0; i < c->n_steps; i++)
		rows *= 2;
	return rows;
}

int grid_check_size(const struct grid *g, struct err *e)
{
	double rows = g->n_includes, product = 1;
	struct grid_place at = { g->path, 1, 1 };
	SCOPED(str) struct str how = { 0 };
	for (int i = 0; i < g->n_axes; i++) {
		product *= g->axes[i].n_values;
		str_addf(&how, "%s%d", i ? " x " : "", g->axes[i].n_values);
		at = g->axes[0].at;
	}
	if (g->n_axes)
		rows += product;
	for (int i = 0; i < g->n_chains; i++) {
		rows += chain_rows(&g->chains[i]);
		if (chain_rows(&g->chains[i]) > GRID_CELLS_MAX) {
			at = g->chains[i].at;
			str_release(&how);
			str_addf(&how, "2^%d of chain %s", g->chains[i].n_steps, g->chains[i].name);
		}
	}
	if (rows * g->seeds.n_train <= GRID_CELLS_MAX)
		return 0;
	return grid_err(e, at, "%.6g rows (%s) times %d seeds is %.6g cells; a grid may have %d", rows,
	                how.len ? str_text(&how) : "chains", g->seeds.n_train, rows * g->seeds.n_train, GRID_CELLS_MAX);
}

static int read_all(struct grid *g, const char *path, const struct given *given, struct err *e)
{
	config_defaults(g->scratch);
	if (load_all(g, path, given, e) || read_inherited(g, e))
		return -1;
	const struct toml_value *root = toml_root(g->docs[0]);
	g->path = g->sources[0].path;
	g->text = g->like = "";
	return read_study(g, root, e) || grid_read_rows(g, root, e) || grid_read_judges(g, root, e) || grid_check_size(g, e)
	           ? -1
	           : 0;
}

static int read_grid(struct grid **out, const char *path, const struct given *given, struct err *e)
{
	struct grid *g = xcalloc(1, sizeof *g);
	g->scratch = xcalloc(1, sizeof *g->scratch);
	g->budget.cell_checkpoint_s = GRID_CHECKPOINT_S;
	if (read_all(g, path, given, e)) {
		grid_free(g);
		return -1;
	}
	*out = g;
	return 0;
}

int grid_read(struct grid **out, const char *path, struct err *e)
{
	return read_grid(out, path, NULL, e);
}

int grid_parse(struct grid **out, const struct grid_source *sources, int n, struct err *e)
{
	REQUIRE(n > 0);
	return read_grid(out, sources[0].path, &(struct given){ sources, n }, e);
}
