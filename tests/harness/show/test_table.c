/* test_table.c - tables from a database: numbers, states, notes, five formats, refusals, and the time they take. */
#include "harness/show/chart.h"
#include "harness/study/gate_grid.h"
#include "model/base/io.h"
#include "tests/common/table_fixture.h"

#include <jansson.h>
#include <time.h>

Test(table, means_are_over_evaluation_seeds_first_and_the_last_step_counts)
{
	struct setup s = setup(fixture_grid, fixture_default);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], s.pub, "ablate table four.toml", e));
	cr_assert_eq(t->n_rows, 4);
	/* seeds 1 2 3: 9.7 10.1 10.25, each + 0.05 from the second evaluation seed */
	const struct table_cell *c = at(t, 0, "fid@1");
	NEAR(c->value, 10.066666666666667, 1e-12);
	NEAR(c->sd, 0.28431203515386638, 1e-12);
	cr_assert_str_eq(c->text, "10.07 ± 0.28");
	cr_assert(c->best && c->n == 3);
	cr_assert_not(at(t, 1, "fid@1")->best);
	cr_assert_str_eq(at(t, 0, "delta")->text, "reference");
	NEAR(at(t, 1, "delta")->value, 1.52, 1e-12);
	cr_assert_str_eq(at(t, 1, "delta")->text, "+1.52 [+1.50, +1.54], p < 0.001");
	cr_assert_str_eq(t->cols[0].head, "FID-10k, 1 step");
	cr_assert(at(t, 1, "precision@1")->best, "more is better for precision");
	done(&s);
}

Test(table, the_papers_rule_is_the_least_of_the_evaluations_and_says_so)
{
	SCOPED(str) struct str toml = { 0 };
	const char *at_nfe = strstr(fixture_grid, "nfe = [1, 2]");
	str_addn(&toml, fixture_grid, (size_t)(at_nfe - fixture_grid));
	str_add(&toml, "agg = \"min3\"\n");
	str_add(&toml, at_nfe);
	struct setup s = setup(str_text(&toml), fixture_default);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], s.pub, "x", e));
	NEAR(at(t, 0, "fid@1")->value, 10.016666666666667, 1e-12); /* without the second evaluation's 0.1 */
	cr_assert_str_eq(t->cols[0].head, "FID-10k, 1 step (paper rule: minimum of the evaluations)");
	done(&s);
}

Test(table, failed_blocked_and_missing_cells_are_shown_as_such)
{
	struct setup s = setup(fixture_grid, fixture_default);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], s.pub, "x", e));
	const struct table_cell *c = at(t, 2, "fid@1");
	cr_assert_str_eq(c->text, "12.98 ± 0.30 (2 of 3)");
	cr_assert_str_eq(at(t, 2, "seeds")->text, "2 of 3");
	cr_assert_str_eq(at(t, 3, "fid@1")->text, "2 blocked, 1 pending");
	cr_assert_eq(at(t, 3, "fid@1")->kind, TABLE_STATE);
	cr_assert(isnan(at(t, 3, "fid@1")->value));
	cr_assert(has_note(t, "out of <memory>"));
	cr_assert(has_note(t, "needs weights lpips-vgg"));
	done(&s);
}

Test(table, the_published_value_stands_beside_ours_with_the_deviations)
{
	struct setup s = setup(fixture_grid, fixture_default);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], s.pub, "x", e));
	NEAR(at(t, 0, "paper")->value, 2.83, 0); /* the preset's full form answers for the base */
	NEAR(at(t, 0, "paper-delta")->value, 10.066666666666667 - 2.83, 1e-12);
	cr_assert_str_eq(at(t, 1, "paper")->text, "");
	cr_assert(has_note(t, "deviates from ict-cifar10"));
	cr_assert(has_note(t, "train.steps = "));
	cr_assert(has_note(t, "arXiv:2310.14189"));
	cr_assert(has_note(t, "protocol fid:inception-2015:tf-bilinear:u8:n10000:ref=cifar10-train"));
	cr_assert(has_note(t, "not compare like with like"), "10,000 samples beside a published FID-50k");
	done(&s);
}

/* A number that is known at second hand only is shown as such. */
Test(table, an_unconfirmed_value_has_a_question_mark)
{
	static const char values[] =
		"schema = 1\n[[paper]]\nid = \"arXiv:2310.14189\"\ncite = \"A 2024\"\n[[value]]\npaper = \"arXiv:2310.14189\"\n"
		"label = \"EMA teacher\"\ndata = \"cifar10\"\nmetric = \"fid\"\nnfe = 1\nvalue = 2.5\nfrom = \"table 1\"\n"
		"read_from = \"table\"\nconfirmed = false\n";
	struct setup s = setup(fixture_grid, fixture_default);
	SCOPED(published) struct published *own = NULL;
	SCOPED(table) struct table *t = NULL;
	OK(io_write_atomic(TMP("own.toml"), values, strlen(values), e));
	OK(published_read(&own, TMP("own.toml"), e));
	OK(table_build(&t, s.study, &s.plan->grid->tables[0], own, "x", e));
	cr_assert_str_eq(at(t, 1, "paper")->text, "2.5?");
	cr_assert_str_eq(at(t, 1, "paper-delta")->text, "+9.09");
	done(&s);
}

Test(table, paper_all_appends_every_published_row_of_the_data_set)
{
	SCOPED(free)
	char *toml = xstrfmt(
		"%s[[table]]\nname = \"all\"\ncols = [\"fid@1\", \"paper\", \"fid@2\", \"paper\"]\npaper = \"all\"\n",
		fixture_grid);
	struct setup s = setup(toml, fixture_default);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, &s.plan->grid->tables[1], s.pub, "x", e));
	int deep = -1, ict = 0;
	for (int r = 0; r < t->n_rows; r++) {
		deep = strcmp(t->labels[r], "iCT-deep") == 0 ? r : deep;
		ict += strcmp(t->labels[r], "iCT") == 0;
	}
	cr_assert_geq(deep, 4);
	cr_assert_eq(ict, 0, "our base row answers for iCT");
	NEAR(t->cells[deep * t->n_cols + 1].value, 2.51, 0);
	NEAR(t->cells[deep * t->n_cols + 3].value, 2.24, 0);
	cr_assert_str_eq(t->sections[deep], "published");
	/* a diffusion model's many steps have no column: the first one shows them, once, and the note says where they were
	 * read */
	int edm = -1;
	for (int r = 0; r < t->n_rows; r++)
		edm = strcmp(t->labels[r], "EDM") == 0 ? r : edm;
	cr_assert_geq(edm, 4);
	cr_assert_str_eq(t->cells[edm * t->n_cols + 1].text, "1.97 (35 steps)");
	cr_assert_str_eq(t->cells[edm * t->n_cols + 3].text, "");
	cr_assert(has_note(t, "Published fid of EDM: Karras et al. 2022"));
	done(&s);
}

static struct fixture_result all_done(int arm, int64_t seed)
{
	struct fixture_result r = fixture_default(arm, seed);
	r.state = "done", r.reason = "";
	return r;
}

static struct fixture_result other_protocol(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	r.protocol = arm == 2 ? "fid:other" : r.protocol;
	return r;
}

static struct fixture_result one_seed_differs(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	r.protocol = seed == 2 ? "fid:other" : r.protocol;
	return r;
}

Test(table, mixed_protocols_are_refused_with_the_list)
{
	struct setup s = setup(fixture_grid, other_protocol);
	struct table *t = NULL;
	struct err bad = ERR_INIT;
	cr_assert_eq(table_build(&t, s.study, &s.plan->grid->tables[0], s.pub, "x", &bad), -1);
	cr_assert_eq(bad.code, EXIT_RECORD);
	cr_assert(strstr(bad.msg, "fid:other") && strstr(bad.msg, "fid:inception-2015"), "%s", bad.msg);
	/* a table about the protocols says so: each is told with its rows, and none of the rows is the best */
	struct grid_table across = s.plan->grid->tables[0];
	across.across = true;
	SCOPED(table) struct table *both = NULL;
	OK(table_build(&both, s.study, &across, s.pub, "x", e));
	int told = 0;
	for (int i = 0; i < both->n_notes; i++)
		told += strstr(both->notes[i], "protocol fid:other of ") ||
		        strstr(both->notes[i], "different protocols on purpose");
	cr_assert_geq(told, 2);
	for (int r = 0; r < both->n_rows; r++)
		cr_assert_not(at(both, r, "fid@1")->best);
	done(&s);
}

Test(table, seeds_of_one_arm_with_two_protocols_are_refused)
{
	struct setup s = setup(fixture_grid, one_seed_differs);
	struct table *t = NULL;
	struct err bad = ERR_INIT;
	cr_assert_eq(table_build(&t, s.study, &s.plan->grid->tables[0], s.pub, "x", &bad), -1);
	cr_assert_eq(bad.code, EXIT_RECORD);
	done(&s);
}

static struct fixture_result one_nan(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	r.fid = arm == 1 && seed == 2 ? NAN : r.fid;
	return r;
}

Test(table, a_nan_is_never_a_number_nor_the_best)
{
	struct setup s = setup(fixture_grid, one_nan);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	cr_assert_str_eq(at(t, 1, "fid@1")->text, "diverged");
	cr_assert(at(t, 0, "fid@1")->best && !at(t, 1, "fid@1")->best);
	SCOPED(free) char *json = written(t, "json"), *csv = written(t, "csv");
	cr_assert_null(strstr(json, "nan"));
	cr_assert_null(strstr(csv, "nan"));
	done(&s);
}

static struct fixture_result nearly_equal(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	r.fid = 10 + (double)seed + 1e-7 * arm;
	return r;
}

Test(table, rows_that_print_the_same_are_not_told_apart)
{
	struct setup s = setup(fixture_grid, nearly_equal);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	cr_assert_str_eq(at(t, 0, "fid@1")->text, at(t, 1, "fid@1")->text);
	cr_assert_neq(at(t, 0, "fid@1")->value, at(t, 1, "fid@1")->value);
	cr_assert(strncmp(at(t, 1, "delta")->text, "0.0 [", 5) == 0, "what prints as nothing has no sign");
	cr_assert_not(at(t, 0, "fid@1")->best, "where all are equal none is best");
	cr_assert_not(at(t, 1, "fid@1")->best);
	done(&s);
}

static struct fixture_result best_is_incomplete(int arm, int64_t seed)
{
	struct fixture_result r = all_done(arm, seed);
	r.fid = arm == 2 ? 1 : 10 + arm + 0.1 * (double)seed;
	if (arm == 2 && seed == 3)
		r.state = "failed", r.reason = "told to";
	return r;
}

/* The seed that is missing may be the one that went wrong. */
Test(table, an_arm_that_lacks_a_seed_is_not_the_best)
{
	struct setup s = setup(fixture_grid, best_is_incomplete);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	cr_assert_lt(at(t, 2, "fid@1")->value, at(t, 0, "fid@1")->value);
	cr_assert(at(t, 0, "fid@1")->best && !at(t, 2, "fid@1")->best);
	done(&s);
}

/* fixture_grid with other words in the place of some. Heap text. */
static char *rewritten(const char *const (*words)[2], int n)
{
	struct str out = { 0 };
	for (const char *at = fixture_grid; *at;) {
		int i = 0;
		while (i < n && strncmp(at, words[i][0], strlen(words[i][0])) != 0)
			i++;
		if (i < n)
			str_add(&out, words[i][1]), at += strlen(words[i][0]);
		else
			str_addc(&out, *at++);
	}
	return str_detach(&out);
}

/* One number has no spread, not one of "nan" or 0. */
Test(table, one_seed_has_no_spread)
{
	SCOPED(free) char *toml = rewritten((const char *const[][2]){ { "train = [1, 2, 3]", "train = [1]" } }, 1);
	struct setup s = setup(toml, all_done);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	cr_assert_str_eq(at(t, 0, "fid@1")->text, "9.75");
	done(&s);
}

/* The names of chains are as foreign as those of rows. */
Test(table, sections_are_escaped_too)
{
	SCOPED(free)
	char *toml = rewritten((const char *const[][2]){ { "name = \"single\"", "name = \"a|b*c\"" },
	                                                 { "chain = \"single\"", "chain = \"a|b*c\"" } },
	                       2);
	struct setup s = setup(toml, all_done);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	SCOPED(free) char *md = written(t, "md");
	cr_assert_not_null(strstr(md, "a\\|b\\*c"), "%s", md);
	cr_assert_null(strstr(md, "a|b"), "%s", md);
	done(&s);
}

Test(table, nothing_run_yet_is_a_table_of_pending_cells)
{
	struct plan *p = fixture_plan(fixture_grid);
	struct study *study;
	OK(study_load(&study, p, NULL, e));
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, study, NULL, NULL, "x", e));
	cr_assert_str_eq(at(t, 0, "fid@1")->text, "pending");
	cr_assert_str_eq(at(t, 0, "seeds")->text, "0 of 3");
	for (int i = 0, n; i < (table_formats(&n), n); i++) {
		SCOPED(free) char *text = written(t, table_formats(&n)[i].name);
		cr_assert(strlen(text) > 20);
	}
	study_free(study);
	plan_free(p);
}

Test(table, names_are_escaped_in_every_format)
{
	struct setup s = setup(fixture_grid, all_done);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "ablate table x --y\nz", e));
	SCOPED(free)
	char *md = written(t, "md"), *tex = written(t, "tex"), *csv = written(t, "csv"), *json = written(t, "json");
	cr_assert_not_null(strstr(md, "uniform noise &amp; &lt;i&gt;50%&lt;/i&gt; \\| =1+1 \\#\\_x"), "%s", md);
	cr_assert_not_null(strstr(md, "ablate table x - -y z; values sha256:"), "%s", md);
	cr_assert_not_null(strstr(tex, "uniform noise \\& \\textless{}i\\textgreater{}50\\%"), "%s", tex);
	cr_assert_not_null(strstr(tex, "$\\pm$"));
	cr_assert_not_null(strstr(csv, "single,uniform noise & <i>50%</i> | =1+1 #_x,"), "%s", csv);
	struct json_error_t je;
	json_t *j = json_loads(json, 0, &je);
	cr_assert_not_null(j, "%s", je.text);
	json_decref(j);
	/* every row of a CSV or Markdown table has as many fields as its head */
	int bars = -1;
	for (char *line = strstr(md, "\n|"); line && line[1] == '|'; line = strchr(line + 1, '\n')) {
		int n = 0;
		for (char *p = line + 1; *p && *p != '\n'; p++)
			n += *p == '|' && p[-1] != '\\';
		bars = bars < 0 ? n : bars;
		cr_assert_eq(n, bars, "%.80s", line);
	}
	done(&s);
}

Test(table, check_finds_the_first_line_that_differs)
{
	struct setup s = setup(fixture_grid, all_done);
	SCOPED(table) struct table *t = NULL;
	OK(table_build(&t, s.study, NULL, NULL, "x", e));
	struct err bad = ERR_INIT;
	static const char *const extensions[] = { "md", "tex", "csv", "json", "txt" };
	for (int i = 0; i < 5; i++) {
		SCOPED(free) char *path = xstrfmt("%s/t.%s", tmpdir(), extensions[i]), *text = written(t, extensions[i]);
		OK(io_write_atomic(path, text, strlen(text), e));
		cr_assert_eq(table_check(t, path, &bad), 0, "%s", bad.msg);
		char *digit = strstr(text, "10.0");
		cr_assert_not_null(digit);
		*digit = '9';
		OK(io_write_atomic(path, text, strlen(text), e));
		cr_assert_eq(table_check(t, path, &bad), -1);
		cr_assert_eq(bad.code, EXIT_RECORD);
	}
	cr_assert_eq(table_check(t, "x.doc", &bad), -1);
	cr_assert_eq(bad.code, EXIT_USAGE);
	done(&s);
}

Test(table, unknown_columns_are_named)
{
	SCOPED(free) char *toml = xstrfmt("%s[[table]]\nname = \"bad\"\ncols = [\"fid@1\", \"seeds\"]\n", fixture_grid);
	struct plan *p = fixture_plan(toml);
	struct study *study;
	OK(study_load(&study, p, NULL, e));
	struct err bad = ERR_INIT;
	struct table *t = NULL;
	p->grid->tables[1].cols[1] = "sedes"; /* the grid's reader would have refused it, too */
	cr_assert_eq(table_build(&t, study, &p->grid->tables[1], NULL, "x", &bad), -1);
	cr_assert_eq(bad.code, EXIT_USAGE);
	cr_assert_not_null(strstr(bad.msg, "did you mean seeds"), "%s", bad.msg);
	study_free(study);
	plan_free(p);
}

Test(table, bulk_and_single_reading_agree)
{
	SCOPED(str) struct str toml = { 0 };
	str_add(&toml, fixture_grid);
	str_add(&toml, "[[axis]]\nkey = \"loss.c\"\nrange = { start = 0.01, stop = 0.8, step = 0.01 }\n");
	struct plan *many = fixture_plan(str_text(&toml));
	cr_assert_geq(many->n_cells, STUDY_BULK_FROM, "nothing is read in bulk");
	cr_assert(many->n_cells / 2 < STUDY_BULK_FROM && many->n_cells % 2 == 0, "%d: its halves are not read cell by cell",
	          many->n_cells);
	struct db *db = fixture_db("bulk.db", many, all_done, 0);
	struct study *a, *b;
	/* A later done attempt at a cell never replaces the first: neither way may read its scores. */
	OK(db_begin(db, e));
	OK(db_exec(
		db, e,
		"INSERT INTO attempt(id, cell, n, state, started) VALUES('later', ?, 2, 'done', '2026-02-01T00:00:00.000Z')",
		"s", many->cells[7].hash));
	fixture_metric(db, "later", "fid", 1, 1000, 101, 99, "fid:inception-2015:tf-bilinear:u8:n10000:ref=cifar10-train");
	OK(db_commit(db, e));
	OK(study_load(&a, many, db, e));
	int cells = many->n_cells;
	for (int half = 0; half < 2; half++) { /* cell by cell, in two parts */
		struct plan part = *many;
		part.cells = many->cells + half * (cells / 2);
		part.n_cells = cells / 2;
		OK(study_load(&b, &part, db, e));
		for (int i = 0; i < part.n_cells; i++) {
			const struct study_cell *x = &a->cells[half * (cells / 2) + i], *y = &b->cells[i];
			cr_assert_str_eq(x->hash, y->hash);
			cr_assert_eq(x->state, y->state);
			cr_assert_eq(x->n_scores, y->n_scores);
			for (int k = 0; k < x->n_scores; k++)
				cr_assert(x->scores[k].value == y->scores[k].value && !strcmp(x->scores[k].name, y->scores[k].name));
		}
		study_free(b);
	}
	for (int k = 0; k < a->cells[7].n_scores; k++)
		cr_assert_lt(a->cells[7].scores[k].value, 50);
	study_free(a);
	db_close(db);
	plan_free(many);
}

/* --- gates over a study ------------------------------------------------------------------------------------------- */

Test(gates, arms_are_judged_against_arms_and_baselines)
{
	struct setup s = setup(fixture_grid, all_done);
	struct gates g;
	struct err bad = ERR_INIT;
	char *dir = TMP("baselines");
	OK(gates_judge(&g, s.study, &(struct gates_ask){ .baselines = dir }, e));
	cr_assert_eq(g.n, 2);
	cr_assert_eq(g.results[0].verdict, GATE_PASS, "%s", g.results[0].why);
	cr_assert_eq(g.results[0].test, GATE_PAIRED_T);
	cr_assert_eq(g.results[0].n_cand, 3);
	cr_assert_eq(g.results[1].verdict, GATE_ERROR);
	cr_assert_not_null(strstr(g.results[1].why, "ablate baseline propose"), "%s", g.results[1].why);
	gates_release(&g);
	/* propose, accept, judge: a build is not worse than itself */
	struct baseline b;
	SCOPED(str) struct str text = { 0 };
	SCOPED(free) char *path = baseline_path(dir, "four", "no-regression", false);
	OK(gates_propose(&b, s.study, &s.plan->grid->gates[1], "c1", "e1", "t", e));
	OK(baseline_accept(&b, NULL, NULL, "first", "t", e));
	baseline_text(&text, &b);
	baseline_release(&b);
	OK(io_mkdirs(dir, e));
	OK(io_write_atomic(path, text.data, text.len, e));
	static const char *const one[] = { "no-regression" }, *const none[] = { "no-regresion" };
	OK(gates_judge(&g, s.study, &(struct gates_ask){ .baselines = dir, .names = one, .n_names = 1 }, e));
	cr_assert_eq(g.n, 1);
	cr_assert_eq(g.results[0].verdict, GATE_PASS, "%s", g.results[0].why);
	NEAR(g.results[0].diff, 0, 0);
	NEAR(g.results[0].margin, 0.05 * 10.066666666666667, 1e-12);
	gates_release(&g);
	cr_assert_eq(gates_judge(&g, s.study, &(struct gates_ask){ .baselines = dir, .names = none, .n_names = 1 }, &bad),
	             -1);
	cr_assert_eq(bad.code, EXIT_USAGE);
	done(&s);
}

Test(gates, a_missing_seed_is_an_error_with_its_reason_but_not_under_looks)
{
	struct setup s = setup(fixture_grid, fixture_default);
	struct gates g;
	OK(gates_judge(&g, s.study, &(struct gates_ask){ .baselines = "/nonexistent" }, e));
	cr_assert_eq(g.results[0].verdict, GATE_ERROR);
	cr_assert_not_null(strstr(g.results[0].why, "l2 has no fid for seed 1 (running"), "%s", g.results[0].why);
	gates_release(&g);
	struct baseline b;
	struct err bad = ERR_INIT;
	struct grid_gate gate = s.plan->grid->gates[0];
	gate.rule.arm = "l2";
	cr_assert_eq(gates_propose(&b, s.study, &gate, "c", "e", "t", &bad), -1);
	cr_assert_eq(bad.code, EXIT_INCOMPLETE);
	/* arm "uniform" lacks its third seed: a look at two seeds can be read */
	struct grid_gate *looks = &s.plan->grid->gates[0];
	looks->rule.against = "uniform", looks->rule.looks[0] = 2, looks->rule.looks[1] = 3, looks->rule.n_looks = 2;
	OK(gates_judge(&g, s.study, &(struct gates_ask){ .baselines = "/nonexistent" }, e));
	cr_assert_eq(g.results[0].look, 1, "%s", g.results[0].why);
	cr_assert_eq(g.results[0].n_cand, 2);
	NEAR(g.results[0].alpha, 0.025, 0);
	gates_release(&g);
	done(&s);
}

Test(gates, power_names_the_seeds_that_are_needed)
{
	struct gate_rule r = { .name = "g", .metric = "fid@1", .alpha = 0.05, .margin = 2, .paired = true };
	struct gate_result judged = { .rule = &r,
		                          .test = GATE_PAIRED_T,
		                          .n_cand = 4,
		                          .n_base = 4,
		                          .share = 1,
		                          .rho = 0.5,
		                          .margin = 2,
		                          .mean_base = 10 };
	SCOPED(str) struct str s = { 0 };
	gate_power_text(&s, &judged, 1);
	cr_assert_not_null(strstr(s.data, "\n    3  "), "%s", s.data);
	cr_assert_not_null(strstr(s.data, "\n    4  "), "%s", s.data);
	cr_assert_not_null(strstr(s.data, "4 seeds a side give 80 % at the margin 2"), "%s", s.data);
}

Test(charts, every_kind_is_built_from_a_study)
{
	struct plan *p = fixture_plan(fixture_grid);
	struct db *db = fixture_db("chart.db", p, fixture_default, 30);
	struct study *study;
	OK(study_load(&study, p, db, e));
	int n;
	const struct chart_kind *kinds = chart_kinds(&n);
	for (int i = 0; i < n; i++) {
		struct chart_ask ask = {
			.kind = kinds[i].name, .chain = "single", .metric = "", .curve = "", .knob = "train.batch", .runs = ""
		};
		struct chart *c;
		struct err bad = ERR_INIT;
		int rc = chart_build(&c, study, &ask, &bad);
		/* no picture is kept, nothing was measured on the way, and the swept setting is the same in all arms */
		bool none = strstr("samples metric sweep", kinds[i].name) != NULL;
		cr_assert_eq(rc, none ? -1 : 0, "%s: %s", kinds[i].name, bad.msg);
		if (rc)
			continue;
		SCOPED(str) struct str svg = { 0 };
		OK(figure_render(&svg, &c->figure, "svg", e));
		if (strcmp(kinds[i].name, "curves") == 0) {
			const struct figure_series *s = &c->figure.panels[0].series[0];
			cr_assert_eq(s->n, 30);
			NEAR(s->x[0], 10, 0);
			NEAR(s->y[0], 1.02, 1e-12); /* mean over seeds 1, 2, 3 */
			NEAR(s->hi[0] - s->y[0], 0.01, 1e-12);
		}
		if (strcmp(kinds[i].name, "sigma") == 0) { /* a density in ln sigma integrates to 1 */
			for (int k = 0; k < c->figure.panels[0].n_series; k++) {
				const struct figure_series *s = &c->figure.panels[0].series[k];
				double sum = 0;
				for (int j = 0; j + 1 < s->n; j++)
					sum += s->y[j] * log(s->x[j + 1] / s->x[j]);
				NEAR(sum, 1, 1e-9);
			}
			cr_assert_eq(c->figure.panels[0].n_series, 2, "arms with the same schedule are one line");
		}
		chart_free(c);
	}
	struct chart *c;
	struct err bad = ERR_INIT;
	cr_assert_eq(chart_build(&c, study,
	                         &(struct chart_ask){ .kind = "pie", .chain = "", .metric = "", .curve = "", .knob = "" },
	                         &bad),
	             -1);
	cr_assert_eq(bad.code, EXIT_USAGE);
	cr_assert_eq(
		chart_build(&c, study,
	                &(struct chart_ask){ .kind = "bars", .chain = "none", .metric = "", .curve = "", .knob = "" },
	                &bad),
		-1);
	cr_assert_eq(
		chart_build(&c, study,
	                &(struct chart_ask){ .kind = "sweep", .chain = "", .metric = "", .curve = "", .knob = "loss.cc" },
	                &bad),
		-1);
	study_free(study);
	db_close(db);
	plan_free(p);
}
