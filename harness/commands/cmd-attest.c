/* cmd-attest.c - `ablate attest`: signed statements about attempts: made, checked, taken along and taken in. */
#define _GNU_SOURCE
#include "harness/attest/statement.h"
#include "harness/cli/cmd.h"
#include "harness/record/query.h"
#include "harness/record/record_find.h"
#include "harness/text/escape.h"

#include "model/base/io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "all", .kind = OPT_FLAG, .help = "every sealed attempt of the database" },
	{ .name = "check", .kind = OPT_FLAG, .help = "sign nothing: check the statements that there are" },
	{ .name = "export",
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "write the valid statements to a file, an envelope per line" },
	{ .name = "import", .kind = OPT_STRING, .arg = "FILE", .help = "take in the statements of such a file" },
	{ 0 },
};

struct id {
	char text[64];
};
struct ids {
	struct id *v;
	int n, cap;
};

static void add_id(struct ids *l, const char *id)
{
	struct id one;
	(void)snprintf(one.text, sizeof one.text, "%s", id);
	VEC_PUSH(l->v, l->n, l->cap) = one;
}

/* The attempts that are meant; those of the whole database with --all. */
static int find_ids(struct ids *l, const struct cli *c, struct db *db, struct err *e)
{
	struct db_rows rows;
	const char *id;
	for (int i = 0; i < c->n_args; i++) {
		struct record r;
		if (record_find(&r, db, c->args[i], e))
			return -1;
		if (!*r.attempt)
			return err_code(e, EXIT_USAGE, "%s: a cell without an attempt", c->args[i]);
		add_id(l, r.attempt);
	}
	if (!cli_flag(c, "all"))
		return 0;
	if (query_sealed(&rows, db, e))
		return -1;
	while (query_text_next(&id, &rows))
		add_id(l, id);
	return db_done(&rows, e);
}

static int sign(struct cli *c, struct store *s, const struct ids *l, struct err *e)
{
	SCOPED(signing_key) struct signing_key *k = NULL;
	int n = 0;
	if (signing_key_find(&k, e))
		return cli_fail(c, e);
	if (!k)
		return cli_usage(c, "no signing key: `ablate key new` makes one");
	for (int i = 0; i < l->n; i++) {
		bool made;
		if (statement_seal(&made, s, k, l->v[i].text, e))
			return cli_fail(c, e);
		n += made;
	}
	if (c->json)
		return cli_print_json(c, json_pack("{s:i, s:i, s:s}", "signed", n, "known", l->n - n, "key", k->id));
	printf("%d signed by key %.12s, %d had been already\n", n, k->id, l->n - n);
	return EXIT_OK;
}

static void print_one(json_t *o)
{
	SCOPED(str) struct str line = { 0 };
	SCOPED(str) struct str shown = { 0 };
	const char *name = json_string_value(json_object_get(o, "name")),
			   *why = json_string_value(json_object_get(o, "why"));
	str_addf(&line, "%s  attempt %.8s  key %.12s", json_string_value(json_object_get(o, "state")),
	         json_string_value(json_object_get(o, "attempt")), json_string_value(json_object_get(o, "key")));
	if (name)
		str_addf(&line, " (%s)", name);
	str_addf(&line, "%s  %s%s%s", json_is_true(json_object_get(o, "own")) ? ", yours" : "",
	         json_string_value(json_object_get(o, "says")), why ? ": " : "", why ? why : "");
	escape_plain(&shown, str_text(&line)); /* a stranger wrote some of it */
	printf("%s\n", str_text(&shown));
}

static int check(struct cli *c, struct store *s, const struct ids *l, struct err *e)
{
	json_t *all = json_array();
	int valid = 0, n = 0;
	bool every = cli_flag(c, "all") || !c->n_args;
	for (int i = 0; i < (every ? 1 : l->n); i++) {
		json_t *list;
		int good, there;
		if (statement_list(&list, &good, &there, s->db, every ? NULL : l->v[i].text, e)) {
			json_decref(all);
			return cli_fail(c, e);
		}
		(void)json_array_extend(all, list);
		json_decref(list);
		valid += good;
		n += there;
	}
	if (!c->json) {
		size_t i;
		json_t *o;
		json_array_foreach(all, i, o) print_one(o);
		printf("%d valid, %d not\n", valid, n - valid);
		json_decref(all);
	} else
		(void)cli_print_json(c, json_pack("{s:i, s:i, s:o}", "valid", valid, "invalid", n - valid, "statements", all));
	return valid == n ? EXIT_OK : EXIT_RECORD;
}

static int export_to(struct cli *c, struct store *s, const struct ids *l, const char *path, struct err *e)
{
	struct db_rows rows;
	struct statement_row r;
	SCOPED(str) struct str text = { 0 };
	int n = 0, rc = 0;
	if (query_statements(&rows, s->db, NULL, e))
		return cli_fail(c, e);
	while (!rc && query_statement_next(&r, &rows)) {
		struct statement_check found;
		bool wanted = !c->n_args;
		for (int i = 0; i < l->n && !wanted; i++)
			wanted = strcmp(l->v[i].text, r.attempt) == 0;
		if (!wanted || (rc = statement_check(&found, s->db, &r, e)) || found.state != STATEMENT_VALID)
			continue;
		str_addf(&text, "%s\n", r.envelope);
		n++;
	}
	if (db_done(&rows, rc ? NULL : e) || rc || io_write_atomic(path, text.data, text.len, e))
		return cli_fail(c, e);
	if (c->json)
		return cli_print_json(c, json_pack("{s:s, s:i}", "file", path, "statements", n));
	printf("%d statement%s to %s\n", n, str_plural(n), path);
	return EXIT_OK;
}

static int import_from(struct cli *c, struct store *s, const char *path, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	int n = 0, line = 0, lines = 0;
	if (io_read(&text, path, (size_t)1 << 30, e))
		return cli_fail(c, e);
	for (char *p = text.data, *end = p + text.len, *nl; p && p < end; p = nl + 1) {
		bool made;
		line++;
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl : end;
		if (nl == p)
			continue;
		lines++;
		if (statement_import(&made, s, p, (size_t)(nl - p), e)) {
			(void)err_in(e, "%s:%d", path, line);
			return cli_fail(c, e);
		}
		n += made;
	}
	if (c->json)
		return cli_print_json(c, json_pack("{s:s, s:i, s:i}", "file", path, "taken", n, "known", lines - n));
	printf("%d statement%s taken in, %d known\n", n, str_plural(n), lines - n);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct ids l = { 0 };
	SCOPED(store) struct store s = STORE_INIT;
	const char *to = cli_string(c, "export", NULL), *from = cli_string(c, "import", NULL);
	bool only_look = cli_flag(c, "check") || to;
	if (!!cli_flag(c, "check") + !!to + !!from > 1)
		return cli_usage(c, "give only one of --check, --export and --import");
	if (from && (c->n_args || cli_flag(c, "all")))
		return cli_usage(c, "--import takes all of its file");
	if (!c->n_args && !cli_flag(c, "all") && !only_look && !from)
		return cli_usage(c, "give attempts or cells, or --all");
	if (store_open(&s, c->db, only_look ? STORE_READ : STORE_WRITE, "ablate attest", &e) || find_ids(&l, c, s.db, &e)) {
		free(l.v);
		return cli_fail(c, &e);
	}
	int code = cli_flag(c, "check") ? check(c, &s, &l, &e)
	           : to                 ? export_to(c, &s, &l, to, &e)
	           : from               ? import_from(c, &s, from, &e)
	                                : sign(c, &s, &l, &e);
	free(l.v);
	return code;
}

static const struct json_key signed_keys[] = {
	JSON_KEY("signed", "integer", "attempts that were signed now"),
	JSON_KEY("known", "integer", "attempts that had been already"),
	JSON_KEY("key", "string", "id of the key"),
	{ 0 },
};

static const struct json_key check_keys[] = {
	JSON_KEY("valid", "integer", "statements that are valid"),
	JSON_KEY("invalid", "integer", "statements that are not"),
	JSON_KEY("statements", "object[]", "all of them", .of = statement_keys),
	{ 0 },
};

static const struct json_key export_keys[] = {
	JSON_KEY("file", "string", "the file that was written"),
	JSON_KEY("statements", "integer", "statements in it"),
	{ 0 },
};

static const struct json_key import_keys[] = {
	JSON_KEY("file", "string", "the file that was read"),
	JSON_KEY("taken", "integer", "statements that were new"),
	JSON_KEY("known", "integer", "statements that were here already"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("without --check, --export and --import", signed_keys),
	JSON_FORM("with --check", check_keys),
	JSON_FORM("with --export", export_keys),
	JSON_FORM("with --import", import_keys),
	{ 0 },
};

const struct cmd cmd_attest = {
	.name = "attest",
	.args = "[ATTEMPT|CELL]...",
	.summary = "sign what is recorded of attempts, and check what others signed",
	.help =
		"A statement says, with its signer's key (`ablate key`), which seal an attempt's journal has and what it "
		"scored. `ablate run` makes one of each attempt where there is a key, `ablate verify --attest` one of each "
		"repetition, this command one of attempts that have none yet. `ablate show` lists them.\n\n"
		"--check says of each whether it is valid: signed by the key that it names, about the seal that is recorded, "
		"and the record agrees with it; exit code 5 if one is not. Whose key it is, its id tells, not its name.\n\n"
		"Statements travel with the records (`ablate merge`), or by themselves: in-toto statements in DSSE envelopes, "
		"one per line, which other programs read. --import takes what is valid here and stops at the first line that "
		"is not.",
	.options = options,
	.json = json,
	.run = run,
};
