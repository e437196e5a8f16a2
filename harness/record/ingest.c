/* ingest.c - see ingest.h. Tables and columns come from schema.sql itself, so a column is added in one place. */
#define _GNU_SOURCE
#include "harness/record/ingest.h"

#include "harness/record/db_private.h"

#include "harness/record/hex_number.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 32

/* Tables that lines may name, with the columns of their key; attempt, curve and metric have rules of their own. */
struct table {
	const char *name, *key[8];
	bool smallest;       /* several descriptions of the same content: the smallest of each column stays */
	const char *with[2]; /* of which the first column belongs to the second: both of one description */
};

static const struct table tables[] = {
	{ .name = "artifact", .key = { "hash" }, .smallest = true },
	{ .name = "env", .key = { "hash" } },
	{ .name = "grid", .key = { "hash" }, .smallest = true, .with = { "made_of", "toml" } },
	{ .name = "arm", .key = { "hash" } },
	{ .name = "cell", .key = { "hash" } },
	{ .name = "grid_cell", .key = { "grid", "cell", "chain", "label" } },
	{ .name = "attempt", .key = { "id" } },
	{ .name = "input", .key = { "attempt", "role" } },
	{ .name = "checkpoint", .key = { "attempt", "step" } },
	{ .name = "output", .key = { "attempt", "role" } },
	{ .name = "metric", .key = { "attempt", "name", "nfe", "weights", "step", "eval_seed", "protocol" } },
	{ .name = "verify", .key = { "id" } },
	{ .name = "baseline", .key = { "id" } },
	{ .name = "baseline_value", .key = { "baseline", "seed" } },
	{ .name = "verdict", .key = { "id" } },
	{ .name = "paper_value", .key = { "paper", "locus", "label", "metric", "nfe" } },
	{ .name = "shard", .key = { "id" } },
	{ .name = "statement", .key = { "id" } },
	{ .name = "pruned", .key = { "attempt", "name" } },
	{ .name = "cell_note", .key = { "cell", "id" } },
};
enum { N_TABLES = sizeof tables / sizeof *tables };

/* A table with its columns, as the schema has them, and its statements. */
struct target {
	const struct table *of;
	int n;
	char *column[COLUMNS_MAX];
	enum db_type type[COLUMNS_MAX];
	char *insert, *compare, *exists;
};

/* Of all tables, in their order; kept with the connection, so that a line costs a look-up. */
struct targets {
	struct target v[N_TABLES];
};

static void add_column(void *ctx, const char *table, const char *column, const char *type, const char *doc)
{
	(void)doc;
	struct targets *all = ctx;
	for (int i = 0; column && i < N_TABLES; i++)
		if (strcmp(tables[i].name, table) == 0) {
			struct target *t = &all->v[i];
			REQUIRE(t->n < COLUMNS_MAX);
			t->column[t->n] = xstrdup(column);
			t->type[t->n++] = strcmp(type, "INTEGER") == 0 ? DB_INTEGER : strcmp(type, "REAL") == 0 ? DB_REAL : DB_TEXT;
		}
}

static bool is_key(const struct table *t, const char *column)
{
	for (int i = 0; i < 8 && t->key[i]; i++)
		if (strcmp(t->key[i], column) == 0)
			return true;
	return false;
}

/* INSERT of all columns; comparison: a NULL in the line says nothing about the row. */
static void build_sql(struct target *t)
{
	const struct table *of = t->of;
	SCOPED(str) struct str names = { 0 }, marks = { 0 }, set = { 0 }, keys = { 0 }, where = { 0 };
	t->exists = xstrfmt("SELECT count(*) FROM %s WHERE %s = ?", of->name,
	                    of->key[0]); /* for tables with a single key */
	for (int i = 0; i < 8 && of->key[i]; i++)
		str_addf(&keys, "%s%s", i ? ", " : "", of->key[i]);
	for (int i = 0; i < t->n; i++) {
		const char *c = t->column[i], *with = of->with[1];
		bool key = is_key(of, c);
		str_addf(&names, "%s%s", i ? ", " : "", c);
		str_addf(&marks, "%s?%d", i ? ", " : "", i + 1);
		str_add(&where, i ? " AND " : "");
		key ? str_addf(&where, "%s = ?%d", c, i + 1) : str_addf(&where, "(?%d IS NULL OR %s = ?%d)", i + 1, c, i + 1);
		if (!key && with && strcmp(c, of->with[0]) == 0)
			str_addf(
				&set,
				", %s = CASE WHEN excluded.%s < %s THEN excluded.%s WHEN excluded.%s = %s THEN min(%s, excluded.%s) "
				"ELSE %s END",
				c, with, with, c, with, with, c, c, c);
		else if (!key)
			str_addf(&set, "%s%s = min(coalesce(%s, excluded.%s), coalesce(excluded.%s, %s))", set.len ? ", " : "", c,
			         c, c, c, c);
	}
	t->insert = xstrfmt("INSERT INTO %s(%s) VALUES(%s) ON CONFLICT(%s) DO %s%s", of->name, str_text(&names),
	                    str_text(&marks), str_text(&keys), of->smallest ? "UPDATE SET " : "NOTHING",
	                    of->smallest ? str_text(&set) : "");
	t->compare = xstrfmt("SELECT count(*) FROM %s WHERE %s", of->name, str_text(&where));
}

static void free_targets(void *kept)
{
	struct targets *all = kept;
	for (int i = 0; i < N_TABLES; i++) {
		struct target *t = &all->v[i];
		for (int k = 0; k < t->n; k++)
			free(t->column[k]);
		free(t->insert);
		free(t->compare);
		free(t->exists);
	}
	free(all);
}

static const struct target *find_table(struct db *db, const char *name)
{
	if (!db->kept) {
		struct targets *all = xcalloc(1, sizeof *all);
		db_schema_docs(add_column, all);
		for (int i = 0; i < N_TABLES; i++) {
			all->v[i].of = &tables[i];
			build_sql(&all->v[i]);
		}
		db->kept = all;
		db->free_kept = free_targets;
	}
	const struct targets *all = db->kept;
	for (int i = 0; i < N_TABLES; i++)
		if (strcmp(tables[i].name, name) == 0)
			return &all->v[i];
	return NULL;
}

static int value_of(struct db_value *out, enum db_type want, const json_t *v, const char *column, struct err *e)
{
	*out = (struct db_value){ .type = DB_NULL };
	if (!v || json_is_null(v))
		return 0;
	out->type = want;
	if (want == DB_TEXT && json_is_string(v))
		out->s = json_string_value(v);
	else if (want == DB_INTEGER && json_is_integer(v))
		out->i = json_integer_value(v);
	else if (want != DB_REAL || !journal_number_value(&out->d, v))
		return err_code(e, EXIT_RECORD, "%s: not of the column's type", column);
	return 0;
}

/* Every key of the line must be a column: a line of a newer program, or one written by hand, is not half understood. */
static int check_keys(const struct target *t, json_t *line, struct err *e)
{
	const char *key;
	json_t *v;
	json_object_foreach(line, key, v)
	{
		bool known = strcmp(key, "t") == 0 || (strcmp(key, "v") == 0 && strcmp(t->of->name, "attempt") == 0);
		for (int i = 0; i < t->n && !known; i++)
			known = strcmp(key, t->column[i]) == 0;
		if (!known)
			return err_code(e, EXIT_RECORD, "%s.%s: no such column in this version", t->of->name, key);
	}
	if (strcmp(t->of->name, "attempt") == 0 && json_integer_value(json_object_get(line, "v")) > 1)
		return err_code(e, EXIT_RECORD, "a journal of a newer ablate: update this one");
	return 0;
}

static int conflict(const struct target *t, const struct db_value *v, struct err *e)
{
	struct str key = { 0 };
	for (int i = 0; i < t->n; i++)
		if (is_key(t->of, t->column[i])) {
			str_addf(&key, "%s%s=", key.len ? ", " : "", t->column[i]);
			v[i].type == DB_INTEGER ? str_addf(&key, "%lld", (long long)v[i].i)
									: str_addf(&key, "%.40s", v[i].s ? v[i].s : "");
		}
	(void)err_code(e, EXIT_RECORD, "%s(%s): the database has other content under this key; nothing was taken",
	               t->of->name, str_text(&key));
	str_release(&key);
	return -1;
}

/* *is_new: there was no such row. */
static int insert_row(bool *is_new, struct ingest *in, const struct target *t, const struct db_value *v, struct err *e)
{
	int64_t same;
	*is_new = false;
	if (t->of->smallest) { /* an upsert always reports "1 changed" */
		int64_t exists;
		if (db_int_of_values(&same, 0, in->db, e, t->compare, v, t->n) ||
		    db_int_of_values(&exists, 0, in->db, e, t->exists, v, 1))
			return -1;
		*is_new = !exists;
		return same ? 0 : db_exec_values(in->db, e, t->insert, v, t->n);
	}
	if (db_exec_values(in->db, e, t->insert, v, t->n))
		return e && !e->code ? err_code(e, EXIT_RECORD, "%s", e->msg) : -1;
	*is_new = db_changes(in->db) > 0;
	if (*is_new)
		return 0;
	if (db_int_of_values(&same, 0, in->db, e, t->compare, v, t->n))
		return -1;
	return same ? 0 : conflict(t, v, e);
}

/* Columns that a line may leave out: outside chains; of a journal written before there was the column. */
static const struct {
	const char *column, *text;
} defaults[] = { { "chain", "" }, { "made_of", "{}" } };
#define N_DEFAULTS (sizeof defaults / sizeof *defaults)

/* The column that follows from others: an arm's line may come after those of its cells. */
static int fill_training(struct ingest *in, const struct target *t, json_t *line, struct err *e)
{
	const char *hash = json_string_value(json_object_get(line, "hash"));
	if (strcmp(t->of->name, "cell") == 0)
		return db_exec(in->db, e,
		               "UPDATE cell SET training = " STAGE_TRAINING_SQL " WHERE hash = ? AND training IS NULL", "s",
		               hash);
	if (strcmp(t->of->name, "arm") == 0)
		return db_exec(in->db, e,
		               "UPDATE cell SET training = " STAGE_TRAINING_SQL " WHERE arm = ? AND training IS NULL", "s",
		               hash);
	return 0;
}

static int take_row(struct ingest *in, const struct target *t, json_t *line, struct err *e)
{
	struct db_value v[COLUMNS_MAX];
	if (check_keys(t, line, e))
		return -1;
	for (int i = 0; i < t->n; i++) {
		if (value_of(&v[i], t->type[i], json_object_get(line, t->column[i]), t->column[i], e))
			return err_in(e, "%s", t->of->name);
		if (v[i].type == DB_NULL && strcmp(t->column[i], "attempt") == 0 && *in->attempt && is_key(t->of, "attempt"))
			v[i] = (struct db_value){ .type = DB_TEXT, .s = in->attempt };
		for (size_t d = 0; d < N_DEFAULTS && v[i].type == DB_NULL; d++)
			if (strcmp(t->column[i], defaults[d].column) == 0)
				v[i] = (struct db_value){ .type = DB_TEXT, .s = defaults[d].text };
		if (strcmp(t->column[i], "training") == 0)
			v[i].type = DB_NULL; /* computed here, whatever program wrote the line */
	}
	bool is_new;
	if (insert_row(&is_new, in, t, v, e))
		return -1;
	in->rows += is_new;
	return is_new ? fill_training(in, t, line, e) : 0;
}

/* --- lines with rules of their own --- */

static int take_attempt(struct ingest *in, const struct target *t, json_t *line, struct err *e)
{
	const char *id = json_string_value(json_object_get(line, "id"));
	if (!id || strlen(id) >= sizeof in->attempt)
		return err_code(e, EXIT_RECORD, "attempt: no id");
	memcpy(in->attempt, id, strlen(id) + 1);
	/* a line without a state is a beginning; what has happened to the attempt since is not a conflict */
	json_t *state = json_object_get(line, "state");
	bool begins = !state;
	int64_t known = 0;
	if (begins && db_int_of(&known, 0, in->db, e, "SELECT count(*) FROM attempt WHERE id = ?", "s", id))
		return -1;
	json_t *row = json_copy(line);
	if (!json_object_get(row, "purpose"))
		(void)json_object_set_new(row, "purpose", json_string("run"));
	if (begins && known) {
		(void)json_object_del(row, "heartbeat");
		(void)json_object_del(row, "heartbeat_boot_s");
	} else if (begins)
		(void)json_object_set_new(row, "state", json_string(record_state_name(RECORD_RUNNING)));
	int rc;
	if (begins && known) {
		struct db_value v[COLUMNS_MAX];
		int64_t same;
		rc = check_keys(t, row, e);
		for (int i = 0; i < t->n && !rc; i++)
			rc = value_of(&v[i], t->type[i], json_object_get(row, t->column[i]), t->column[i], e);
		if (!rc && !(rc = db_int_of_values(&same, 0, in->db, e, t->compare, v, t->n)) && !same)
			rc = conflict(t, v, e);
	} else
		rc = take_row(in, t, row, e);
	json_decref(row);
	return rc;
}

static int take_beat(struct ingest *in, json_t *line, struct err *e)
{
	const char *at = json_string_value(json_object_get(line, "at"));
	json_t *boot = json_object_get(line, "boot_s"), *step = json_object_get(line, "step");
	json_t *resumed = json_object_get(line, "resumed_step");
	if (json_is_integer(resumed) &&
	    db_exec(in->db, e, "UPDATE attempt SET resumed_step = ? WHERE id = ? AND state = 'running'", "is",
	            (int64_t)json_integer_value(resumed), in->attempt))
		return -1;
	if (!at || !json_is_number(boot) || !json_is_integer(step))
		return err_code(e, EXIT_RECORD, "beat: needs at, boot_s and step");
	return db_exec(
		in->db, e,
		"UPDATE attempt SET heartbeat = ?, heartbeat_boot_s = ?, step = ? WHERE id = ? AND state = 'running'", "sdis",
		at, json_number_value(boot), (int64_t)json_integer_value(step), in->attempt);
}

/* The columns that an end sets. heartbeat is set to the end, too. */
static int take_end(struct ingest *in, const struct target *t, json_t *line, struct err *e)
{
	static const char *const allowed[] = { "t",      "attempt",          "state",     "reason",
		                                   "ended",  "heartbeat_boot_s", "exit_code", "signal",
		                                   "step",   "resumed_step",     "wall_s",    "cpu_s",
		                                   "max_rss" };
	const char *key, *id = json_string_value(json_object_get(line, "attempt"));
	json_t *v;
	struct str set = { 0 }, same = { 0 };
	if (!id)
		id = in->attempt;
	struct db_value values[COLUMNS_MAX];
	int n = 0, rc = 0;
	json_object_foreach(line, key, v)
	{
		bool known = false;
		for (size_t i = 0; i < sizeof allowed / sizeof *allowed && !known; i++)
			known = strcmp(key, allowed[i]) == 0;
		if (!known) {
			rc = err_code(e, EXIT_RECORD, "end.%s: no such column in this version", key);
			break;
		}
		for (int i = 0; i < t->n && !rc; i++)
			if (strcmp(key, t->column[i]) == 0) {
				rc = value_of(&values[n++], t->type[i], v, key, e);
				str_addf(&set, "%s%s = ?%d", set.len ? ", " : "", key, n);
				str_addf(&same, " AND %s IS ?%d", key, n);
				if (strcmp(key, "ended") == 0)
					str_addf(&set, ", heartbeat = ?%d", n);
			}
	}
	if (!rc && (!json_is_string(json_object_get(line, "ended")) || !json_is_string(json_object_get(line, "state"))))
		rc = err_code(e, EXIT_RECORD, "end: needs state and ended");
	if (!rc) {
		values[n++] = (struct db_value){ .type = DB_TEXT, .s = id };
		SCOPED(free)
		char *update = xstrfmt("UPDATE attempt SET %s WHERE id = ?%d AND state = 'running'", str_text(&set), n);
		SCOPED(free) char *check = xstrfmt("SELECT count(*) FROM attempt WHERE id = ?%d%s", n, str_text(&same));
		int64_t matches = 1, known = 1;
		if (!(rc = db_exec_values(in->db, e, update, values, n)) && !db_changes(in->db))
			rc = db_int_of_values(&matches, 0, in->db, e, check, values, n) ||
			             db_int_of(&known, 0, in->db, e, "SELECT count(*) FROM attempt WHERE id = ?", "s", id)
			         ? -1
			         : 0;
		in->absent = !rc && !known;
		if (!rc && !matches)
			rc = !known ? err_code(e, EXIT_RECORD, "attempt %s: is not in the database", id)
			            : err_code(e, EXIT_RECORD, "attempt %s: the database has another end; nothing was taken", id);
	}
	str_release(&set);
	str_release(&same);
	return rc;
}

static int take_curve(struct ingest *in, json_t *line, struct err *e)
{
	json_t *step = json_object_get(line, "step"), *values = json_object_get(line, "values"), *v;
	const char *name;
	if (!json_is_integer(step) || !json_is_object(values) || json_object_size(line) != 3)
		return err_code(e, EXIT_RECORD, "curve: needs step and values");
	int64_t at = json_integer_value(step), same;
	json_object_foreach(values, name, v)
	{
		double x;
		if (!journal_number_value(&x, v))
			return err_code(e, EXIT_RECORD, "curve %s: not a number", name);
		if (db_exec(in->db, e, "INSERT INTO curve VALUES(?, ?, ?, ?) ON CONFLICT DO NOTHING", "ssid", in->attempt, name,
		            at, x))
			return -1;
		if (db_changes(in->db)) {
			in->rows++;
			continue;
		}
		if (db_int_of(&same, 0, in->db, e,
		              "SELECT count(*) FROM curve WHERE attempt = ? AND name = ? AND step = ? AND value IS ?", "ssid",
		              in->attempt, name, at, x))
			return -1;
		if (!same)
			return err_code(e, EXIT_RECORD, "curve %s, step %lld: the database has another value; nothing was taken",
			                name, (long long)at);
	}
	return 0;
}

/* The decimal form is for people, the exact one is what was computed: both must say the same. */
static int take_metric(struct ingest *in, const struct target *t, json_t *line, struct err *e)
{
	const char *hex = json_string_value(json_object_get(line, "hex"));
	double x, shown = NAN, lo, hi;
	json_t *value = json_object_get(line, "value");
	if (!number_of_hex(&x, hex))
		return err_code(e, EXIT_RECORD, "metric: no hex value");
	bool given = value && !json_is_null(value);
	if ((given && !journal_number_value(&shown, value)) || (!given && isfinite(x)) ||
	    (given && shown != x && !(isnan(shown) && isnan(x))))
		return err_code(e, EXIT_RECORD, "metric: value and hex are not the same number");
	if (journal_number_value(&lo, json_object_get(line, "lo")) &&
	    journal_number_value(&hi, json_object_get(line, "hi")) && lo > hi)
		return err_code(e, EXIT_RECORD, "metric: lo is above hi");
	json_t *row = json_copy(line);
	(void)json_object_set_new(row, "value", isnan(x) ? json_null() : journal_number(x));
	int rc = take_row(in, t, row, e);
	json_decref(row);
	return rc;
}

int ingest_line(void *ctx, const char *type, json_t *line, struct err *e)
{
	struct ingest *in = ctx;
	in->lines++;
	if (strcmp(type, "note") == 0) {
		const char *text = json_string_value(json_object_get(line, "text"));
		if (in->listener && text)
			in->listener->hear(in->listener->ctx, in->attempt, text);
		return 0;
	}
	const struct target *attempt = find_table(in->db, "attempt"), *t = find_table(in->db, type);
	bool needs_attempt = !t || strcmp(type, "metric") == 0;
	if (needs_attempt && !*in->attempt && !json_object_get(line, "attempt"))
		return err_code(e, EXIT_RECORD,
		                t || strcmp(type, "curve") == 0 || strcmp(type, "beat") == 0 || strcmp(type, "end") == 0
		                    ? "%s: stands before any attempt"
		                    : "'%s': no such kind of line in this version",
		                type);
	if (strcmp(type, "curve") == 0)
		return take_curve(in, line, e);
	if (strcmp(type, "beat") == 0)
		return take_beat(in, line, e);
	if (strcmp(type, "end") == 0)
		return take_end(in, attempt, line, e);
	if (strcmp(type, "attempt") == 0)
		return take_attempt(in, attempt, line, e);
	if (strcmp(type, "metric") == 0)
		return take_metric(in, t, line, e);
	if (!t)
		return err_code(e, EXIT_RECORD, "'%s': no such kind of line in this version", type);
	return take_row(in, t, line, e);
}

int ingest_file(struct ingest *in, struct journal_scan *scan, const char *path, struct err *e)
{
	bool was_sealed = scan->sealed;
	int64_t same = 1;
	if (journal_scan_file(scan, path, ingest_line, in, e))
		return -1;
	if (!scan->sealed || was_sealed || !*in->attempt)
		return 0;
	if (db_exec(in->db, e, "UPDATE attempt SET journal = ? WHERE id = ? AND journal IS NULL", "ss", scan->sha256,
	            in->attempt) ||
	    (!db_changes(in->db) && db_int_of(&same, 1, in->db, e, "SELECT journal = ? FROM attempt WHERE id = ?", "ss",
	                                      scan->sha256, in->attempt)))
		return -1;
	return same ? 0
	            : err_code(e, EXIT_RECORD, "%s: attempt %s is known with another seal; nothing was taken", path,
	                       in->attempt);
}
