/* wide.c - see wide.h. */
#include "harness/record/wide.h"

#include "model/base/mem.h"
#include "model/config/config.h"

#include <stdlib.h>
#include <string.h>

#define WIDE_DOC "one row per score of v_result beside its cell's settings; a cell without scores has one row"
#define OF_GRIDS(what) \
	"(SELECT group_concat(x, '; ') FROM (SELECT DISTINCT " what " AS x FROM grid_cell gc JOIN grid g " \
	"ON g.hash = gc.grid WHERE gc.cell = c.hash AND " what " <> '' ORDER BY x))"

/* The columns before the settings; what tells rows apart comes first, for it is the order of an export. */
static const struct {
	const char *name, *type, *sql, *doc;
} columns[] = {
	{ "cell", "TEXT", "c.hash", "identity of the result" },
	{ "name", "TEXT", "r.name", "fid, kid, precision, ...; NULL = the cell has no score" },
	{ "nfe", "INTEGER", "r.nfe", "network evaluations per sample; 0 = does not apply" },
	{ "weights", "TEXT", "r.weights", "ema, student or teacher: the weights that were sampled" },
	{ "step", "INTEGER", "r.step", "training step of the weights" },
	{ "eval_seed", "INTEGER", "r.eval_seed", "seed of the sampling latents and subsets" },
	{ "protocol", "TEXT", "r.protocol", "numbers of different protocols are never compared: select or group by it" },
	{ "value", "REAL", "r.value", "the score" },
	{ "lo", "REAL", "r.lo", "lower end of its interval over the samples of this attempt" },
	{ "hi", "REAL", "r.hi", "upper end" },
	{ "n", "INTEGER", "r.n", "images scored" },
	{ "grids", "TEXT", OF_GRIDS("g.name"), "names of the grids that ask for the cell, with '; ' between" },
	{ "labels", "TEXT", OF_GRIDS("gc.label"), "its labels in them" },
	{ "chains", "TEXT", OF_GRIDS("gc.chain"), "the chains it belongs to; NULL = none" },
	{ "state", "TEXT", "coalesce(a.state, 'pending')", "of the cell, as in v_cell_status" },
	{ "attempts", "INTEGER", "coalesce(a.attempts, 0)", "how many were made at the cell" },
	{ "attempt", "TEXT", "coalesce(r.attempt, a.attempt)",
	  "the one that the score is of, else the one used for the cell" },
	{ "fingerprint", "TEXT", "r.fingerprint", "numerics fingerprint of the program and libraries that made the score" },
	{ "seed", "INTEGER", "c.seed", "training seed" },
	{ "numerics", "INTEGER", "c.numerics", "numerics version of the program" },
	{ "dataset", "TEXT", "c.dataset", "SHA-256 of the data set's content" },
	{ "arm", "TEXT", "c.arm", "hash of the settings, which follow" },
};
#define N_COLUMNS (sizeof columns / sizeof *columns)

static const char *type_of(const struct knob *k)
{
	switch (k->type) {
	case KNOB_BOOL:
	case KNOB_INT: return "INTEGER";
	case KNOB_DOUBLE:
	case KNOB_EXPR: return "REAL";
	case KNOB_NUMBER_OR_NAME: return "ANY";
	case KNOB_CHOICE:
	case KNOB_INTS:
	case KNOB_STRING: break;
	}
	return "TEXT";
}

/* A setting's value in an arm's JSON. What came after the first records is not written at its default. */
static void add_setting(struct str *s, const struct knob *k)
{
	bool number = k->type == KNOB_BOOL || k->type == KNOB_INT;
	const char *def = k->type == KNOB_BOOL ? (strcmp(k->def, "true") == 0 ? "1" : "0") : k->def;
	bool real = strcmp(type_of(k), "REAL") == 0;
	str_addf(s, "%s%sjson_extract(config, '$.\"%s\"')", real ? "CAST(" : "", k->later ? "coalesce(" : "", k->key);
	if (k->later)
		str_addf(s, number ? ", %s)" : ", '%s')", def);
	str_addf(s, "%s AS \"%s\"", real ? " AS REAL)" : "", k->key);
}

char *wide_sql(void)
{
	struct str s = { 0 };
	int n;
	const struct knob *knobs = config_knobs(&n);
	str_add(&s,
	        "CREATE VIEW " WIDE_NAME " AS -- " WIDE_DOC "\n\tWITH setting AS MATERIALIZED (SELECT hash AS arm_hash");
	for (int i = 0; i < n; i++) {
		if (knobs[i].placed)
			continue;
		str_add(&s, ",\n\t\t");
		add_setting(&s, &knobs[i]);
	}
	str_add(&s, "\n\t\tFROM arm)\n\tSELECT\n");
	for (size_t i = 0; i < N_COLUMNS; i++)
		str_addf(&s, "\t\t%s AS %s, -- %s\n", columns[i].sql, columns[i].name, columns[i].doc);
	int last = n - 1;
	while (knobs[last].placed)
		last--;
	for (int i = 0; i <= last; i++)
		if (!knobs[i].placed)
			str_addf(&s, "\t\ts.\"%s\"%s -- %s\n", knobs[i].key, i < last ? "," : "", knobs[i].text);
	str_add(&s, "\tFROM cell c JOIN setting s ON s.arm_hash = c.arm LEFT JOIN v_attempt a ON a.cell = c.hash\n"
	            "\t\tLEFT JOIN v_result r ON r.cell = c.hash");
	return str_detach(&s);
}

void wide_docs(db_doc_fn *row, void *ctx)
{
	int n;
	const struct knob *knobs = config_knobs(&n);
	row(ctx, WIDE_NAME, NULL, "VIEW", WIDE_DOC);
	for (size_t i = 0; i < N_COLUMNS; i++)
		row(ctx, WIDE_NAME, columns[i].name, columns[i].type, columns[i].doc);
	for (int i = 0; i < n; i++)
		if (!knobs[i].placed)
			row(ctx, WIDE_NAME, knobs[i].key, type_of(&knobs[i]), knobs[i].text);
}

int wide_is_made(bool *made, struct db *db, struct err *e)
{
	SCOPED(free) char *want = wide_sql(), *have = NULL;
	if (db_text_of(&have, db, e, "SELECT sql FROM main.sqlite_schema WHERE type = 'view' AND name = '" WIDE_NAME "'",
	               ""))
		return -1;
	*made = have && strcmp(have, want) == 0;
	return 0;
}

int wide_make(struct db *db, struct err *e)
{
	bool made = false;
	if (wide_is_made(&made, db, e) || made)
		return made ? 0 : -1;
	SCOPED(free) char *sql = wide_sql();
	return db_script(db, e, "DROP VIEW IF EXISTS main." WIDE_NAME) || db_script(db, e, sql) ? -1 : 0;
}

int wide_make_temporary(struct db *db, struct err *e)
{
	SCOPED(free) char *sql = wide_sql();
	SCOPED(free)
	char *temporary = xstrfmt("PRAGMA query_only = OFF;\nCREATE TEMP VIEW %s;\nPRAGMA query_only = ON;\n",
	                          sql + strlen("CREATE VIEW "));
	return db_script(db, e, temporary);
}
