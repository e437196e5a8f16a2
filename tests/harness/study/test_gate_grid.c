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

/* A name that is mistyped in CI must not be a gate that passes. */
Test(gate_grid, a_gate_that_is_not_there_is_an_error)
{
	static const char *const names[] = { "no-regression", "no-regresion" };
	struct setup s = setup(fixture_grid, "names.db");
	struct gates g;
	struct err bad = ERR_INIT;
	const struct gates_ask ask = { .baselines = s.dir, .names = names, .n_names = 2 };
	cr_assert_eq(gates_judge(&g, s.study, &ask, &bad), -1);
	cr_expect_eq(bad.code, EXIT_USAGE);
	cr_expect_not_null(strstr(bad.msg, "has no gate 'no-regresion'"), "%s", bad.msg);
	done(&s);
}

/* Many small steps: no worse than the last baseline, and far from the first. */
Test(gate_grid, the_first_baseline_is_looked_at_too)
{
	struct setup s = setup(fixture_grid, "drift.db");
	struct grid_gate *gate = &s.plan->grid->gates[1];
	for (int worse = 0; worse < 2; worse++) {
		SCOPED(free) char *path = baseline_path(s.dir, "four", "no-regression", false);
		SCOPED(str) struct str text = { 0 };
		SCOPED(baseline) struct baseline old = { 0 }, now = { 0 };
		struct gates g;
		OK(gates_propose(&old, s.study, gate, "c1", "e", "t", e));
		for (int i = 0; i < old.now.n && worse; i++)
			old.now.value[i] -= 5;
		OK(baseline_accept(&old, NULL, NULL, "first", "t", e));
		OK(gates_propose(&now, s.study, gate, "c2", "e", "t", e));
		OK(baseline_accept(&now, &old, "abc", "second", "t", e));
		baseline_text(&text, &now);
		OK(io_write_atomic(path, text.data, text.len, e));
		struct gate_result r = judged(&s, &g, "no-regression", false);
		cr_expect_eq(r.verdict, worse ? GATE_FAIL : GATE_PASS, "%s", r.why);
		cr_expect_eq(strstr(r.why, "first baseline") != NULL, worse, "%s", r.why);
		gates_release(&g);
	}
	done(&s);
}

static struct fixture_result one_nan(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	r.fid = arm == 0 && seed == 2 ? NAN : r.fid;
	return r;
}

static struct fixture_result second_missing(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	if (arm == 3 && seed == 2)
		r.state = "failed", r.reason = "told to";
	return r;
}

static struct setup setup_with(fixture_fn *result, const char *db)
{
	struct setup s = { .plan = fixture_plan(fixture_grid), .dir = TMP("baselines") };
	s.db = fixture_db(db, s.plan, result, 0);
	OK(study_load(&s.study, s.plan, s.db, e));
	return s;
}

/* Everything is no worse than a NaN. */
Test(gate_grid, what_is_no_number_is_no_baseline)
{
	struct setup s = setup_with(one_nan, "nan.db");
	struct baseline b;
	struct err bad = ERR_INIT;
	cr_assert_eq(gates_propose(&b, s.study, &s.plan->grid->gates[1], "c", "e", "t", &bad), -1);
	cr_expect_eq(bad.code, EXIT_INCOMPLETE);
	cr_expect_not_null(strstr(bad.msg, "seed 2 of base gave no number"), "%s", bad.msg);
	done(&s);
}

/* Looks are at the first so many seeds, as declared: of seeds 1 and 3 none is reached, whichever side lacks the second;
 * else the seeds that went well would be chosen. */
Test(gate_grid, a_look_is_at_seeds_in_their_order_on_both_sides)
{
	struct setup s = setup_with(second_missing, "looks.db");
	struct gate_rule *rule = &s.plan->grid->gates[0].rule;
	rule->looks[0] = 2, rule->looks[1] = 3, rule->n_looks = 2;
	for (int turned = 0; turned < 2; turned++) {
		struct gates g;
		rule->arm = turned ? "l2" : "base", rule->against = turned ? "base" : "l2";
		struct gate_result r = judged(&s, &g, "l2-is-not-better", false);
		cr_expect_eq(r.look, 0, "look %d: %s", r.look, r.why);
		cr_expect_not_null(strstr(r.why, "1 seed so far; the first declared look is at 2"), "%s", r.why);
		gates_release(&g);
	}
	done(&s);
}
