/* cmd-status.c - `ablate status`: what is done, running, failed and missing, and how that is known. */
#include "harness/cli/cmd.h"
#include "harness/commands/cell_select.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/watch_command.h"
#include "harness/record/cell_note.h"
#include "harness/record/query_grid.h"
#include "harness/record/store.h"
#include "harness/watch/status_read.h"

#include "model/base/str.h"

#include <stdio.h>

static const struct opt options[] = {
	{ .name = "watch", .letter = 'w', .kind = OPT_FLAG, .help = "`ablate watch`, by another name" },
	{ .name = "cells", .kind = OPT_FLAG, .help = "one line per cell" },
	PLAN_OPTIONS,
	{ 0 },
};

/* Does one of --only mean it? All are meant where there is none. */
static int is_meant(bool *out, struct db *db, const struct status_row *r, const char *const *only, int n, struct err *e)
{
	*out = n == 0;
	for (int i = 0; i < n && !*out; i++)
		if (cell_is_meant(out, db, r, only[i], e))
			return -1;
	return 0;
}

static int print_cell(struct db *db, const struct status_row *r, struct err *e)
{
	SCOPED(free) char *tags = NULL;
	if (query_tags(&tags, db, r->cell, e))
		return -1;
	printf("  %-9s %.12s %.8s  %s%s%s seed %lld%s%s%s%s%s\n", record_state_name(r->state), r->cell,
	       *r->attempt ? r->attempt : "-", r->chain, *r->chain ? "/" : "", r->label, (long long)r->seed,
	       *tags ? " [" : "", tags, *tags ? "]" : "", *r->reason ? ": " : "", r->reason);
	return 0;
}

/* of_plan: --only has made the plan that `grid` is the hash of. */
static int print_cells(const struct cli *c, struct db *db, const char *grid, bool of_plan, struct err *e)
{
	struct db_rows rows;
	struct status_row r;
	int n, rc = 0;
	SCOPED(free) const char **only = cli_strings(c, "only", &n);
	if (query_status(&rows, db, grid, e))
		return -1;
	while (!rc && query_status_next(&r, &rows)) {
		bool meant;
		rc = is_meant(&meant, db, &r, only, of_plan ? 0 : n, e) || (meant && print_cell(db, &r, e)) ? -1 : 0;
	}
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

static void print_text(const struct status *st, const char *db)
{
	size_t i;
	json_t *g, *n, *r;
	const char *state;
	SCOPED(str) struct str lines = { 0 };
	json_array_foreach(st->grids, i, g)
	{
		printf("%s (%.12s): %lld cell%s", json_string_value(json_object_get(g, "name")),
		       json_string_value(json_object_get(g, "grid")),
		       (long long)json_integer_value(json_object_get(g, "cells")),
		       str_plural(json_integer_value(json_object_get(g, "cells"))));
		json_object_foreach(json_object_get(g, "states"), state, n)
			printf(", %lld %s", (long long)json_integer_value(n), state);
		int64_t others = json_integer_value(json_object_get(g, "of_another_build"));
		if (others)
			printf("; %lld made by another build (`ablate run --rebuild stale`)", (long long)others);
		printf("\n");
	}
	json_array_foreach(st->running, i, r) printf(
		"  %.8s %s seed %lld: step %lld of %lld; %s: %s\n", json_string_value(json_object_get(r, "attempt")),
		json_string_value(json_object_get(r, "label")), (long long)json_integer_value(json_object_get(r, "seed")),
		(long long)json_integer_value(json_object_get(r, "step")),
		(long long)json_integer_value(json_object_get(r, "steps")), json_string_value(json_object_get(r, "life")),
		json_string_value(json_object_get(r, "evidence")));
	status_runner_line(&lines, st);
	status_queue_lines(&lines, st, db);
	(void)fputs(str_text(&lines), stdout);
	if (json_array_size(st->grids) == 0)
		printf("%s: no grid was run\n", db);
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *hash = NULL;
	SCOPED(store) struct store s = STORE_INIT;
	SCOPED(status) struct status st = { 0 };
	const char *only;
	bool watch = cli_flag(c, "watch") > 0;
	if (watch_grid(&only, &hash, c, cli_flag(c, "cells") && !watch, &e))
		return cli_fail(c, &e);
	if (watch)
		return watch_command(c, only);
	if (store_open(&s, c->db, STORE_READ, "ablate status", &e) || watch_status(&st, &s, c, only, &e))
		return cli_fail(c, &e);
	status_ask_queues(&st, c->db);
	if (c->json)
		return cli_print_json(c, status_json(&st, c->db));
	print_text(&st, c->db);
	return cli_flag(c, "cells") && print_cells(c, s.db, only, hash != NULL, &e) ? cli_fail(c, &e) : EXIT_OK;
}

static const struct json_form json[] = {
	JSON_FORM("without --watch", status_keys),
	JSON_FORM("with --watch: an object in each line, as of `ablate watch`", watch_keys),
	{ 0 },
};

const struct cmd cmd_status = {
	.name = "status",
	.args = "[GRID]",
	.summary = "show what is done, running, failed and missing",
	.help =
		"GRID is a grid file, or the name or the first digits of the hash of a grid that was run; a file takes the "
		"same --set and --only that were given to `ablate run`. Without a file, --cells lists those that --only means: "
		"a label, a pattern of it, or tag:NAME (`ablate note`).\n"
		"States come from evidence: an attempt is alive while its process holds its journal, gone when the process "
		"ended or the machine was rebooted; on another machine its heartbeat must be older than two minutes. A dead "
		"one is recorded as lost by the next `ablate run`, which continues from its checkpoint.",
	.options = options,
	.json = json,
	.run = run,
};
