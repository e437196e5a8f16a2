/* test_gate_grid.c - what the gates of a grid compare: the mean of evaluations, a baseline of the same arm, and changes
 * of recipe where they are asked for. */
#include "harness/study/gate_grid.h"
#include "model/base/io.h"
#include "tests/common/study_fixture.h"

struct setup {
	struct plan *plan;
	struct db *db;
	struct study *study;
	char *dir;
};

static struct fixture_result all_done(int arm, int64_t seed)
{
	struct fixture_result r = fixture_default(arm, seed);
	r.state = "done", r.reason = "";
	return r;
}

static struct setup setup(const char *toml, const char *db)
{
	struct setup s = { .plan = fixture_plan(toml), .dir = TMP("baselines") };
	s.db = fixture_db(db, s.plan, all_done, 0);
	OK(study_load(&s.study, s.plan, s.db, e));
	OK(io_mkdirs(s.dir, e));
	return s;
}

static void done(struct setup *s)
{
	study_free(s->study);
	db_close(s->db);
	plan_free(s->plan);
}

/* fixture_grid with one text in place of another. Heap text. */
static char *edited(const char *toml, const char *from, const char *to)
{
	const char *at = strstr(toml, from);
	cr_assert_not_null(at, "%s", from);
	return xstrfmt("%.*s%s%s", (int)(at - toml), toml, to, at + strlen(from));
}

static struct gate_result judged(struct setup *s, struct gates *g, const char *name, bool allow)
{
	const char *const names[] = { name };
	const struct gates_ask ask = { .baselines = s->dir, .names = names, .n_names = 1, .allow_config_change = allow };
	OK(gates_judge(g, s->study, &ask, e));
	cr_assert_eq(g->n, 1);
	return g->results[0];
}

/* The minimum of several evaluations is too good by chance; tables may show it (agg = "min3"), a gate or a baseline
 * must not be of it. Evaluation seed 102 gives 0.1 more than 101: the mean is 0.05 above the least. */
Test(gate_grid, judges_and_stores_means_also_where_tables_show_the_least)
{
	SCOPED(free) char *toml = edited(fixture_grid, "samples = 10000\n", "samples = 10000\nagg = \"min3\"\n");
	struct setup s = setup(toml, "least.db");
	struct gates g;
	struct gate_result r = judged(&s, &g, "l2-is-not-better", false);
	double least = 0, mean;
	for (int64_t seed = 1; seed <= 3; seed++)
		least += all_done(0, seed).fid / 3;
	mean = least + 0.05;
	cr_assert(fabs(r.mean_cand - mean) < 1e-12, "%.6f, want %.6f", r.mean_cand, mean);
	cr_assert(fabs(r.mean_base - (least + 0.05 + 4.5 + 0.06)) < 1e-12, "%.6f", r.mean_base);
	gates_release(&g);
	struct baseline b;
	OK(gates_propose(&b, s.study, &s.plan->grid->gates[1], "c", "e", "t", e));
	cr_assert(fabs(b.now.value[0] - (all_done(0, 1).fid + 0.05)) < 1e-12, "%.6f", b.now.value[0]);
	baseline_release(&b);
	done(&s);
}

/* A mutant that compared any baseline of the right metric survived every test: the candidate of one arm was judged by
 * the numbers of another. */
Test(gate_grid, a_baseline_of_another_arm_or_configuration_is_refused_unless_allowed)
{
	struct setup s = setup(fixture_grid, "arms.db");
	struct grid_gate *gate = &s.plan->grid->gates[1];
	static const struct {
		const char *arm, *hash, *label; /* the gate's arm; what of the file is changed, NULL = nothing */
		const char *say;                /* "" = it may be compared */
	} cases[] = {
		{ "base", NULL, NULL, "" },
		{ "base", NULL, "single/base", "" }, /* another name of the same arm */
		{ "uniform", NULL, NULL, "of another arm, base" },
		{ "base", "abababababab", NULL, "of another configuration of this arm" },
		{ "uniform", "", NULL, "of another arm, base" }, /* an old file, which has only the label */
		{ "base", "", NULL, "" },
		{ "base", "", "", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *path = baseline_path(s.dir, "four", "no-regression", false);
		SCOPED(str) struct str text = { 0 };
		SCOPED(baseline) struct baseline b = { 0 };
		struct gates g;
		gate->rule.arm = "base";
		OK(gates_propose(&b, s.study, gate, "c1", "e1", "t", e));
		b.arm = cases[i].hash ? cases[i].hash : b.arm;
		b.label = cases[i].label ? cases[i].label : b.label;
		OK(baseline_accept(&b, NULL, NULL, "first", "t", e));
		baseline_text(&text, &b);
		OK(io_write_atomic(path, text.data, text.len, e));
		gate->rule.arm = cases[i].arm;
		struct gate_result r = judged(&s, &g, "no-regression", false);
		bool refused = *cases[i].say != '\0';
		cr_assert_eq(r.verdict == GATE_ERROR, refused, "case %zu: %s", i, r.why);
		if (refused) {
			cr_assert_not_null(strstr(r.why, cases[i].say), "case %zu: %s", i, r.why);
			cr_assert_not_null(strstr(r.why, "--allow-config-change"), "case %zu: %s", i, r.why);
		}
		gates_release(&g);
		r = judged(&s, &g, "no-regression", true);
		bool same = strcmp(cases[i].arm, "base") == 0;
		cr_assert_eq(r.verdict, same ? GATE_PASS : GATE_FAIL, "case %zu: %s: %s", i, gate_verdict_name(r.verdict),
		             r.why);
		cr_assert_eq(strstr(r.why, "as --allow-config-change allows") != NULL, refused, "case %zu: %s", i, r.why);
		gates_release(&g);
	}
	done(&s);
}

/* What must agree is not waived with the configuration. */
Test(gate_grid, another_protocol_or_metric_stays_refused)
{
	struct setup s = setup(fixture_grid, "protocol.db");
	struct grid_gate *gate = &s.plan->grid->gates[1];
	for (int k = 0; k < 3; k++) {
		SCOPED(free) char *path = baseline_path(s.dir, "four", "no-regression", false);
		SCOPED(str) struct str text = { 0 };
		SCOPED(baseline) struct baseline b = { 0 };
		struct gates g;
		OK(gates_propose(&b, s.study, gate, "c1", "e1", "t", e));
		b.arm = "abababababab";
		if (k == 0)
			b.protocol = "fid:pixels:n10";
		else if (k == 1)
			b.metric = "kid@1";
		else
			b.numerics = "999";
		OK(baseline_accept(&b, NULL, NULL, "first", "t", e));
		baseline_text(&text, &b);
		OK(io_write_atomic(path, text.data, text.len, e));
		struct gate_result r = judged(&s, &g, "no-regression", true);
		cr_assert_eq(r.verdict, GATE_ERROR, "%d: %s", k, r.why);
		gates_release(&g);
	}
	done(&s);
}

struct asked {
	struct study *study;
	char grid[200];
};

static struct study *other_study(void *ctx, const char *grid, struct err *e)
{
	struct asked *a = ctx;
	snprintf(a->grid, sizeof a->grid, "%s", grid);
	if (!a->study)
		(void)err_code(e, EXIT_USAGE, "%s: no such file", grid);
	return a->study;
}

/* A change request: another recipe under another grid, the same protocol and seeds. */
Test(gate_grid, a_row_may_be_compared_with_a_row_of_another_grid)
{
	SCOPED(free)
	char *toml = edited(fixture_grid, "against = \"l2\"\n",
	                    "against = \"EMA teacher\"\nagainst_grid = \"before.toml\"\n");
	SCOPED(free) char *before = edited(fixture_grid, "name = \"four\"", "name = \"before\"");
	struct setup s = setup(toml, "now.db"), o = setup(before, "before.db");
	struct asked asked = { .study = o.study };
	struct gates g;
	struct gates_ask ask = { .baselines = s.dir, .other = other_study, .ctx = &asked };
	s.plan->grid->path = "studies/now.toml";
	OK(gates_judge(&g, s.study, &ask, e));
	struct gate_result r = g.results[0];
	cr_assert_str_eq(asked.grid, "studies/before.toml", "beside the gate's own file");
	cr_assert_eq(r.verdict, GATE_PASS, "%s", r.why);
	cr_assert_eq(r.test, GATE_PAIRED_T);
	cr_assert(fabs(r.diff + 1.52) < 1e-12, "%g", r.diff); /* arm 1: 1.5 + 0.01 seed above arm 0 */
	cr_assert_not_null(strstr(r.why, "base is better than EMA teacher of studies/before.toml, by about 1.52"), "%s",
	                   r.why);
	gates_release(&g);
	asked.study = NULL;
	OK(gates_judge(&g, s.study, &ask, e));
	cr_assert_eq(g.results[0].verdict, GATE_ERROR);
	cr_assert_not_null(strstr(g.results[0].why, "against_grid: studies/before.toml: no such file"), "%s",
	                   g.results[0].why);
	gates_release(&g);
	ask.other = NULL;
	OK(gates_judge(&g, s.study, &ask, e));
	cr_assert_eq(g.results[0].verdict, GATE_ERROR);
	gates_release(&g);
	done(&s), done(&o);
}

/* The key is part of a plan's hash only where it is given: plans of older programs keep theirs. */
Test(gate_grid, a_plan_without_the_key_keeps_its_hash)
{
	SCOPED(free)
	char *toml = edited(fixture_grid, "against = \"l2\"\n", "against = \"l2\"\nagainst_grid = \"before.toml\"\n");
	SCOPED(plan) struct plan *without = fixture_plan(fixture_grid), *with = fixture_plan(toml);
	SCOPED(str) struct str a = { 0 }, b = { 0 };
	plan_json(&a, without), plan_json(&b, with);
	cr_assert_null(strstr(a.data, "against_grid"));
	cr_assert_not_null(strstr(b.data, "\"against_grid\":\"before.toml\""));
	cr_assert_str_neq(without->hash, with->hash);
}
