/* cmd-baseline.c - `ablate baseline`: propose, accept and list what gates compare against. */
#include "harness/judge/baseline.h"
#include "harness/cli/cmd.h"
#include "harness/study/gate_grid.h"
#include "harness/record/fingerprint.h"
#include "harness/record/host.h"
#include "harness/record/query_attempt.h"
#include "harness/commands/plan_open.h"
#include "harness/record/provenance.h"
#include "harness/record/store.h"
#include "harness/commands/study_open.h"

#include "model/base/io.h"
#include "model/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct opt options[] = {
	{ .name = "gate", .letter = 'g', .kind = OPT_STRINGS, .arg = "NAME", .help = "only this gate" },
	{ .name = "reason",
	  .letter = 'm',
	  .kind = OPT_STRING,
	  .arg = "TEXT",
	  .help = "with accept: why the baseline may move" },
	{ .name = "dir",
	  .letter = 'd',
	  .kind = OPT_STRING,
	  .arg = "DIR",
	  .help = "folder of baselines (default results/baselines)" },
	PLAN_OPTIONS,
	{ 0 }
};

static int write_baseline(const char *path, const struct baseline *b, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	baseline_text(&text, b);
	return io_write_atomic(path, str_text(&text), text.len, e);
}

/* Commit and environment of the attempts behind an arm: what they ran with, not those of this program. */
static int origin_of(char **commit, char **env, struct opened *o, const struct grid_gate *gate, struct err *e)
{
	int arm;
	*commit = *env = NULL;
	if (plan_find_arm(&arm, o->plan, gate->rule.arm, e))
		return -1;
	for (int i = 0; i < o->plan->n_cells && o->db && !*env; i++) {
		const struct study_cell *c = &o->study->cells[i];
		if (c->arm == arm && *c->attempt && query_origin(env, commit, o->db, c->attempt, e))
			return -1;
	}
	if (!*commit)
		*commit = xstrdup(provenance_commit());
	if (!*env)
		*env = xstrdup("");
	return 0;
}

static bool chosen(const struct cli *c, const char *gate)
{
	int n;
	SCOPED(free) const char **names = cli_strings(c, "gate", &n);
	bool yes = !n;
	for (int i = 0; i < n; i++)
		yes = yes || strcmp(names[i], gate) == 0;
	return yes;
}

/* A file that was written: a line, or one of the list that --json prints at the end. */
static void tell_file(const struct cli *c, json_t *files, const char *path)
{
	if (c->json)
		(void)json_array_append_new(files, json_string(path));
	else
		printf("%s\n", path);
}

static int propose(json_t *files, struct cli *c, struct opened *o, const char *dir, const char *now, struct err *e)
{
	const struct grid *g = o->plan->grid;
	int made = 0;
	for (int i = 0; i < g->n_gates; i++) {
		const struct grid_gate *gate = &g->gates[i];
		if (strcmp(gate->rule.against, "baseline") != 0 || !chosen(c, gate->rule.name))
			continue;
		SCOPED(free) char *commit = NULL;
		SCOPED(free) char *env = NULL;
		SCOPED(free) char *path = baseline_path(dir, g->name, gate->rule.name, true);
		SCOPED(baseline) struct baseline b = { 0 };
		if (origin_of(&commit, &env, o, gate, e) || gates_propose(&b, o->study, gate, commit, env, now, e) ||
		    io_mkdirs(dir, e) || write_baseline(path, &b, e))
			return -1;
		made++;
		tell_file(c, files, path);
	}
	return made ? 0
	            : err_code(e, EXIT_USAGE, "%s has no gate against a baseline%s: nothing to propose", g->path,
	                       cli_given(c, "gate") ? " of that name" : "");
}

/* The accepted baseline as rows of the database, when there is one. */
static void record(const struct cli *c, const struct baseline *b, const char *old_sha)
{
	struct err e = ERR_INIT;
	SCOPED(store) struct store store = STORE_INIT;
	char id[HOST_UUID];
	if (!io_exists(c->db))
		return;
	host_uuid(id);
	json_t *lines = json_array();
	json_array_append_new(lines, json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s*}", "t", "baseline",
	                                       "id", id, "gate", b->gate, "arm", b->arm, "numerics",
	                                       (int)strtol(b->numerics, NULL, 10), "protocol", b->protocol, "commit_id",
	                                       b->commit, "reason", b->reason, "created", b->created, "supersedes", old_sha,
	                                       "fingerprint", *b->fingerprint ? b->fingerprint : NULL));
	for (int i = 0; i < b->now.n; i++)
		json_array_append_new(lines, json_pack("{s:s, s:s, s:I, s:f}", "t", "baseline_value", "baseline", id, "seed",
		                                       (json_int_t)b->now.seed[i], "value", b->now.value[i]));
	if (store_open(&store, c->db, STORE_WRITE, "ablate baseline", &e) || store_record(&store, lines, &e))
		cli_warn(c, "the baseline is accepted in its file, but not recorded in %s: %s", c->db, e.msg);
	json_decref(lines);
}

static int accept_one(json_t *files, const struct cli *c, const char *proposed, const char *dir, const char *now,
                      struct err *e)
{
	size_t stem = strlen(proposed) - strlen(".proposed.toml");
	SCOPED(free)
	char *path = xstrfmt("%s/%.*s.toml", dir, (int)stem, proposed), *from = xstrfmt("%s/%s", dir, proposed);
	SCOPED(baseline) struct baseline b = { 0 }, old = { 0 };
	char sha[SHA256_HEX] = "";
	bool replaces = io_exists(path);
	if (baseline_read(&b, from, e) || (replaces && (baseline_read(&old, path, e) || io_sha256_file(sha, path, e))) ||
	    baseline_accept(&b, replaces ? &old : NULL, sha, cli_string(c, "reason", NULL), now, e) ||
	    write_baseline(path, &b, e))
		return -1;
	if (unlink(from))
		return err_set(e, "%s: accepted as %s, but cannot remove the proposal: %s", from, path, strerror(errno));
	record(c, &b, sha);
	tell_file(c, files, path);
	return 0;
}

/* Sorted names of a folder's files with that ending. */
static char **names_in(const char *dir, const char *end, int *n)
{
	char **names = NULL;
	int cap = 0;
	DIR *d = opendir(dir);
	*n = 0;
	for (struct dirent *entry; d && (entry = readdir(d));) {
		size_t have = strlen(entry->d_name), want = strlen(end);
		if (have > want && strcmp(entry->d_name + have - want, end) == 0)
			VEC_PUSH(names, *n, cap) = xstrdup(entry->d_name);
	}
	if (d)
		closedir(d);
	if (*n)
		qsort(names, (size_t)*n, sizeof *names, str_order);
	return names;
}

static void free_names(char **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static int accept_all(json_t *files, const struct cli *c, const char *grid, const char *dir, const char *now,
                      struct err *e)
{
	int n, failed = 0, done = 0;
	char **names = names_in(dir, ".proposed.toml", &n);
	/* "GRID.GATE.proposed.toml"; GRID as propose wrote it */
	SCOPED(free) char *probe = baseline_path("", grid, "x", false);
	size_t prefix = strlen(probe) - strlen("x.toml") - 1;
	for (int i = 0; i < n && !failed; i++) {
		SCOPED(baseline) struct baseline b = { 0 };
		SCOPED(free) char *from = xstrfmt("%s/%s", dir, names[i]);
		if (strncmp(names[i], probe + 1, prefix) != 0)
			continue;
		failed = baseline_read(&b, from, e);
		if (failed || !chosen(c, b.gate))
			continue;
		failed = accept_one(files, c, names[i], dir, now, e);
		done++;
	}
	free_names(names, n);
	return failed ? -1
	       : done ? 0
	              : err_code(e, EXIT_USAGE, "%s has no proposed baseline of %s: run `ablate baseline propose` first",
	                         dir, grid);
}

static int list(const struct cli *c, const char *dir, struct err *e)
{
	int n, failed = 0;
	char **names = names_in(dir, ".toml", &n);
	json_t *all = json_array();
	for (int i = 0; i < n && !failed; i++) {
		SCOPED(baseline) struct baseline b = { 0 };
		SCOPED(free) char *path = xstrfmt("%s/%s", dir, names[i]);
		failed = baseline_read(&b, path, e);
		if (failed)
			continue;
		struct gate_side side = baseline_side(&b, &b.now);
		double mean = 0;
		for (int k = 0; k < side.n; k++)
			mean += side.value[k] / side.n;
		const char *state = b.accepted ? "accepted" : "proposed";
		if (c->json)
			json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:i, s:f, s:s, s:s, s:s, s:s, s:s}", "file",
			                                     path, "gate", b.gate, "metric", b.metric, "state", state, "n", side.n,
			                                     "mean", mean, "protocol", b.protocol, "numerics", b.numerics, "commit",
			                                     b.commit, "reason", b.reason, "fingerprint", b.fingerprint));
		else
			printf("%-9s %s  %s mean %.4g over %d seed%s, numerics %s%s%.*s%s%s\n", state, path, b.metric, mean, side.n,
			       str_plural(side.n), b.numerics, *b.fingerprint ? ", fingerprint " : "", FINGERPRINT_SHOWN,
			       b.fingerprint, *b.reason ? ": " : "", b.reason);
	}
	free_names(names, n);
	if (c->json && !failed)
		return cli_print_json(c, json_pack("{s:o}", "baselines", all));
	json_decref(all);
	return failed ? -1 : 0;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	const char *what = c->args[0], *dir = cli_string(c, "dir", "results/baselines");
	char now[HOST_TIME];
	host_now(now);
	if (strcmp(what, "list") == 0) {
		if (c->n_args > 1)
			return cli_usage(c, "baseline list takes no grid");
		return list(c, dir, &e) ? cli_fail(c, &e) : EXIT_OK;
	}
	if (c->n_args < 2)
		return cli_usage(c, "baseline %s needs a grid", what);
	SCOPED(opened) struct opened o = { 0 };
	if (study_open(&o, c, c->args[1], &e))
		return cli_fail(c, &e);
	bool accepting = strcmp(what, "accept") == 0;
	json_t *files = json_array();
	if (accepting ? accept_all(files, c, o.plan->grid->name, dir, now, &e) : propose(files, c, &o, dir, now, &e)) {
		json_decref(files);
		return cli_fail(c, &e);
	}
	if (c->json)
		return cli_print_json(c, json_pack("{s:o}", accepting ? "accepted" : "proposed", files));
	json_decref(files);
	return EXIT_OK;
}

static const struct json_key proposed_keys[] = {
	JSON_KEY("proposed", "string[]", "the files that were written"),
	{ 0 },
};

static const struct json_key accepted_keys[] = {
	JSON_KEY("accepted", "string[]", "the files that are baselines now"),
	{ 0 },
};

static const struct json_key list_keys[] = {
	JSON_KEY("baselines", "object[]", "the baselines"),
	JSON_KEY("baselines[].file", "string", "the file"),
	JSON_KEY("baselines[].gate", "string", "the gate"),
	JSON_KEY("baselines[].metric", "string", "what is compared"),
	JSON_KEY("baselines[].state", "string", "proposed, or accepted"),
	JSON_KEY("baselines[].n", "integer", "training seeds"),
	JSON_KEY("baselines[].mean", "number?", "mean over them"),
	JSON_KEY("baselines[].protocol", "string", "all that a comparable value has to share"),
	JSON_KEY("baselines[].numerics", "string", "numerics version"),
	JSON_KEY("baselines[].commit", "string", "commit of the program that made it; empty where that is not known"),
	JSON_KEY("baselines[].reason", "string", "why it was accepted; empty of a proposed one"),
	JSON_KEY("baselines[].fingerprint", "string",
	         "numerics fingerprint of the build that made it; empty where that is not known"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("of propose", proposed_keys),
	JSON_FORM("of accept", accepted_keys),
	JSON_FORM("of list", list_keys),
	{ 0 },
};

const struct cmd cmd_baseline = {
	.name = "baseline",
	.args = "propose|accept|list [GRID]",
	.summary = "propose, accept or list the baselines that gates compare against",
	.help =
		"`propose` writes DIR/GRID.GATE.proposed.toml with the value of every training seed for each gate against "
		"\"baseline\". Review it like code. `accept --reason TEXT` turns it into DIR/GRID.GATE.toml, keeps the first "
		"values of the numerics version beside it, and records both. A passing gate never moves a baseline.",
	.options = options,
	.json = json,
	.run = run,
};
