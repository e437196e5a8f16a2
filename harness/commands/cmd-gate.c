/* cmd-gate.c - `ablate gate`: the verdicts of a grid's gates, or of one gate over values in a file. */
#include "harness/cli/cmd.h"
#include "harness/study/gate_builds.h"
#include "harness/study/gate_grid.h"
#include "harness/judge/gate_markdown.h"
#include "harness/judge/gate_values.h"
#include "harness/record/host.h"
#include "harness/record/query_grid.h"
#include "harness/text/escape.h"
#include "harness/text/junit.h"
#include "harness/judge/stats.h"
#include "harness/record/store.h"
#include "harness/commands/gate_others.h"
#include "harness/commands/plan_open.h"
#include "harness/commands/study_open.h"

#include "model/base/io.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct opt options[] = {
	{ .name = "values",
	  .kind = OPT_STRING,
	  .arg = "FILE.toml",
	  .help = "judge values in a file; needs no grid and no database" },
	{ .name = "gate", .letter = 'g', .kind = OPT_STRINGS, .arg = "NAME", .help = "only this gate" },
	{ .name = "junit", .kind = OPT_STRING, .arg = "FILE.xml", .help = "write the verdicts and cells as JUnit XML" },
	{ .name = "markdown",
	  .kind = OPT_STRING,
	  .arg = "FILE.md",
	  .help = "write the verdicts as a Markdown table, with the cells that are not done" },
	{ .name = "power", .kind = OPT_FLAG, .help = "say what the gates can resolve with the measured spread" },
	{ .name = "baselines",
	  .kind = OPT_STRING,
	  .arg = "DIR",
	  .help = "folder of baselines (default results/baselines)" },
	{ .name = "allow-config-change",
	  .kind = OPT_FLAG,
	  .help = "compare with a baseline of another configuration, and say so" },
	{ .name = "against-db",
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "database of the grids that gates name as against_grid" },
	{ .name = "accept-builds",
	  .kind = OPT_FLAG,
	  .help = "also judge cells of different builds, or of another than this program's" },
	{ .name = "no-record", .kind = OPT_FLAG, .help = "do not write the verdicts to the database" },
	PLAN_OPTIONS,
	{ 0 }
};

static void print_result(const struct gate_result *r)
{
	char verdict[40];
	snprintf(verdict, sizeof verdict, "%s%s%s%s", gate_verdict_name(r->verdict), *r->lean ? " (" : "", r->lean,
	         *r->lean ? ")" : "");
	printf("%-24s %-22s %s\n", r->rule->name, verdict, gate_test_name(r->test));
	printf("    %s\n", r->why);
	if (isfinite(r->permutation_p))
		printf("    one-sided p of the passing claim %.3g by permutation, %.3g by the test above\n", r->permutation_p,
		       r->p_pass);
}

/* --- JUnit --- */

static struct junit_case gate_case(const struct gate_result *r)
{
	struct junit_case c = { .name = r->rule->name, .classname = "gates", .message = r->why };
	bool must = r->rule->fail_on_inconclusive;
	switch (r->verdict) {
	case GATE_PASS: break;
	case GATE_FAIL: c.outcome = JUNIT_FAILURE, c.type = "regression"; break;
	case GATE_INCONCLUSIVE: c.outcome = must ? JUNIT_FAILURE : JUNIT_SKIPPED, c.type = "inconclusive"; break;
	case GATE_ERROR: c.outcome = JUNIT_ERROR, c.type = "error";
	}
	return c;
}

static struct junit_case cell_case(const struct study *s, const struct study_cell *c, struct arena *a)
{
	const struct plan_arm *arm = &s->plan->arms[c->arm];
	const char *state = record_state_name(c->state);
	struct junit_case out = { .classname = "cells", .seconds = c->seconds, .message = *c->reason ? c->reason : state };
	out.name = arena_strfmt(a, "%s seed %lld", s->plan->rows[arm->rows[0]].name, (long long)c->seed);
	if (c->state != RECORD_DONE)
		out.outcome = record_state_is_open(c->state) ? JUNIT_SKIPPED : JUNIT_ERROR, out.type = state;
	return out;
}

static int write_junit(const char *path, const struct gate_result *results, int n, const struct study *s, struct err *e)
{
	struct arena a = { 0 };
	size_t n_cells = s ? (size_t)s->plan->n_cells : 0;
	struct junit_case *gates = arena_alloc(&a, (size_t)(n + 1) * sizeof *gates),
					  *cells = arena_alloc(&a, (n_cells + 1) * sizeof *cells);
	for (int i = 0; i < n; i++)
		gates[i] = gate_case(&results[i]);
	for (size_t i = 0; i < n_cells; i++)
		cells[i] = cell_case(s, &s->cells[i], &a);
	const struct junit_suite suites[] = { { "gates", gates, (size_t)n }, { "cells", cells, n_cells } };
	int failed = junit_write(path, suites, 2, e);
	arena_release(&a);
	return failed;
}

/* --- Markdown --- */

static int write_markdown(const char *path, const struct gate_result *results, int n, const struct study *s,
                          struct err *e)
{
	SCOPED(str) struct str out = { 0 };
	struct arena a = { 0 };
	int done = 0, n_cells = s ? s->plan->n_cells : 0;
	gate_markdown(&out, results, n);
	for (int i = 0; i < n_cells; i++)
		done += s->cells[i].state == RECORD_DONE;
	if (n_cells)
		str_addf(&out, "\n%d of %d cells are done%s\n", done, n_cells, done < n_cells ? "; these are not:\n" : ".");
	for (int i = 0; i < n_cells; i++) {
		if (s->cells[i].state == RECORD_DONE)
			continue;
		const struct junit_case cell = cell_case(s, &s->cells[i], &a);
		str_add(&out, "- ");
		escape_markdown(&out, cell.name);
		str_addf(&out, ": %s", cell.type);
		if (*s->cells[i].reason) {
			str_add(&out, ", ");
			escape_markdown(&out, s->cells[i].reason);
		}
		str_addc(&out, '\n');
	}
	arena_release(&a);
	return io_write_atomic(path, out.data, out.len, e);
}

/* --- what both forms share --- */

static int conclude(const struct cli *c, const struct gate_result *results, int n, const struct study *s,
                    const char *power)
{
	struct err e = ERR_INIT;
	const char *junit = cli_string(c, "junit", NULL), *markdown = cli_string(c, "markdown", NULL);
	char summary[120];
	int code = gate_exit_code(results, n);
	gate_summary(summary, sizeof summary, results, n);
	if ((junit && write_junit(junit, results, n, s, &e)) || (markdown && write_markdown(markdown, results, n, s, &e)))
		return cli_fail(c, &e);
	if (c->json) {
		json_t *list = json_array();
		for (int i = 0; i < n; i++)
			json_array_append_new(list, gate_json(&results[i]));
		/* one gate: its facts at the top as well, so that a script using --values need not search a list */
		json_t *all = n == 1 ? gate_json(&results[0]) : json_object();
		json_object_set_new(all, "gates", list);
		json_object_set_new(all, "summary", json_string(summary));
		json_object_set_new(all, "exit", json_integer(code));
		if (*power)
			json_object_set_new(all, "power", json_string(power));
		(void)cli_print_json(c, all);
		return code;
	}
	for (int i = 0; i < n; i++)
		print_result(&results[i]);
	fputs(power, stdout);
	printf("%s\n", summary);
	return code;
}

static int over_values(const struct cli *c, const char *path)
{
	struct err e = ERR_INIT;
	struct gate_values v;
	struct gate_result r;
	SCOPED(str) struct str power = { 0 };
	if (gate_values_read(&v, path, &e))
		return cli_fail(c, &e);
	gate_judge(&r, &v.rule, &v.candidate, &v.baseline);
	if (cli_flag(c, "power"))
		gate_power_text(&power, &r, v.baseline.value ? stats_sd(v.baseline.value, v.baseline.n) : v.baseline.sd);
	int code = conclude(c, &r, 1, NULL, str_text(&power));
	gate_values_release(&v);
	return code;
}

/* The grid that the judged cells ran under; heap text, NULL when none is known. */
static char *grid_of(struct store *store, const struct study *s, struct err *e)
{
	char *hash = NULL;
	for (int i = 0; i < s->plan->n_cells && !hash; i++)
		if (*s->cells[i].attempt && query_grid_of_cell(&hash, store->db, s->cells[i].hash, s->plan->grid->name, e))
			return NULL;
	return hash;
}

/* Verdicts are recorded in the ledger and the database. Failing to do so does not change them. */
static void record(const struct cli *c, const struct study *s, const struct gates *g)
{
	struct err e = ERR_INIT;
	SCOPED(store) struct store store = STORE_INIT;
	SCOPED(free) char *grid = NULL;
	if (store_open(&store, c->db, STORE_WRITE, "ablate gate", &e)) {
		cli_warn(c, "the verdicts are not recorded: %s", e.msg);
		return;
	}
	grid = grid_of(&store, s, &e);
	if (!grid) {
		cli_verbose(c, "the verdicts are not recorded: no cell of this grid has been run with %s", c->db);
		return;
	}
	json_t *lines = json_array();
	char now[HOST_TIME], id[HOST_UUID];
	host_now(now);
	for (int i = 0; i < g->n; i++) {
		const struct gate_result *r = &g->results[i];
		json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "t", "verdict", "id", host_uuid(id),
		                      "grid", grid, "gate", r->rule->name, "verdict", gate_verdict_name(r->verdict), "test",
		                      gate_test_name(r->test), "baseline", r->rule->against, "why", r->why, "created", now);
		const struct {
			const char *key;
			double x;
		} numbers[] = {
			{ "diff", r->diff }, { "lo", r->lo }, { "hi", r->hi }, { "margin", r->margin }, { "alpha", r->alpha }
		};
		for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
			if (isfinite(numbers[k].x))
				json_object_set_new(o, numbers[k].key, json_real(numbers[k].x));
		json_object_set_new(o, "n_base", json_integer(r->n_base));
		json_object_set_new(o, "n_cand", json_integer(r->n_cand));
		if (r->n_looks)
			json_object_set_new(o, "look", json_integer(r->look));
		json_array_append_new(lines, o);
	}
	if (store_record(&store, lines, &e))
		cli_warn(c, "the verdicts are not recorded: %s", e.msg);
	json_decref(lines);
}

/* "We warn when a result is better than the paper by more than the margin": too good is a finding, too. */
static void warn_too_good(const struct cli *c, const struct opened *o, const struct gates *g)
{
	for (int i = 0; o->pub && i < g->n; i++) {
		const struct gate_result *r = &g->results[i];
		struct metric_ref ref;
		int arm;
		if (r->verdict == GATE_ERROR || metric_ref_parse(&ref, r->rule->metric, &(struct err){ 0 }) ||
		    plan_find_arm(&arm, o->plan, r->rule->arm, &(struct err){ 0 }))
			continue;
		const struct plan_arm *a = &o->plan->arms[arm];
		const struct preset *scaling = NULL, *full = *a->preset ? config_find_preset(a->preset, &scaling) : NULL;
		const struct published_value *v = full && metric_ref_in_papers(&ref)
		                                      ? published_find(o->pub, "", full->name, a->config.data.name, ref.name,
		                                                       ref.nfe)
		                                      : NULL;
		double better = v ? (r->rule->higher_is_better ? r->mean_cand - v->value : v->value - r->mean_cand) : 0;
		if (v && better > r->margin)
			cli_warn(
				c, "gate %s: %s %.4g is better than the published %.4g (%s): check the protocol before you believe it",
				r->rule->name, r->rule->metric, r->mean_cand, v->value, v->paper);
	}
}

static bool names_other_grids(const struct grid *g)
{
	bool any = false;
	for (int i = 0; i < g->n_gates; i++)
		any = any || *g->gates[i].rule.against_grid;
	return any;
}

static int over_grid(struct cli *c)
{
	struct err e = ERR_INIT;
	SCOPED(opened) struct opened o = { 0 };
	SCOPED(gate_others) struct gate_others others = { .c = c, .db = cli_string(c, "against-db", NULL) };
	SCOPED(gates) struct gates g = { 0 };
	SCOPED(str) struct str power = { 0 };
	int n_names;
	SCOPED(free) const char **names = cli_strings(c, "gate", &n_names);
	if (study_open(&o, c, c->args[0], &e))
		return cli_fail(c, &e);
	if (!o.plan->grid->n_gates) {
		(void)err_code(&e, EXIT_USAGE, "%s declares no [[gate]]: nothing was judged", o.plan->grid->path);
		return cli_fail(c, &e);
	}
	if (!o.db) {
		(void)err_code(&e, EXIT_RECORD, "there is no database %s: ablate run %s first", c->db, c->args[0]);
		return cli_fail(c, &e);
	}
	if (cli_given(c, "against-db") && !names_other_grids(o.plan->grid))
		return cli_usage(c, "--against-db: no gate of %s has an against_grid", o.plan->grid->path);
	const struct gates_ask ask = { .baselines = cli_string(c, "baselines", "results/baselines"),
		                           .names = names,
		                           .n_names = n_names,
		                           .allow_config_change = cli_flag(c, "allow-config-change") > 0,
		                           .other = gate_others_study,
		                           .ctx = &others };
	if (gates_judge(&g, o.study, &ask, &e))
		return cli_fail(c, &e);
	SCOPED(free) char *again = plan_command(c, "run");
	gates_check_builds(&g, o.study, &ask, again, cli_flag(c, "accept-builds") > 0);
	if (!cli_flag(c, "no-record"))
		record(c, o.study, &g);
	if (cli_flag(c, "power"))
		for (int i = 0; i < g.n; i++)
			gate_power_text(&power, &g.results[i], g.base[i].sd);
	warn_too_good(c, &o, &g);
	return conclude(c, g.results, g.n, o.study, str_text(&power));
}

static int run(struct cli *c)
{
	const char *values = cli_string(c, "values", NULL);
	if (!values == !c->n_args)
		return cli_usage(c, "give either a grid or --values FILE.toml");
	return values ? over_values(c, values) : over_grid(c);
}

static const struct json_key all_keys[] = {
	JSON_KEY("gates", "object[]", "the verdicts", .of = gate_keys),
	JSON_KEY("summary", "string", "how many passed, failed, ..."),
	JSON_KEY("exit", "integer", "the exit code"),
	JSON_KEY("power", "string", "what the gates can resolve, as lines", .absent = "without --power"),
	{ 0 },
};

static const struct json_key one_keys[] = {
	{ "", .of = gate_keys },
	{ "", .of = all_keys },
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("of several gates", all_keys),
	JSON_FORM("of one gate", one_keys),
	{ 0 },
};

const struct cmd cmd_gate = {
	.name = "gate",
	.args = "[GRID]",
	.summary = "judge results: pass, fail, or cannot tell",
	.help =
		"theta = candidate - baseline, negated where higher is better; U and L are its one-sided bounds, each at "
		"level 1 - alpha. non-inferiority passes if U <= margin and fails if L > margin; superiority passes if U < "
		"0 and fails if L > 0; anything else is inconclusive. With a margin that is a share r of the baseline's "
		"mean, the bounds are those of candidate - (1 + r) baseline, in which the baseline's own error counts. The "
		"spread between training seeds is the error: paired t where pairs are asked for and both sides have the "
		"same seeds, else Welch; one seed against 5 or more uses the t prediction interval, which takes it to "
		"spread like the others. Declared looks share alpha. Passing needs every gate; a fail must survive Holm's "
		"correction over them.\n\nA baseline is of one arm and its configuration. After a change of recipe it is "
		"refused, unless --allow-config-change compares the two and says so; a gate with against_grid compares "
		"with a row of another grid. Protocol and numerics must agree in any case.\n\n"
		"A gate judges this program: cells that another build of the numerics made (`ablate --version --json`: "
		"fingerprint), or several, are an error that names them and the command that makes them again, unless "
		"--accept-builds; a baseline may be of any build.\n\n"
		"Exit code 0 if all pass, 3 if one fails, 4 if one is inconclusive and its on_inconclusive is \"fail\", 5 if "
		"one cannot be judged (different protocols, a NaN, missing seeds), 2 if there is no gate.\n\n"
		"A values file:\n\n"
		" [candidate]\n values = [10.1, 10.4, 9.8]   # one per training seed\n seeds = [1, 2, 3]            # "
		"optional; equal seeds are paired\n"
		" [baseline]\n values = [10.0, 10.4, 9.7]   # or mean = 10.0, sd = 0.3, n = 8\n seeds = [1, 2, 3]\n"
		" [gate]                       # all optional\n name = \"no-regression\"\n metric = \"fid@1\"\n test = "
		"\"non-inferiority\"     # or \"superiority\"\n"
		" margin = { relative = 0.05 } # or { absolute = 0.5 } or 0.5; default 0\n alpha = 0.05\n paired = true\n "
		"looks = [3, 5]\n"
		" better = \"lower\"             # or \"higher\"\n on_inconclusive = \"fail\"     # or \"warn\"",
	.options = options,
	.json = json,
	.run = run,
};
