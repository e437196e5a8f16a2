/* json_check.c - is what a command printed what its keys say?
 *     json_check FILE SEEN WORDS...    FILE has the stdout of `ablate WORDS...`: each object of it is held against the
 *                                      JSON Schema of that command; the keys that are in it are appended to SEEN, a
 *                                      line each, unless that is "-"
 *     json_check --unseen SEEN         every documented key is in SEEN, or its row says why it cannot be
 * What is wrong is said on stdout, and the exit code is 1. */
#include "harness/commands/commands.h"

#include "model/base/io.h"
#include "tests/common/json_against.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a command printed ------------------------------------------------------------------------------------- */

static void keep_seen(const char *seen, const char *command, size_t form, const char *keys)
{
	FILE *f = strcmp(seen, "-") == 0 ? NULL : fopen(seen, "ae");
	for (const char *at = keys; f && *at; at += strcspn(at, "\n") + 1)
		(void)fprintf(f, "%s %zu %.*s\n", command, form, (int)strcspn(at, "\n"), at);
	if (f)
		(void)fclose(f);
}

/* The form that fits, or the one with the fewest faults. */
static int check_one(const json_t *v, const struct cmd *cmd, const char *seen)
{
	static const struct json_form none[] = { { 0 } };
	json_t *schema = json_keys_schema(cmd && cmd->json ? cmd->json : none);
	struct json_found best;
	size_t which = json_against(&best, schema, v);
	const char *name = cmd ? cmd->name : "-";
	if (best.n_wrong)
		printf("ablate %s --json is not as its keys say (form %zu):\n%s", name, which + 1, str_text(&best.wrong));
	else
		keep_seen(seen, name, which, str_text(&best.keys));
	int wrong = best.n_wrong;
	json_found_release(&best);
	json_decref(schema);
	return wrong;
}

static int check_file(const char *file, const char *seen, int argc, char **argv)
{
	struct cli c;
	struct err e = ERR_INIT;
	SCOPED(str) struct str text = { 0 };
	int wrong = 0;
	bool parsed = cli_parse(&c, &commands, argc, argv, &e) == 0;
	const struct cmd *cmd = c.version ? cmds_find(&commands, "version") : c.cmd;
	bool asked = c.json && !c.help;
	cli_release(&c);
	if (!asked)
		return 0;
	if (io_read(&text, file, (size_t)1 << 30, &e)) {
		printf("%s\n", e.msg);
		return 1;
	}
	for (size_t at = 0; at + strspn(str_text(&text) + at, " \n") < text.len && !wrong;) {
		json_error_t why;
		json_t *v = json_loadb(text.data + at, text.len - at, JSON_DISABLE_EOF_CHECK, &why);
		if (!v && parsed && cmd && !cmd->json)
			return 0; /* text, as without --json */
		if (!v) {
			printf("no JSON: %s\n", why.text);
			return 1;
		}
		wrong += check_one(v, cmd, seen);
		at += (size_t)why.position;
		json_decref(v);
	}
	return wrong != 0;
}

/* ---- what nothing has shown ------------------------------------------------------------------------------------- */

/* A row of a shared table is seen where any command shows it: one function makes it for all. */
struct unseen {
	const struct cmd *cmd;
	const struct json_form *form;
	const char *text;            /* SEEN, a newline before it */
	const struct json_key **row; /* seen, excused or told of */
	int n_rows, cap;
	char below[256]; /* the key that cannot be seen, and with it all in it */
	int n;
};

static bool is_settled(const struct unseen *u, const struct json_key *key)
{
	for (int i = 0; i < u->n_rows; i++)
		if (u->row[i] == key)
			return true;
	return false;
}

static void find_seen(void *ctx, const char *path, const struct json_key *key)
{
	struct unseen *u = ctx;
	SCOPED(free) char *line = xstrfmt("\n%s %td %s\n", u->cmd->name, u->form - u->cmd->json, path);
	if (strstr(u->text, line))
		VEC_PUSH(u->row, u->n_rows, u->cap) = key;
}

static void find_unseen(void *ctx, const char *path, const struct json_key *key)
{
	struct unseen *u = ctx;
	size_t n = strlen(u->below);
	if (u->form->unseen || (n && strncmp(path, u->below, n) == 0 && strchr(".[", path[n])))
		return;
	(void)snprintf(u->below, sizeof u->below, "%s", key->unseen ? path : "");
	if (key->unseen || is_settled(u, key))
		return;
	printf("ablate %s --json%s%s: no test shows %s\n", u->cmd->name, *u->form->when ? ", " : "", u->form->when, path);
	VEC_PUSH(u->row, u->n_rows, u->cap) = key;
	u->n++;
}

static int check_unseen(const char *file)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str lines = { 0 };
	struct unseen u = { 0 };
	if (io_read(&lines, file, (size_t)1 << 30, &e)) {
		printf("%s\n", e.msg);
		return 1;
	}
	SCOPED(free) char *text = xstrfmt("\n%s", str_text(&lines));
	u.text = text;
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < commands.n; i++) {
			u.cmd = commands.rows[i].cmd;
			for (u.form = u.cmd->json; u.form && u.form->keys; u.form++) {
				*u.below = '\0';
				json_keys_each(u.form->keys, &u, pass ? find_unseen : find_seen);
			}
		}
	free(u.row);
	return u.n != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--unseen") == 0)
		return check_unseen(argv[2]);
	if (argc < 4) {
		(void)fprintf(stderr, "usage: json_check FILE SEEN WORDS... | json_check --unseen SEEN\n");
		return 2;
	}
	return check_file(argv[1], argv[2], argc - 2, argv + 2);
}
