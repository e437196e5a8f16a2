/* test_man.c - what ablate-grid(5) says is so: every row of the language is on the page, every example is taken, every
 * default is what a missing key means, and what the page forbids is refused. */
#include "harness/grid/grid_examples.h"
#include "harness/grid/grid_keys.h"
#include "harness/grid/knob_help.h"
#include "harness/commands/man_grid.h"
#include "harness/grid/metric_ref.h"
#include "harness/plan/plan.h"
#include "harness/text/roff.h"
#include "harness/grid/table_column.h"
#include "harness/show/table.h"
#include "metrics/features/extractor.h"
#include "metrics/scores/score.h"
#include "model/data/shapes.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <string.h>

/* The hash of the plan of that text, or NULL with the reason in *e. */
static const char *plan_of(const char *text, const char *set, struct err *e)
{
	struct grid_source source = { .path = "g.toml", .text = text, .n = strlen(text) };
	struct grid *g = NULL;
	struct plan *p = NULL;
	*e = (struct err)ERR_INIT;
	if (grid_parse(&g, &source, 1, e))
		return NULL;
	if ((set && grid_set(g, set, e)) || plan_expand(&p, g, NULL, e)) {
		grid_free(g);
		return NULL;
	}
	const char *hash = FMT("%s", p->hash);
	plan_free(p);
	return hash;
}

static const char *taken(const char *text)
{
	struct err e;
	const char *hash = plan_of(text, NULL, &e);
	cr_assert(hash, "%s\n%s", e.msg, text);
	return hash;
}

static void refused(const char *text, const char *why)
{
	struct err e;
	cr_assert_null(plan_of(text, NULL, &e), "taken, %s:\n%s", why, text);
	cr_assert_eq(e.code, EXIT_USAGE, "%s", e.msg);
}

/* ---- a table of the language with as little in it as it needs ---------------------------------------------------- */

#define STUDY "schema = 1\n[grid]\nname = \"g\"\nseeds = { train = [1, 2] }\n"
#define BASE  "[base]\npreset = \"ict-shapes8-ci\"\n"
#define HEAD  STUDY BASE
#define VARIANTS \
	"[variants]\nl2 = { label = \"squared L2\", set = { \"loss.kind\" = \"l2\" } }\n" \
	"uniform = { set = { \"noise.dist\" = \"uniform\" } }\n"
#define CHAIN \
	VARIANTS "[[chain]]\nname = \"parts\"\nmode = \"one-at-a-time\"\n" \
			 "steps = [\"l2\", \"uniform\"]\n"
#define METRIC            "[[metric]]\nname = \"fid\"\nsamples = 100\n"
#define AXIS(key, values) "[[axis]]\nkey = \"" key "\"\n" values "\n"
#define GATE              "[[gate]]\nname = \"x\"\nmetric = \"fid@1\"\narm = \"base\"\nagainst = \"uniform\"\n"

struct frame {
	const char *before, *after, *glue;
	const char *lines[8]; /* KEY = VALUE each */
};

static const struct frame frames[KEYS_COUNT] = {
	[KEYS_GRID] = { "schema = 1\n[grid]\n", "\n" BASE, "\n", { "name = \"g\"", "seeds = { train = [1, 2] }" } },
	[KEYS_SEEDS] = { "schema = 1\n[grid]\nname = \"g\"\nseeds = { ", " }\n" BASE, ", ", { "train = [1]" } },
	[KEYS_SEED_RANGE] = { "schema = 1\n[grid]\nname = \"g\"\nseeds = { train = { ",
	                      " } }\n" BASE,
	                      ", ",
	                      { "start = 1", "count = 2" } },
	[KEYS_AXIS] = { HEAD "[[axis]]\n", "\n", "\n", { "key = \"ema.decay\"", "values = [0.1, 0.2]" } },
	[KEYS_RANGE] = { HEAD "[[axis]]\nkey = \"train.batch\"\nrange = { ",
	                 " }\n",
	                 ", ",
	                 { "start = 2", "stop = 4", "step = 2" } },
	[KEYS_LOG] = { HEAD "[[axis]]\nkey = \"train.batch\"\nlog = { ",
	               " }\n",
	               ", ",
	               { "start = 2", "stop = 8", "num = 2" } },
	[KEYS_ZIP] = { HEAD "[[zip]]\n",
	               "\n",
	               "\n",
	               { "keys = [\"disc.s0\", \"disc.s1\"]", "values = [[10, 40], [20, 80]]" } },
	[KEYS_EXCLUDE] = { HEAD AXIS("optim.lr", "values = [0.001, 0.002]")
	                       AXIS("disc.s0", "values = [10, 20]") "[[exclude]]\n",
	                   "\n",
	                   "\n",
	                   { "when = { \"optim.lr\" = 0.001 }" } },
	[KEYS_INCLUDE] = { HEAD "[[include]]\n", "\n", "\n", { "label = \"x\"", "set = { \"loss.kind\" = \"l2\" }" } },
	[KEYS_VARIANT] = { HEAD "[[chain]]\nname = \"c\"\nmode = \"cumulative\"\nsteps = [\"v\"]\n[variants.v]\n",
	                   "\n",
	                   "\n",
	                   { "set = { \"loss.kind\" = \"l1\" }" } },
	[KEYS_CHAIN] = { HEAD VARIANTS "[[chain]]\n",
	                 "\n",
	                 "\n",
	                 { "name = \"c\"", "mode = \"cumulative\"", "steps = [\"l2\"]" } },
	[KEYS_METRIC] = { HEAD "[[metric]]\n", "\n", "\n", { "name = \"fid\"", "samples = 100" } },
	[KEYS_TABLE] = { HEAD CHAIN METRIC "[[table]]\n", "\n", "\n", { "name = \"t\"" } },
	[KEYS_GATE] = { HEAD CHAIN METRIC "[[gate]]\n",
	                "\n",
	                "\n",
	                { "name = \"x\"", "metric = \"fid@1\"", "arm = \"uniform\"", "against = \"l2\"",
	                  "margin = { relative = 0.1 }" } },
	[KEYS_MARGIN] = { HEAD CHAIN METRIC GATE "margin = { ", " }\n", ", ", { "relative = 0.1" } },
	[KEYS_BUDGET] = { HEAD "[budget]\n", "\n", "\n", { NULL } },
	[KEYS_BUDGET_CELL] = { HEAD "[budget]\ncell = { ", " }\n", ", ", { NULL } },
	[KEYS_BUDGET_GRID] = { HEAD "[budget]\ngrid = { ", " }\n", ", ", { NULL } },
	[KEYS_SLURM] = { HEAD "[slurm]\n", "\n", "\n", { NULL } },
	[KEYS_COMMAND] = { HEAD "[command]\n", "\n", "\n", { NULL } },
};

static bool line_is(const char *line, const char *key)
{
	return key && strlen(key) == strcspn(line, " ") && !strncmp(line, key, strlen(key));
}

/* The frame without the lines of three keys (NULL: none), and with one more line ("" = none). */
static const char *framed(const struct frame *f, const char *line, const char *less, const char *less2,
                          const char *less3)
{
	SCOPED(str) struct str s = { 0 };
	const char *glue = "";
	str_add(&s, f->before);
	for (int i = 0; f->lines[i]; i++) {
		if (line_is(f->lines[i], less) || line_is(f->lines[i], less2) || line_is(f->lines[i], less3))
			continue;
		str_addf(&s, "%s%s", glue, f->lines[i]);
		glue = f->glue;
	}
	str_addf(&s, "%s%s%s", *line ? glue : "", line, f->after);
	return FMT("%s", str_text(&s));
}

static const char *with(int part, const struct grid_key *k, const char *value)
{
	return framed(&frames[part], FMT("%s = %s", k->name, value), k->name, k->instead, NULL);
}

/* Every key of every table that a frame can be made for. */
#define EACH_KEY(part, k) \
	for (int part = KEYS_GRID; part < KEYS_SET; part++) \
		for (const struct grid_key *k = grid_keys[part].v; k < grid_keys[part].v + grid_keys[part].n; k++)

Test(man, each_table_has_a_frame)
{
	for (int part = KEYS_GRID; part < KEYS_SET; part++)
		if (grid_keys[part].n) {
			cr_assert(frames[part].before, "%s: write a frame for this table", grid_keys[part].header);
			(void)taken(framed(&frames[part], "", NULL, NULL, NULL));
		}
}

/* ---- rows are true ----------------------------------------------------------------------------------------------- */

/* What a plan's hash is not made of: what blocks cells, what is only shown, and what is only started. */
static const struct {
	int part;
	const char *key;
} outside[] = {
	{ KEYS_INCLUDE, "needs" },     { KEYS_VARIANT, "needs" },     { KEYS_GRID, "text" },
	{ KEYS_TABLE, "latex_label" }, { KEYS_TABLE, "latex_width" }, { KEYS_TABLE, "latex_notes" },
	{ KEYS_TABLE, "pivot" },       { KEYS_TABLE, "across" },      { KEYS_SLURM, NULL }, /* all of it */
	{ KEYS_COMMAND, NULL },        { KEYS_GRID, "on_finish" },
};

Test(man, each_key_has_an_example_that_is_taken_and_changes_the_plan)
{
	EACH_KEY(part, k)
	{
		cr_assert(k->example, "%s %s", grid_keys[part].header, k->name);
		cr_assert(line_is(k->example, k->name), "%s", k->example);
		const char *text = framed(&frames[part], k->example, k->name, k->instead, NULL), *hash = taken(text);
		SCOPED(free) char *as_default = xstrfmt("%s = %s", k->name, k->def ? k->def : "");
		bool unseen = !strcmp(k->example, as_default);
		for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
			unseen |= outside[i].part == part && (!outside[i].key || !strcmp(outside[i].key, k->name));
		const char *without = k->required ? "" : taken(framed(&frames[part], "", NULL, NULL, NULL));
		if (!k->required && !unseen)
			cr_assert_str_neq(hash, without, "ignored: %s in\n%s", k->example, text);
		if (part == KEYS_SLURM || part == KEYS_COMMAND || !strcmp(k->name, "on_finish"))
			cr_assert_str_eq(hash, without, "another plan: %s in\n%s", k->example, text);
	}
}

Test(man, a_default_is_what_a_missing_key_means)
{
	int n = 0;
	EACH_KEY(part, k)
	if (k->def && ++n)
		cr_assert_str_eq(taken(with(part, k, k->def)), taken(framed(&frames[part], "", NULL, NULL, NULL)), "%s %s = %s",
		                 grid_keys[part].header, k->name, k->def);
	cr_assert_gt(n, 15);
}

Test(man, what_is_required_is_missed_by_name)
{
	EACH_KEY(part, k)
	{
		if (!k->required)
			continue;
		struct err e;
		const char *text = framed(&frames[part], "", k->name, NULL, NULL);
		cr_assert_null(plan_of(text, NULL, &e), "taken without %s:\n%s", k->name, text);
		cr_assert(strstr(e.msg, k->name), "%s: %s", k->name, e.msg);
	}
	refused("[grid]\nname = \"g\"\nseeds = { train = [1] }\n", "without schema");
	refused("schema = 1\n" BASE, "without [grid]");
}

Test(man, another_type_is_refused)
{
	EACH_KEY(part, k)
	refused(with(part, k, k->type == KEY_INT || k->type == KEY_NUMBER ? "\"x\"" : "7"), "another type");
}

Test(man, choices_are_those_that_are_taken)
{
	EACH_KEY(part, k)
	{
		if (!k->choices)
			continue;
		const char *form = k->type == KEY_STRINGS ? "%s = [\"%.*s\"]" : "%s = \"%.*s\"";
		for (const char *p = k->choices; *p; p += strcspn(p, "|") + (p[strcspn(p, "|")] == '|')) {
			SCOPED(free) char *line = xstrfmt(form, k->name, (int)strcspn(p, "|"), p);
			if (strstr(line, ":N"))
				*strchr(line, 'N') = '2';
			(void)taken(framed(&frames[part], line, k->name, strstr(line, "superiority") ? "margin" : NULL, NULL));
		}
		refused(framed(&frames[part], FMT(form, k->name, 4, "what"), k->name, NULL, NULL), "no choice");
	}
}

Test(man, ranges_end_where_the_page_says)
{
	int n = 0;
	EACH_KEY(part, k)
	{
		if (!k->max)
			continue;
		const char *form = k->type == KEY_INTS ? "[%d]" : "%d";
		(void)taken(with(part, k, FMT(form, k->min)));
		(void)taken(with(part, k, FMT(form, k->max)));
		refused(with(part, k, FMT(form, k->min - 1)), "too small");
		refused(with(part, k, FMT(form, k->max + 1)), "too large");
		n++;
		SCOPED(str) struct str list = { 0 };
		for (int i = 0; i <= k->most; i++)
			str_addf(&list, "%s%d", i ? ", " : "[", k->min + i);
		if (k->most)
			refused(with(part, k, FMT("%s]", str_text(&list))), "too many");
	}
	cr_assert_geq(n, 5);
}

Test(man, the_formats_of_tables_are_those_that_can_be_written)
{
	int n;
	const struct table_format *f = table_formats(&n);
	const char *choices = FMT("|%s|", grid_key(&grid_keys[KEYS_TABLE], "formats")->choices);
	for (int i = 0; i < n; i++)
		if (strcmp(f[i].name, "terminal") != 0)
			cr_assert(strstr(choices, FMT("|%s|", f[i].name)), "%s", f[i].name);
}

/* ---- examples ---------------------------------------------------------------------------------------------------- */

Test(man, the_examples_of_all_tables_are_one_grid)
{
	SCOPED(str) struct str all = { 0 };
	for (int i = 0; i < KEYS_SET; i++)
		if (grid_keys[i].example)
			str_addf(&all, "%s\n", grid_keys[i].example);
	(void)taken(str_text(&all));
	for (const struct grid_key *k = grid_keys[KEYS_TOP].v; k < grid_keys[KEYS_TOP].v + grid_keys[KEYS_TOP].n; k++)
		cr_assert(strcmp(k->name, "inherit") == 0 || strstr(str_text(&all), k->name), "no example of %s", k->name);
}

Test(man, each_whole_example_can_be_planned)
{
	int n;
	const struct grid_example *x = grid_examples(&n);
	for (int i = 0; i < n; i++) {
		struct err e = ERR_INIT;
		cr_assert_eq(io_write_atomic(TMP(x[i].file), x[i].toml, strlen(x[i].toml), &e), 0, "%s", e.msg);
	}
	for (int i = 0; i < n; i++) {
		struct err e = ERR_INIT;
		struct grid *g = NULL;
		struct plan *p = NULL;
		cr_assert_eq(grid_read(&g, TMP(x[i].file), &e), 0, "%s", e.msg);
		cr_assert_eq(plan_expand(&p, g, NULL, &e), 0, "%s", e.msg);
		cr_assert_gt(p->n_cells, 0);
		if (i == 0)
			cr_assert_eq(p->n_cells, 12, "as its text says");
		plan_free(p);
	}
}

Test(man, what_set_takes_is_taken)
{
	int n;
	const char *first = grid_examples(&n)[0].toml;
	struct err e;
	for (const struct grid_key *k = grid_keys[KEYS_SET].v; k < grid_keys[KEYS_SET].v + grid_keys[KEYS_SET].n; k++)
		cr_assert(plan_of(first, k->example, &e), "--set %s: %s", k->example, e.msg);
	cr_assert(plan_of(first, "preset=...-tiny", &e), "%s", e.msg);
}

static void taken_by(const struct knob *k, const char *value)
{
	const char *text = FMT(STUDY "[base]\n%s = %s\n", k->key, value);
	struct grid_source source = { .path = "g.toml", .text = text, .n = strlen(text) };
	struct grid *g = NULL;
	struct err e = ERR_INIT;
	cr_assert_eq(grid_parse(&g, &source, 1, &e), 0, "%s", e.msg);
	grid_free(g);
}

Test(man, a_knobs_example_and_default_are_values_of_it)
{
	int n;
	const struct knob *k = config_knobs(&n);
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *example = knob_example(&k[i]), *def = knob_toml(&k[i], k[i].def);
		taken_by(&k[i], example);
		taken_by(&k[i], def);
	}
}

/* ---- the page ---------------------------------------------------------------------------------------------------- */

static const char *page(void)
{
	SCOPED(str) struct str s = { 0 };
	man_grid(&s);
	return FMT("%s", str_text(&s));
}

static const char *as_roff(const char *text)
{
	SCOPED(str) struct str s = { 0 };
	roff_text(&s, text);
	return FMT("%s", str_text(&s));
}

/* What the page says from this title on to the next one of its kind. */
static const char *part_of(const char *text, const char *macro, const char *title)
{
	const char *from = strstr(text, FMT("\n%s %s\n", macro, as_roff(title)));
	cr_assert(from, "no %s %s", macro, title);
	const char *end = strstr(from + 1, FMT("\n%s ", macro));
	return FMT("%.*s", end ? (int)(end - from) : (int)strlen(from), from);
}

static void has_item(const char *text, const char *name)
{
	cr_assert(strstr(text, FMT("\n.B %s\n", as_roff(name))), "no %s in\n%.200s", name, text);
}

Test(man, the_page_has_every_key_of_every_table)
{
	const char *text = page();
	for (int i = 0; i < KEYS_SET; i++) {
		const char *part = part_of(text, ".SS", *grid_keys[i].header ? grid_keys[i].header : "Top level");
		for (size_t k = 0; k < grid_keys[i].n; k++)
			has_item(part, grid_keys[i].v[k].name);
	}
	for (size_t k = 0; k < grid_keys[KEYS_SET].n; k++)
		has_item(part_of(text, ".SH", "OVERRIDES"), grid_keys[KEYS_SET].v[k].name);
}

Test(man, the_page_has_every_name_that_values_may_have)
{
	const char *text = page();
	int n;
	const struct metric *m = metric_rows(&n);
	for (int i = 0; i < n; i++) {
		const char *scores[METRIC_SCORES_MAX];
		has_item(part_of(text, ".SH", "METRICS"), m[i].name);
		for (int k = metric_scores(scores, &m[i]); k > 0; k--)
			cr_assert(strstr(part_of(text, ".SH", "METRICS"), scores[k - 1]), "%s", scores[k - 1]);
	}
	for (const struct extractor_row *x = extractor_rows; x->name; x++)
		has_item(part_of(text, ".SH", "EXTRACTORS"), x->name);
	const struct data_shape *d = data_shapes(&n);
	for (int i = 0; i < n; i++)
		has_item(part_of(text, ".SH", "DATA SETS"), d[i].name);
	const struct column_row *c = table_columns(&n);
	for (int i = 0; i < n; i++)
		has_item(part_of(text, ".SH", "COLUMNS OF TABLES"), c[i].key);
	const struct knob *k = config_knobs(&n);
	for (int i = 0; i < n; i++)
		has_item(part_of(text, ".SH", "KNOBS"), k[i].key);
	const struct preset *p = config_presets(&n);
	for (int i = 0; i < n; i++)
		has_item(part_of(text, ".SH", "PRESETS"), p[i].name);
	p = config_scalings(&n);
	for (int i = 0; i < n; i++)
		has_item(part_of(text, ".SS", "Scaled presets"), p[i].name);
}
