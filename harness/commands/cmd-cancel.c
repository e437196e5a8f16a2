/* cmd-cancel.c - `ablate cancel`: a request in a file, seen by the runner and its workers wherever they are. */
#include "harness/cli/cmd.h"
#include "harness/batch/engine_batch.h"
#include "harness/slurm/engine_slurm.h"
#include "harness/record/record_find.h"
#include "harness/record/query.h"
#include "harness/record/store.h"

#include "model/base/io.h"

#include <stdio.h>

static int cancel_file(const char *dir, struct err *e)
{
	SCOPED(free) char *path = xstrfmt("%s/cancel", dir);
	return io_write_atomic(path, "", 0, e);
}

static int cancel_run(struct cli *c, struct store *s, struct err *e)
{
	json_t *holder = store_lock_holder(s->runs);
	if (!holder) {
		int n, tasks;
		if (slurm_cancel(&n, c->db, e) || batch_cancel(&tasks, c->db, e))
			return cli_fail(c, e);
		if (n)
			cli_say(c, "%s: its Slurm jobs are cancelled; tasks write checkpoints", c->db);
		if (tasks)
			cli_say(c, "%s: %d task%s cancelled; those that run write checkpoints", c->db, tasks,
			        tasks == 1 ? " is" : "s are");
		if (!n && !tasks)
			cli_say(c, "%s: nothing is running", c->db);
		return c->json ? cli_print_json(
							 c, json_pack("{s:s, s:n, s:i, s:i}", "db", c->db, "pid", "slurm", n, "command", tasks))
		               : EXIT_OK;
	}
	long long pid = (long long)json_integer_value(json_object_get(holder, "pid"));
	json_decref(holder);
	if (cancel_file(s->runs, e))
		return cli_fail(c, e);
	cli_say(c, "pid %lld is asked to write checkpoints and stop; `ablate resume` continues", pid);
	return c->json ? cli_print_json(c, json_pack("{s:s, s:I, s:i, s:i}", "db", c->db, "pid", (json_int_t)pid, "slurm",
	                                             0, "command", 0))
	               : EXIT_OK;
}

static int cancel_one(json_t *asked, struct cli *c, struct store *s, const char *text, struct err *e)
{
	struct record r;
	SCOPED(free) char *attempt = NULL;
	if (record_find(&r, s->db, text, e) || query_running_of(&attempt, s->db, r.attempt, r.is_cell ? r.cell : NULL, e))
		return cli_fail(c, e);
	if (!attempt) {
		cli_say(c, "%s: not running", text);
		return EXIT_OK;
	}
	SCOPED(free) char *dir = store_attempt_dir(s, r.cell, attempt);
	if (cancel_file(dir, e))
		return cli_fail(c, e);
	(void)json_array_append_new(asked, json_string(attempt));
	cli_say(c, "attempt %.8s is asked to write a checkpoint and stop", attempt);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(store) struct store s = STORE_INIT;
	int code = EXIT_OK;
	if (store_open(&s, c->db, STORE_READ, "ablate cancel", &e))
		return cli_fail(c, &e);
	if (!c->n_args)
		return cancel_run(c, &s, &e);
	json_t *asked = json_array();
	for (int i = 0; i < c->n_args && !code; i++)
		code = cancel_one(asked, c, &s, c->args[i], &e);
	if (c->json && !code)
		return cli_print_json(c, json_pack("{s:s, s:o}", "db", c->db, "attempts", asked));
	json_decref(asked);
	return code;
}

static const struct json_key run_keys_of[] = {
	JSON_KEY("db", "string", "the database"),
	JSON_KEY("pid", "integer?", "the process that was asked to stop; null where none runs"),
	JSON_KEY("slurm", "integer", "plans whose Slurm jobs were cancelled"),
	JSON_KEY("command", "integer", "tasks of --engine command that were cancelled"),
	{ 0 },
};

static const struct json_key attempt_keys[] = {
	JSON_KEY("db", "string", "the database"),
	JSON_KEY("attempts", "string[]", "attempts that were asked to stop: those of the arguments that run"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("without arguments", run_keys_of),
	JSON_FORM("with ATTEMPT or CELL", attempt_keys),
	{ 0 },
};

const struct cmd cmd_cancel = {
	.name = "cancel",
	.args = "[ATTEMPT|CELL]...",
	.summary = "ask a running grid, or single cells of it, to write checkpoints and stop",
	.help = "Without arguments the whole run on the database stops, as by Ctrl-C. Nothing is lost: what was stopped "
			"continues from its checkpoints with `ablate resume` or the next `ablate run`.",
	.json = json,
	.run = run,
};
