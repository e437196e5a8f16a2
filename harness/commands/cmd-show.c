/* cmd-show.c - `ablate show`: everything known about a cell or an attempt. */
#define _GNU_SOURCE
#include "harness/attest/statement.h"
#include "harness/cli/cmd.h"
#include "harness/text/escape.h"
#include "harness/record/journal.h"
#include "harness/text/json_out.h"
#include "harness/record/query_show.h"
#include "harness/record/query_study.h"
#include "harness/record/record_find.h"
#include "harness/record/store.h"
#include "harness/record/provenance.h"

#include "model/base/io.h"

#include <stdio.h>
#include <string.h>

/* Rows of a query as an array of objects; NULLs are left out. */
static json_t *rows_of(struct db *db, const struct show_part *part, const struct record *r, struct err *e)
{
	struct db_rows rows;
	if (query_show(&rows, db, part, r, e))
		return NULL;
	json_t *list = json_array();
	while (db_next(&rows)) {
		json_t *o = json_object();
		for (int i = 0; i < db_columns(&rows); i++) {
			enum db_type t = db_column_type(&rows, i);
			if (t != DB_NULL)
				(void)json_object_set_new(o, db_column_name(&rows, i),
				                          t == DB_INTEGER ? json_integer(db_int(&rows, i))
				                          : t == DB_REAL  ? journal_number(db_real(&rows, i))
				                                          : json_string(db_text(&rows, i)));
		}
		(void)json_array_append_new(list, o);
	}
	if (db_done(&rows, e)) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* A list of one row whose only column is JSON text becomes that object. */
static json_t *unpack(json_t *list, const char *column)
{
	const char *text = json_string_value(json_object_get(json_array_get(list, 0), column));
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;
	json_decref(list);
	return o ? o : json_null();
}

static json_t *collect(struct db *db, const struct record *r, const char *runs, struct err *e)
{
	json_t *all = json_object();
	int n;
	const struct show_part *parts = query_show_parts(&n);
	for (int i = 0; i < n; i++) {
		const struct show_part *part = &parts[i];
		if (!part->of_cell && !*r->attempt)
			continue;
		json_t *list = rows_of(db, part, r, e);
		if (!list) {
			json_decref(all);
			return NULL;
		}
		if (part->json)
			list = unpack(list, part->json);
		else if (part->one) {
			json_t *one = json_incref(json_array_get(list, 0));
			json_decref(list);
			list = one;
		}
		(void)json_object_set_new(all, part->key, list);
	}
	SCOPED(differing) struct differing_list differing = { 0 };
	if (differing_of_cell(&differing, db, r->cell, e)) {
		json_decref(all);
		return NULL;
	}
	(void)json_object_set_new(all, "differing", differing_json(&differing));
	if (*r->attempt) {
		json_t *statements;
		if (query_check_scores(db, r->attempt, e) || statement_list(&statements, NULL, NULL, db, r->attempt, e)) {
			json_decref(all);
			return NULL;
		}
		(void)json_object_set_new(all, "statements", statements);
		SCOPED(free) char *folder = store_dir_of(runs, r->cell, r->attempt);
		if (io_is_dir(folder))
			(void)json_object_set_new(all, "folder", json_out_text(folder));
	}
	return all;
}

static void print_value(const json_t *v)
{
	SCOPED(str) struct str text = { 0 };
	char buf[32];
	if (json_is_string(v))
		escape_plain(&text, json_string_value(v));
	else if (json_is_real(v))
		str_add(&text, str_double(buf, json_real_value(v)));
	else if (json_record(&text, v, JSON_COMPACT | JSON_ENCODE_ANY))
		BUG("a value that has no text");
	printf("%s", str_text(&text));
}

static void print_object(json_t *o, const char *indent)
{
	const char *key;
	json_t *v;
	json_object_foreach(o, key, v)
	{
		printf("%s%-18s ", indent, key);
		print_value(v);
		printf("\n");
	}
}

static void print_list(json_t *list)
{
	size_t i;
	json_t *o, *v;
	const char *key;
	json_array_foreach(list, i, o)
	{
		printf(" ");
		json_object_foreach(o, key, v)
		{
			printf(" %s=", key);
			print_value(v);
		}
		printf("\n");
	}
}

static void print_text(json_t *all)
{
	const char *key;
	json_t *v;
	json_object_foreach(all, key, v)
	{
		if (json_is_array(v) && json_array_size(v) == 0)
			continue;
		if (json_is_string(v)) {
			printf("%s: ", key);
			print_value(v);
			printf("\n");
			continue;
		}
		printf("%s\n", key);
		if (json_is_object(v))
			print_object(v, "  ");
		else
			print_list(v);
	}
}

/* --- what there is to show --- */

enum { SHORT_CELL = 12, SHORT_ATTEMPT = 8 };

static json_t *shown_json(const struct shown_cell *s)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:s*}", "cell", s->cell, "labels", s->labels, "seed", (json_int_t)s->seed,
	                 "state", s->state, "attempt", s->attempt);
}

static void print_shown(const struct shown_cell *s)
{
	SCOPED(str) struct str labels = { 0 };
	escape_plain(&labels, s->labels);
	printf("%-*.*s  %-*.*s  %-9s %5lld  %s\n", SHORT_CELL, SHORT_CELL, s->cell, SHORT_ATTEMPT, SHORT_ATTEMPT,
	       s->attempt ? s->attempt : "-", s->state, (long long)s->seed, str_text(&labels));
}

static int show_list(const struct cli *c, struct db *db)
{
	struct err e = ERR_INIT;
	struct db_rows rows;
	struct shown_cell s;
	if (query_shown_cells(&rows, db, &e))
		return cli_fail(c, &e);
	json_t *list = json_array();
	if (!c->json)
		printf("%-*s  %-*s  %-9s %5s  %s\n", SHORT_CELL, "cell", SHORT_ATTEMPT, "attempt", "state", "seed", "labels");
	while (query_shown_cell_next(&s, &rows)) {
		if (c->json)
			(void)json_array_append_new(list, shown_json(&s));
		else
			print_shown(&s);
	}
	if (db_done(&rows, &e)) {
		json_decref(list);
		return cli_fail(c, &e);
	}
	if (c->json)
		return cli_print_json(c, json_pack("{s:o}", "cells", list));
	json_decref(list);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct record r;
	SCOPED(store) struct store s = STORE_INIT;
	if (store_open(&s, c->db, STORE_READ, "ablate show", &e))
		return cli_fail(c, &e);
	if (!c->n_args)
		return show_list(c, s.db);
	if (record_find(&r, s.db, c->args[0], &e))
		return cli_fail(c, &e);
	json_t *all = collect(s.db, &r, s.runs, &e);
	if (!all)
		return cli_fail(c, &e);
	if (c->json)
		return cli_print_json(c, all);
	print_text(all);
	json_decref(all);
	return EXIT_OK;
}

static const struct json_key environment_keys[] = {
	{ "", .of = provenance_keys },
	JSON_KEY("host", "string", "the machine", .absent = "with --no-identity"),
	JSON_KEY("threads", "integer", "threads of each process", .absent = "where they were not fixed"),
	JSON_KEY("ranks", "integer", "processes that trained together", .absent = "where it was one",
	         .unseen = "MPI (tests/e2e/ranks.sh)"),
	JSON_KEY("microbatch", "integer", "samples at once", .absent = "where a batch was not cut"),
	JSON_KEY("device", "string", "cpu, or cuda:N"),
	JSON_KEY("ema", "number[]", "decays of the averages that were kept", .absent = "where it was one"),
	JSON_KEY("fs", "string", "file system of the records"),
	JSON_KEY("device_facts", "object", "what the device is", .absent = "on the CPU"),
	JSON_KEY("device_facts.*", "any", "the fact of that name"),
	{ 0 },
};

static const struct json_key json_keys[] = {
	JSON_KEY("cell", "object", "the cell"),
	JSON_KEY("cell.*", "any", "the column of that name of table cell (`ablate schema`); absent where it is NULL"),
	JSON_KEY("labels", "object[]", "what grids call it"),
	JSON_KEY("labels[].grid", "string", "the grid's name"),
	JSON_KEY("labels[].chain", "string", "the chain; empty without one"),
	JSON_KEY("labels[].label", "string", "the label"),
	JSON_KEY("tags", "object[]", "its tags"),
	JSON_KEY("tags[].tag", "string", "the tag"),
	JSON_KEY("tags[].created", "string", "since when: UTC, ISO 8601"),
	JSON_KEY("notes", "object[]", "its notes, oldest first"),
	JSON_KEY("notes[].created", "string", "when: UTC, ISO 8601"),
	JSON_KEY("notes[].who", "string", "who said it", .absent = "without --identity"),
	JSON_KEY("notes[].text", "string", "the note"),
	JSON_KEY("config", "object?", "its settings (`ablate explain`); null where they are not known"),
	JSON_KEY("config.*", "any", "the value of that setting"),
	JSON_KEY("training_shared_with", "object[]", "cells with the same training"),
	JSON_KEY("training_shared_with[].cell", "string", "its hash"),
	JSON_KEY("training_shared_with[].label", "string", "what it is called", .absent = "where no grid names it"),
	JSON_KEY("training_taken_from", "object[]", "the cell whose training it went on from; none where it trained itself",
	         .absent = "where the cell has no attempt"),
	JSON_KEY("training_taken_from[].attempt", "string", "the attempt"),
	JSON_KEY("training_taken_from[].cell", "string", "its cell, by its hash"),
	JSON_KEY("training_taken_from[].label", "string", "what that is called", .absent = "where no grid names it"),
	JSON_KEY("training_taken_from[].step", "integer", "the training step"),
	JSON_KEY("attempts", "object[]", "every attempt at the cell"),
	JSON_KEY("attempts[].id", "string", "its id"),
	JSON_KEY("attempts[].n", "integer", "its number, from 1"),
	JSON_KEY("attempts[].purpose", "string", "run or verify"),
	JSON_KEY("attempts[].state", "string",
	         "running, done, failed, timeout, killed, lost, diverged, blocked or stopped"),
	JSON_KEY("attempts[].reason", "string", "why it is in this state", .absent = "of running and done ones"),
	JSON_KEY("attempts[].started", "string", "UTC, ISO 8601"),
	JSON_KEY("attempts[].ended", "string", "UTC, ISO 8601", .absent = "where it has not ended, or without a word"),
	JSON_KEY("attempts[].step", "integer", "training steps done", .absent = "where none is known"),
	JSON_KEY("attempts[].resumed_from", "string", "the attempt whose checkpoint it began with",
	         .absent = "where it began anew"),
	JSON_KEY("attempt", "object", "the attempt that is asked for, or the one that speaks for the cell",
	         .absent = "where the cell has no attempt"),
	JSON_KEY("attempt.*", "any", "the column of that name of table attempt (`ablate schema`); absent where it is NULL"),
	JSON_KEY("metrics", "object[]", "its scores", .absent = "where the cell has no attempt"),
	JSON_KEY("metrics[].name", "string", "the metric"),
	JSON_KEY("metrics[].nfe", "integer", "sampling steps"),
	JSON_KEY("metrics[].weights", "string", "ema or raw"),
	JSON_KEY("metrics[].step", "integer", "training step"),
	JSON_KEY("metrics[].eval_seed", "integer", "seed of sampling"),
	JSON_KEY("metrics[].value", "any", "the score; as text where it is not finite"),
	JSON_KEY("metrics[].hex", "string", "the same as a hexadecimal floating-point number, bit for bit"),
	JSON_KEY("metrics[].lo", "number", "lower end of its interval", .absent = "without one"),
	JSON_KEY("metrics[].hi", "number", "upper end of its interval", .absent = "without one"),
	JSON_KEY("metrics[].n", "integer", "images that it is of", .unit = "images", .absent = "where that is not known"),
	JSON_KEY("metrics[].protocol", "string", "all that a comparable value has to share"),
	JSON_KEY("metrics[].computed_by", "string", "what computed it instead of the CPU", .absent = "for the CPU",
	         .unseen = "a GPU"),
	JSON_KEY("curves", "object[]", "its curves", .absent = "where the cell has no attempt"),
	JSON_KEY("curves[].name", "string", "loss, grad_norm, ..."),
	JSON_KEY("curves[].points", "integer", "points"),
	JSON_KEY("curves[].first", "integer", "the first training step"),
	JSON_KEY("curves[].last", "integer", "the last training step"),
	JSON_KEY("inputs", "object[]", "what it read", .absent = "where the cell has no attempt"),
	JSON_KEY("inputs[].role", "string", "dataset, init, teacher, ..."),
	JSON_KEY("inputs[].kind", "string", "what kind of thing it is"),
	JSON_KEY("inputs[].name", "string", "its name"),
	JSON_KEY("inputs[].hash", "string", "SHA-256 of its content"),
	JSON_KEY("checkpoints", "object[]", "its checkpoints", .absent = "where the cell has no attempt"),
	JSON_KEY("checkpoints[].step", "integer", "the training step"),
	JSON_KEY("checkpoints[].name", "string", "the file, below folder"),
	JSON_KEY("checkpoints[].hash", "string", "SHA-256 of it"),
	JSON_KEY("outputs", "object[]", "other files that it wrote", .absent = "where the cell has no attempt"),
	JSON_KEY("outputs[].role", "string", "what it is"),
	JSON_KEY("outputs[].name", "string", "the file, below folder"),
	JSON_KEY("outputs[].hash", "string", "SHA-256 of it"),
	JSON_KEY("pruned", "object[]", "files that `ablate prune` removed", .absent = "where the cell has no attempt"),
	JSON_KEY("pruned[].name", "string", "the file"),
	JSON_KEY("pruned[].bytes", "integer", "its size", .unit = "bytes"),
	JSON_KEY("pruned[].created", "string", "when: UTC, ISO 8601"),
	JSON_KEY("environment", "object?", "what it ran on; null where that is not known",
	         .absent = "where the cell has no attempt", .of = environment_keys),
	JSON_KEY("verified", "object[]", "its repetitions (`ablate verify`)", .absent = "where the cell has no attempt"),
	JSON_KEY("verified[].id", "string", "id of the comparison"),
	JSON_KEY("verified[].repetition", "string", "the attempt that repeats it"),
	JSON_KEY("verified[].equal", "integer", "1: every bit is equal; 0: not"),
	JSON_KEY("verified[].n", "integer", "values that were compared"),
	JSON_KEY("verified[].first_diff_step", "integer", "the first training step that differs",
	         .absent = "where none does"),
	JSON_KEY("verified[].first_diff", "string", "the first value that differs", .absent = "where none does"),
	JSON_KEY("verified[].created", "string", "when: UTC, ISO 8601"),
	JSON_KEY("differing", "object[]", "other done attempts of the cell with other bits", .of = differing_keys),
	JSON_KEY("statements", "object[]", "signed statements about the attempt", .absent = "where the cell has no attempt",
	         .of = statement_keys),
	JSON_KEY("folder", "string", "its folder", .absent = "where that is not here"),
	{ 0 },
};

static const struct json_key cells_keys[] = {
	JSON_KEY("cells", "object[]", "every cell of the database"),
	JSON_KEY("cells[].cell", "string", "its hash"),
	JSON_KEY("cells[].labels", "string", "what grids call it"),
	JSON_KEY("cells[].seed", "integer", "its training seed"),
	JSON_KEY("cells[].state", "string", "its state, as of `ablate status`"),
	JSON_KEY("cells[].attempt", "string", "the attempt that speaks for it", .absent = "where it has none"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("of CELL or ATTEMPT", json_keys),
	JSON_FORM("without an argument", cells_keys),
	{ 0 },
};

const struct cmd cmd_show = {
	.name = "show",
	.args = "[CELL|ATTEMPT]",
	.summary = "show everything known about a cell or an attempt",
	.help =
		"Without an argument: every cell in the database with the ids to ask for it, shortened; --json has them in "
		"full.\n\n"
		"The first 4 digits of a hash or id are enough. A cell is shown with the attempt used for it: configuration, "
		"labels, attempts, scores, what was read and written, the environment, and whose signed statements there are "
		"about it, each with what its check found (`ablate attest`). `differing`: other done attempts of the cell "
		"whose bits are not those of the one that speaks for it, and why (`ablate merge --help` has the rule).",
	.json = json,
	.run = run,
};
