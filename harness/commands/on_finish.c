/* on_finish.c - see on_finish.h. */
#define _GNU_SOURCE
#include "harness/commands/on_finish.h"

#include "harness/batch/allowed.h"
#include "harness/commands/doctor_next.h"
#include "harness/record/query_grid.h"
#include "harness/slurm/program_call.h"
#include "harness/text/json_out.h"

#include "model/base/io.h"
#include "model/base/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S         600.0 /* after which it is killed, */
#define LIMIT_STOPPED_S 30.0  /* and where somebody waits for this process to end */

void scoped_on_finish(struct on_finish *f)
{
	free(f->text);
	free(f->words);
	free(f->dir);
	*f = (struct on_finish){ 0 };
}

/* The option's words, between blanks. */
static void cut(struct on_finish *f, const char *text)
{
	int n = 0, cap = 0;
	char *at, *rest;
	f->text = xstrdup(text);
	for (at = strtok_r(f->text, " \t", &rest); at; at = strtok_r(NULL, " \t", &rest))
		VEC_PUSH(f->words, n, cap) = at;
	VEC_PUSH(f->words, n, cap) = NULL;
}

/* Its words live as long as the grid. */
static void take_grids(struct on_finish *f, const struct grid *g)
{
	f->words = xcalloc((size_t)g->on_finish.n + 1, sizeof *f->words);
	memcpy(f->words, g->on_finish.v, (size_t)g->on_finish.n * sizeof *f->words);
}

/* What tells it from other commands, for allowed.h. */
static void identity_of(struct str *out, const struct on_finish *f)
{
	static const char kind[] = "on_finish";
	str_addn(out, kind, sizeof kind);
	str_addn(out, f->dir, strlen(f->dir) + 1);
	for (const char **w = f->words; *w; w++)
		str_addn(out, *w, strlen(*w) + 1);
}

static bool is_program(const char *name)
{
	return strchr(name, '/') ? access(name, X_OK) == 0 && !io_is_dir(name) : next_can_run(name);
}

/* The grid's, if it may be started; a line that says how it may where it may not. */
static int settle_grids(struct on_finish *f, const struct cli *c, const struct grid *g, bool allow, struct err *e)
{
	SCOPED(str) struct str identity = { 0 };
	take_grids(f, g);
	identity_of(&identity, f);
	if (allow)
		return allowed_add(identity.data, identity.len, e);
	if (allowed_has(identity.data, identity.len))
		return 0;
	cli_warn(
		c,
		"on_finish of the grid, '%.200s', is not started: you have not allowed it in %.200s, which --on-finish grid "
		"does",
		f->words[0], f->dir);
	free(f->words);
	f->words = NULL;
	return 0;
}

int on_finish_settle(struct on_finish *out, const struct cli *c, const struct grid *g, const char *command,
                     const char *engine, struct err *e)
{
	const char *option = cli_string(c, "on-finish", NULL);
	bool later = strcmp(engine, "local") != 0 && !cli_flag(c, "wait"), grids = option && strcmp(option, "grid") == 0;
	*out = (struct on_finish){ .command = command, .engine = engine, .began_s = monotonic_s() };
	if ((option && strcmp(option, "none") == 0) || (!option && !g->on_finish.n))
		return 0;
	if (later && option)
		return err_code(e, EXIT_USAGE,
		                "--on-finish with --engine %s needs --wait: without it, this command ends when the tasks are "
		                "submitted",
		                engine);
	if (later) {
		cli_say(c, "on_finish of the grid is not started when the tasks are over: that needs --wait");
		return 0;
	}
	if (grids && !g->on_finish.n)
		return err_code(e, EXIT_USAGE, "--on-finish grid: the grid has no on_finish");
	out->dir = getcwd(NULL, 0);
	if (!out->dir)
		return err_set(e, "the working directory has no path: %s", strerror(errno));
	if (!option || grids) {
		if (settle_grids(out, c, g, grids, e))
			return -1;
	} else
		cut(out, option);
	if (out->words && !out->words[0])
		return err_code(e, EXIT_USAGE, "--on-finish: names no program");
	if (out->words && !is_program(out->words[0]))
		return err_code(e, EXIT_USAGE, "on-finish: %s is no program that can be run%s", out->words[0],
		                strchr(out->words[0], '/') ? "" : " (it is not in PATH; a file here is ./FILE)");
	return 0;
}

/* ---- the object -------------------------------------------------------------------------------------------------- */

static void add_cell(json_t *o, const struct watch_row *r)
{
	const char *state = record_state_name(r->state);
	json_t *states = json_object_get(o, "states");
	(void)json_object_set_new(states, state, json_integer(json_integer_value(json_object_get(states, state)) + 1));
	if (r->state == RECORD_DONE || record_state_is_open(r->state))
		return;
	json_t *failure = json_pack("{s:s, s:o, s:I, s:s, s:o}", "cell", r->cell, "label", json_out_text(r->label), "seed",
	                            (json_int_t)r->seed, "state", state, "reason", json_out_text(r->reason));
	(void)json_array_append_new(json_object_get(o, "failures"), failure);
}

/* Those that the database has; recorded: {CELL: true}. */
static int read_recorded(json_t *o, json_t *recorded, const struct cli *c, const struct plan *p, struct err *e)
{
	SCOPED(db) struct db *db = NULL;
	struct db_rows rows;
	struct watch_row r;
	if (db_open(&db, c->db, DB_READ, e) || query_watch(&rows, db, p->hash, e))
		return -1;
	while (query_watch_next(&r, &rows)) {
		add_cell(o, &r);
		(void)json_object_set_new(recorded, r.cell, json_true());
	}
	return db_done(&rows, e);
}

/* A cell whose data is not on this machine has no identity that could be recorded. */
static int read_cells(json_t *o, const struct cli *c, const struct plan *p, struct err *e)
{
	json_t *recorded = json_object();
	(void)json_object_set_new(o, "states", json_object());
	(void)json_object_set_new(o, "failures", json_array());
	int rc = read_recorded(o, recorded, c, p, e);
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *cell = &p->cells[i];
		if (!json_object_get(recorded, cell->hash))
			add_cell(o, &(struct watch_row){ .cell = cell->hash,
			                                 .label = p->rows[p->arms[cell->arm].rows[0]].name,
			                                 .seed = cell->seed,
			                                 .state = cell->state == CELL_BLOCKED ? RECORD_BLOCKED : RECORD_PENDING,
			                                 .reason = cell->reason });
	}
	json_decref(recorded);
	return rc;
}

static json_t *object_of(const struct on_finish *f, const struct cli *c, const struct plan *p, int code, int signal,
                         const char *error)
{
	struct err e = ERR_INIT;
	json_t *o = json_pack("{s:i, s:s, s:o, s:s, s:o, s:o, s:s, s:i, s:f, s:i}", "schema", 1, "event", "finish", "grid",
	                      json_out_text(p->grid->name), "plan", p->hash, "database", json_out_text(c->db), "command",
	                      json_out_text(f->command), "engine", f->engine, "exit_code", code, "seconds",
	                      monotonic_s() - f->began_s, "cells", p->n_cells);
	if (signal)
		(void)json_object_set_new(o, "signal", json_integer(signal));
	if (read_cells(o, c, p, &e) && !error)
		error = e.msg;
	json_t *tables = json_array();
	for (int i = 0; i < p->grid->n_tables; i++)
		(void)json_array_append_new(tables, json_out_text(p->grid->tables[i].name));
	(void)json_object_set_new(o, "tables", tables);
	if (error)
		(void)json_object_set_new(o, "error", json_out_text(error));
	return o;
}

void on_finish_run(const struct on_finish *f, const struct cli *c, const struct plan *p, int code, int signal,
                   const char *error)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str input = { 0 };
	SCOPED(program_answer) struct program_answer a = { 0 };
	if (!f->words)
		return;
	json_t *o = object_of(f, c, p, code, signal, error);
	json_out(&input, o, 0);
	json_decref(o);
	str_addc(&input, '\n');
	const struct program_ask ask = {
		.argv = f->words, .dir = f->dir, .input = &input, .limit_s = signal ? LIMIT_STOPPED_S : LIMIT_S, .apart = true
	};
	if (program_call(&a, &ask, &e)) {
		cli_warn(c, "on-finish: %s", e.msg);
		return;
	}
	const char *said = program_words(*str_text(&a.said) ? &a.said : &a.out);
	if (a.endless)
		cli_warn(c, "on-finish: %s printed without end, and was killed", f->words[0]);
	else if (a.code < 0)
		cli_warn(c, "on-finish: %s did not end within %.0f s, and was killed", f->words[0], ask.limit_s);
	else if (a.code > 128)
		cli_warn(c, "on-finish: %s was ended by signal %d", f->words[0], a.code - 128);
	else if (a.code)
		cli_warn(c, "on-finish: %s failed with exit code %d%s%.600s", f->words[0], a.code, *said ? ": " : "", said);
	else if (*said)
		cli_say(c, "on-finish: %.600s", said);
}
