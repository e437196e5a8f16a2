/* test_grid.c - the grid language: what the examples expand to, what changes an identity and what does not, and where
 * each mistake is reported. */
#include "model/base/mem.h"
#include "tests/harness/grid/grid_fixture.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct plan *must_read(const char *path)
{
	struct err e = ERR_INIT;
	struct grid *g = NULL;
	struct plan *p = NULL;
	cr_assert_eq(grid_read(&g, path, &e), 0, "%s", e.msg);
	cr_assert_eq(plan_expand(&p, g, NULL, &e), 0, "%s", e.msg);
	return p;
}

static const char *arm_of(const struct plan *p, const char *label)
{
	struct err e = ERR_INIT;
	int arm;
	cr_assert_eq(plan_find_arm(&arm, p, label, &e), 0, "%s", e.msg);
	return p->arms[arm].hash;
}

/* ---- the examples ----------------------------------------------------------------------------------------------- */

Test(grid, three_chains_share_their_equal_arms)
{
	SCOPED(plan) struct plan *p = must_read(FIXTURES "/grids/ict-four.toml");
	cr_assert_eq(p->n_rows, 15);
	cr_assert_eq(p->n_arms, 11);
	cr_assert_eq(p->n_cells, 33);
	cr_assert_str_eq(arm_of(p, "cumulative/base"), arm_of(p, "single/base"));
	cr_assert_str_eq(arm_of(p, "cumulative/+ no EMA teacher"), arm_of(p, "no-ema"));
	cr_assert_str_eq(arm_of(p, "cumulative/+ doubling N(k)"), arm_of(p, "minus-one/full"));
	cr_assert_eq(p->grid->budget.cell_wall_s, 7200);
	cr_assert_eq(p->grid->n_metrics, 1);
	cr_assert_eq(p->grid->seeds.n_eval, 2);
}

Test(grid, product_less_excludes_plus_include)
{
	SCOPED(plan) struct plan *p = must_read(FIXTURES "/grids/ict-interactions.toml");
	cr_assert_eq(p->n_arms, 27);
	cr_assert_eq(p->n_cells, 81);
	cr_assert_eq(p->grid->n_sources, 2);
	/* [base] of the inherited file is underneath: its preset and its steps */
	cr_assert_eq(p->arms[0].config.train.steps, 20000);
	cr_assert_eq(p->arms[0].config.net.channels, 64);
	cr_assert_str_eq(p->rows[26].name, "small c");
}

Test(grid, gate_example)
{
	SCOPED(plan) struct plan *p = must_read(FIXTURES "/grids/ci-gate.toml");
	cr_assert_eq(p->n_arms, 2);
	cr_assert_eq(p->n_cells, 10);
	cr_assert_eq(p->grid->n_gates, 2);
	const struct gate_rule *r = &p->grid->gates[0].rule;
	cr_assert(r->kind == GATE_NON_INFERIORITY && r->margin_relative && r->margin == 0.05 && r->paired &&
	          r->fail_on_inconclusive);
	cr_assert(r->n_looks == 2 && r->looks[1] == 5);
	cr_assert(p->grid->gates[1].rule.kind == GATE_SUPERIORITY && !p->grid->gates[1].rule.fail_on_inconclusive);
	cr_assert_eq(p->grid->budget.grid_wall_s, 1200);
}

Test(grid, expressions_are_numbers_of_the_data)
{
	SCOPED(plan) struct plan *p = must_read(FIXTURES "/grids/ict-four.toml");
	struct err e = ERR_INIT;
	int arm;
	cr_assert_eq(plan_find_arm(&arm, p, "huber", &e), 0, "%s", e.msg);
	cr_assert_float_eq(p->arms[arm].config.loss.c.value, 0.02993, 1e-5);
	cr_assert_null(strstr(p->arms[arm].json, "sqrt(d)"));
}

/* ---- identity --------------------------------------------------------------------------------------------------- */

/* The key came later than the hashes of plans that are in records: its default is in none. */
Test(grid, the_default_time_between_checkpoints_is_in_no_hash)
{
	SCOPED(plan)
	struct plan *none = must(GRID STUDY), *said = must(GRID STUDY "[budget]\ncell={checkpoint='10m'}\n"),
				*other = must(GRID STUDY "[budget]\ncell={checkpoint='0s'}\n");
	cr_assert_eq(none->grid->budget.cell_checkpoint_s, 600);
	cr_assert_eq(other->grid->budget.cell_checkpoint_s, 0);
	cr_assert_str_eq(none->hash, said->hash);
	cr_assert_str_neq(none->hash, other->hash);
	cr_assert_str_eq(none->cells[0].hash, other->cells[0].hash);
}

Test(grid, spelling_and_order_change_no_hash)
{
	SCOPED(plan)
	struct plan *a = must(GRID STUDY "train.steps = 10\nnoise.std = 0.5\nloss = { kind = \"l2\" }\n"
	                                 "[[axis]]\nkey = \"optim.lr\"\nvalues = [1e-3, 2e-3]\n");
	SCOPED(plan)
	struct plan *b = must(
		"# other comments\n" GRID "axis = [ { values = [0.001, 0.002], key = \"optim.lr\" } ]\n"
		"[base]\n\"loss.kind\" = 'l2'\nnoise = { std = 5e-1 }\ntrain.steps = 0xA\n"
		"preset = \"ict-shapes8-ci\"\n[grid]\nseeds = { train = { start = 1, count = 2 } }\nname = \"g\"\n");
	cr_assert_eq(a->n_cells, 4);
	cr_assert_eq(b->n_cells, 4);
	for (int i = 0; i < 4; i++)
		cr_assert_str_eq(a->cells[i].hash, b->cells[i].hash);
	cr_assert_str_eq(a->hash, b->hash);
}

Test(grid, every_layer_overrides_the_one_below)
{
	static const char text[] = GRID STUDY "optim.lr = 0.002\n[[axis]]\nkey = \"optim.lr\"\nvalues = [0.003]\n";
	struct err e = ERR_INIT;
	SCOPED(plan)
	struct plan *preset = must(GRID STUDY), *base = must(GRID STUDY "optim.lr = 0.002\n"), *axis = must(text);
	SCOPED(plan) struct plan *set = expand_text(text, "optim.lr=0.004", &e);
	cr_assert_eq(preset->arms[0].config.optim.lr, 0.001);
	cr_assert_eq(base->arms[0].config.optim.lr, 0.002);
	cr_assert_eq(axis->arms[0].config.optim.lr, 0.003);
	cr_assert_eq(set->arms[0].config.optim.lr, 0.004);
	cr_assert_str_neq(set->arms[0].hash, axis->arms[0].hash);
}

Test(grid, a_preset_may_vary_and_be_set)
{
	static const char text[] = GRID STUDY
		"optim.lr = 0.002\n[[axis]]\nkey = \"preset\"\nvalues = [\"ict-shapes8-ci\", \"ict-cifar10-tiny\"]\n";
	struct err e = ERR_INIT;
	SCOPED(plan) struct plan *p = must(text);
	cr_assert_eq(p->n_arms, 2);
	cr_assert_str_eq(p->arms[1].config.data.name, "cifar10");
	cr_assert_eq(p->arms[1].config.optim.lr, 0.002);
	cr_assert_str_eq(p->arms[1].preset, "ict-cifar10-tiny");
	SCOPED(plan) struct plan *set = expand_text(text, "preset=ect-cifar10-tiny", &e);
	cr_assert(set && set->n_arms == 1 && set->n_rows == 2, "%s", e.msg);
	cr_assert_str_eq(set->arms[0].preset, "ect-cifar10-tiny");
}

Test(grid, settings_judged_before_set_overrides_them)
{
	/* --set makes the excluded axis constant: the exclude still means the rows that the file means. */
	static const char text[] = GRID
		"axis = [ { key = \"loss.kind\", values = [\"l2\", \"l1\", \"pseudo-huber\"] } ]\n"
		"exclude = [ { when = { \"loss.kind\" = \"l1\" } } ]\ninclude = [ { label = \"i\", set = { \"loss.kind\" = "
		"\"lpips\" } } ]\n" STUDY;
	struct err e = ERR_INIT;
	SCOPED(plan) struct plan *p = expand_text(text, "loss.kind=l2", &e);
	cr_assert(p, "%s", e.msg);
	cr_assert_eq(p->n_rows, 3);
	cr_assert_eq(p->n_arms, 1);
}

Test(grid, cells_depend_on_seed_data_and_numerics)
{
	char a[SHA256_HEX], b[SHA256_HEX];
	cell_hash(a, "x", 1, 1, "d");
	cell_hash(b, "x", 2, 1, "d");
	cr_assert_str_neq(a, b);
	cell_hash(b, "x", 1, 2, "d");
	cr_assert_str_neq(a, b);
	cell_hash(b, "x", 1, 1, "e");
	cr_assert_str_neq(a, b);
	cell_hash(b, "x", 1, 1, "d");
	cr_assert_str_eq(a, b);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

Test(grid, ranges_and_logs)
{
	SCOPED(plan)
	struct plan *p = must(GRID "axis = [ { key = \"noise.std\", range = { start = 0.1, stop = 0.5, step = 0.1 } },\n"
	                           "{ key = \"train.steps\", log = { start = 10, stop = 1280, num = 8 } },\n"
	                           "{ key = \"train.batch\", range = { start = 8, stop = 4, step = -2 }, "
	                           "labels = [\"a\", \"b\", \"c\"] } ]\n" STUDY);
	cr_assert_eq(p->n_arms, 5 * 8 * 3);
	cr_assert_eq(p->arms[2 * 24].config.noise.std, 0.3);
	cr_assert_eq(p->arms[4 * 24].config.noise.std, 0.5);
	cr_assert_eq(p->arms[3].config.train.steps, 20);
	cr_assert_eq(p->arms[21].config.train.steps, 1280);
	cr_assert_eq(p->arms[2].config.train.batch, 4);
	cr_assert_str_eq(p->rows[1].name, "noise.std=0.1, train.steps=10, b");
}

Test(grid, chain_modes)
{
	static const char variants[] =
		"[variants]\na = { set = { \"loss.kind\" = \"l2\" } }\nb = { label = \"B\", set = { \"noise.dist\" = "
		"\"uniform\" }, needs = [\"lpips-vgg\"] }\n"
		"c = { set = { \"disc.s1\" = 20 } }\n";
	SCOPED(free)
	char *f = xstrfmt(GRID STUDY "%s[[chain]]\nname = \"f\"\nmode = \"factorial\"\nsteps = [\"a\", \"b\", \"c\"]\n",
	                  variants);
	SCOPED(plan) struct plan *p = must(f);
	cr_assert_eq(p->n_rows, 8);
	cr_assert_eq(p->n_arms, 8);
	cr_assert_str_eq(p->rows[0].name, "f/base");
	cr_assert_str_eq(p->rows[3].name, "f/a + B");
	cr_assert_eq(p->arms[3].n_needs, 1);
	cr_assert_eq(p->arms[5].n_needs, 0);
	SCOPED(free)
	char *m = xstrfmt(GRID STUDY "%s[[chain]]\nname = \"m\"\nmode = \"full-minus-one\"\nsteps = [\"a\", \"b\"]\n"
	                             "[[chain]]\nname = \"c\"\nmode = \"cumulative\"\nsteps = [\"a\", \"b\"]\n",
	                  variants);
	SCOPED(plan) struct plan *q = must(m);
	cr_assert_eq(q->n_rows, 6);
	cr_assert_eq(q->n_arms, 4);
	cr_assert_str_eq(arm_of(q, "m/full"), arm_of(q, "c/+ B"));
	cr_assert_str_eq(arm_of(q, "m/- B"), arm_of(q, "c/+ a"));
	cr_assert_str_eq(arm_of(q, "m/- a"), arm_of(p, "f/B"));
}

Test(grid, a_grid_without_rows_is_its_base)
{
	SCOPED(plan) struct plan *p = must(GRID STUDY);
	cr_assert(p->n_rows == 1 && p->n_arms == 1 && p->n_cells == 2);
	cr_assert_str_eq(p->rows[0].name, "base");
}

Test(grid, only_keeps_named_rows)
{
	struct err e = ERR_INIT;
	struct grid *g = NULL;
	struct plan *p = NULL;
	cr_assert_eq(grid_read(&g, FIXTURES "/grids/ict-four.toml", &e), 0);
	static const char *const only[] = { "huber", "minus-one/*" };
	struct plan_options opt = { .only = only, .n_only = 2 };
	cr_assert_eq(plan_expand(&p, g, &opt, &e), 0, "%s", e.msg);
	cr_assert_eq(p->n_rows, 6);
	cr_assert_eq(p->n_arms, 6);
	cr_assert_eq(p->n_cells, 18);
	for (int i = 0; i < p->n_rows; i++)
		cr_assert_eq(p->arms[p->rows[i].arm].rows[0], i);
	plan_free(p);
	cr_assert_eq(grid_read(&g, FIXTURES "/grids/ict-four.toml", &e), 0);
	static const char *const wrong[] = { "hubre" };
	opt = (struct plan_options){ .only = wrong, .n_only = 1 };
	cr_assert_eq(plan_expand(&p, g, &opt, &e), -1);
	cr_assert(strstr(e.msg, "did you mean huber?"), "%s", e.msg);
	grid_free(g);
}

/* ---- states and files ------------------------------------------------------------------------------------------- */

static int no_cifar(void *ctx, char hex[SHA256_HEX], const struct run_config *c, struct err *e)
{
	++*(int *)ctx;
	if (!strcmp(c->data.name, "cifar10"))
		return err_set(e, "cifar10 is not here");
	memset(hex, 'a', SHA256_HEX - 1);
	hex[SHA256_HEX - 1] = '\0';
	return 0;
}

static void first_is_cached(void *ctx, struct plan_cell *cell, const struct plan *p)
{
	(void)ctx;
	if (cell == &p->cells[0])
		cell->state = CELL_CACHED;
	else
		cell->seconds = 10;
}

Test(grid, states_come_from_the_callbacks)
{
	static const char text[] = GRID STUDY
		"[[axis]]\nkey = \"preset\"\nvalues = [\"ict-shapes8-ci\", \"ict-cifar10-tiny\", \"ect-cifar10-tiny\"]\n";
	struct grid_source source = { .path = "g.toml", .text = text, .n = strlen(text) };
	struct err e = ERR_INIT;
	struct grid *g = NULL;
	SCOPED(plan) struct plan *p = NULL;
	int asked = 0;
	struct plan_options opt = { .ctx = &asked, .dataset = no_cifar, .state = first_is_cached };
	cr_assert_eq(grid_parse(&g, &source, 1, &e), 0, "%s", e.msg);
	cr_assert_eq(plan_expand(&p, g, &opt, &e), 0, "%s", e.msg);
	cr_assert_eq(asked, 2); /* once per data set */
	cr_assert_eq(p->cells[0].state, CELL_CACHED);
	cr_assert_eq(p->cells[1].state, CELL_PENDING);
	cr_assert_eq(p->cells[2].state, CELL_BLOCKED);
	cr_assert_str_eq(p->cells[5].reason, "cifar10 is not here");
	SCOPED(str) struct str s = { 0 };
	plan_text(&s, p);
	cr_assert(strstr(s.data, "1 cached, 1 pending, 4 blocked"), "%s", s.data);
	cr_assert(strstr(s.data, "estimated time: 10 s"), "%s", s.data);
}

Test(grid, json_has_the_documented_fields)
{
	SCOPED(plan) struct plan *p = must_read(FIXTURES "/grids/ict-four.toml");
	SCOPED(str) struct str s = { 0 };
	plan_json(&s, p);
	json_error_t at;
	json_t *j = json_loads(s.data, JSON_REJECT_DUPLICATES, &at);
	cr_assert(j, "%s at %d", at.text, at.line);
	json_t *arm = json_array_get(json_object_get(j, "arms"), 0), *cell = json_array_get(json_object_get(j, "cells"), 0);
	cr_assert_eq(json_array_size(json_object_get(j, "arms")), 11);
	cr_assert_eq(json_array_size(json_object_get(j, "cells")), 33);
	cr_assert_str_eq(json_string_value(json_object_get(arm, "arm")), p->arms[0].hash);
	cr_assert_eq(json_array_size(json_object_get(arm, "labels")), 2);
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(arm, "config"), "loss.kind")), "lpips");
	cr_assert_str_eq(json_string_value(json_object_get(cell, "cell")), p->cells[0].hash);
	cr_assert_str_eq(json_string_value(json_object_get(cell, "arm")), p->arms[0].hash);
	cr_assert_eq(json_integer_value(json_object_get(cell, "seed")), 1);
	cr_assert_str_eq(json_string_value(json_object_get(cell, "state")), "pending");
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(j, "grid"), "name")), "ict-four");
	json_decref(j);
}

Test(grid, frozen_plan_reads_back_and_refuses_an_edited_one)
{
	char path[] = "/tmp/ablate-plan-XXXXXX";
	struct err e = ERR_INIT;
	struct grid *g = NULL;
	SCOPED(plan) struct plan *p = NULL, *back = NULL, *bad = NULL;
	(void)close(mkstemp(path));
	cr_assert_eq(grid_read(&g, FIXTURES "/grids/ict-interactions.toml", &e), 0, "%s", e.msg);
	cr_assert_eq(grid_set(g, "train.steps=7", &e), 0);
	static const char *const only[] = { "*l2*" };
	int asked = 0;
	struct plan_options opt = { .ctx = &asked, .dataset = no_cifar, .only = only, .n_only = 1 };
	cr_assert_eq(plan_expand(&p, g, &opt, &e), 0, "%s", e.msg);
	cr_assert_eq(plan_write(p, path, &e), 0, "%s", e.msg);
	cr_assert_eq(plan_read(&back, path, NULL, &e), 0, "%s", e.msg);
	cr_assert_str_eq(back->hash, p->hash);
	cr_assert_eq(back->n_cells, p->n_cells);
	for (int i = 0; i < p->n_cells; i++)
		cr_assert_str_eq(back->cells[i].hash, p->cells[i].hash);
	cr_assert_eq(back->arms[0].config.train.steps, 7);

	SCOPED(str) struct str text = { 0 };
	cr_assert_eq(io_read(&text, path, 1 << 24, &e), 0);
	char *steps = strstr(text.data, "train.steps=7");
	cr_assert(steps);
	steps[12] = '8';
	cr_assert_eq(io_write_atomic(path, text.data, text.len, &e), 0);
	cr_assert_eq(plan_read(&bad, path, NULL, &e), -1);
	cr_assert_eq(e.code, EXIT_RECORD);
	cr_assert_eq(io_write_atomic(path, text.data, text.len / 2, &e), 0);
	cr_assert_eq(plan_read(&bad, path, NULL, &e), -1);
	cr_assert_eq(e.code, EXIT_RECORD);
	(void)unlink(path);
}

/* ---- mistakes --------------------------------------------------------------------------------------------------- */

Test(grid, key_under_the_wrong_header)
{
	refused(GRID "[grid]\nname = \"g\"\nseeds = { train = [1] }\naxis = [ { key = \"optim.lr\", values = [1] } ]\n",
	        "g.toml:5:1: axis belongs to the top level");
	refused(GRID "[grid]\nname = \"g\"\nseeds = { train = [1] }\naxis = []\n", "move it above [grid]");
	refused(GRID "[grid]\nname = \"g\"\nlike = \"ict-cifar\"\nseeds = { train = [1] }\n",
	        "g.toml:4:8: unknown preset 'ict-cifar'");
	refused(GRID STUDY "gate = []\n", "g.toml:7:1: gate belongs to the top level");
	refused(GRID STUDY "[variants]\nzip = []\n", "g.toml:8:1: zip belongs to the top level");
	refused(GRID STUDY "[[metric]]\nname = \"fid\"\nsamples = 10\ntable = []\n", "move it above [[metric]]");
	refused(GRID "[grid]\nname = \"g\"\nseeds = { train = [1] }\nloss.c = 1\n",
	        "g.toml:5:1: loss is a setting of a cell; move it below [base]");
	refused(GRID "train.steps = 3\n" STUDY, "g.toml:2:1: train is a setting");
	refused(GRID "seeds = { train = [1] }\n" STUDY, "g.toml:2:1: seeds belongs to the study; move it below [grid]");
}

Test(grid, unknown_keys_name_the_nearest)
{
	refused(GRID STUDY "loss.knd = \"l2\"\n", "g.toml:7:6: unknown key 'loss.knd'; did you mean loss.kind");
	refused(GRID STUDY "\"loss.knd\" = \"l2\"\n", "g.toml:7:1: unknown key 'loss.knd'; did you mean loss.kind");
	refused(GRID STUDY "los = 3\n", "g.toml:7:1: unknown key 'los'");
	refused(GRID "[gird]\n" STUDY, "unknown key 'gird'; did you mean grid?");
	refused(GRID STUDY "[[chain]]\nname = \"c\"\nmodes = \"factorial\"\nsteps = []\n",
	        "g.toml:9:1: unknown key 'modes' in [[chain]]; did you mean mode?");
	refused(GRID STUDY "[budget]\ncell = { wal = \"1h\" }\n", "unknown key 'wal' in budget.cell; did you mean wall?");
	refused(GRID STUDY "[[axis]]\nkey = \"optim.l\"\nvalues = [1]\n",
	        "g.toml:8:7: unknown key 'optim.l'; did you mean optim.lr");
	refused(GRID STUDY "preset = 'x'\n", "preset is already defined");
	refused(GRID "[grid]\nname='g'\nseeds={train=[1]}\n[base]\npreset = 'ict-cifar'\n",
	        "g.toml:6:10: unknown preset 'ict-cifar'");
}

Test(grid, settings_are_checked_where_they_stand)
{
	refused(GRID STUDY "optim.lr = \"fast\"\n", "g.toml:7:12: optim.lr takes a number");
	refused(GRID STUDY "optim.lr = 11\n", "g.toml:7:12: optim.lr = 11 is out of range");
	refused(GRID STUDY "loss.kind = \"l3\"\n", "g.toml:7:13: loss.kind: 'l3' is not one of");
	refused(GRID STUDY "loss.c = \"0.1*sqrt(q)\"\n", "g.toml:7:10: ");
	refused(GRID STUDY "train.steps = 1.5\n", "g.toml:7:15: train.steps takes an integer");
	refused(GRID STUDY "train.steps = 3\n\"train.steps\" = 4\n", "g.toml:8:1: train.steps is already set at line 7");
	refused(GRID STUDY "net.mult = [1, 2.5]\n", "g.toml:7:16: ");
	refused(GRID STUDY "data.name = 1979-05-27\n", "g.toml:7:13: no setting takes a date");
	refused(GRID STUDY "data.name = \"cifar-11\"\n", "data.name");
	refused(GRID STUDY "disc.s0 = 100\n[[axis]]\nkey = \"disc.s1\"\nvalues = [200, 50]\n",
	        "g.toml:8:3: row \"disc.s1=50\": disc.s1 is below disc.s0");
}

Test(grid, shapes_of_sections)
{
	refused("", "g.toml:1:1: schema is missing");
	refused("schema = 2\n" STUDY, "g.toml:1:10: schema 2");
	refused("schema = \"1\"\n" STUDY, "g.toml:1:10: schema must be an integer");
	refused(GRID, "[grid] is missing");
	refused(GRID "[grid]\nseeds={train=[1]}\n", "g.toml:2:2: name is missing");
	refused(GRID "[grid]\nname='g'\n", "seeds.train is missing");
	refused(GRID "[grid]\nname=''\nseeds={train=[1]}\n", "g.toml:3:6: the name is empty");
	refused(GRID "[grid]\nname='g'\nseeds={train=[]}\n", "g.toml:4:14: 0 seeds");
	refused(GRID "[grid]\nname='g'\nseeds={train=[1,1]}\n", "seed 1 is given twice");
	refused(GRID "[grid]\nname='g'\nseeds={train=[-1]}\n", "g.toml:4:15: a seed must be");
	refused(GRID "[grid]\nname='g'\nseeds={train={start=1}}\n", "seeds need start and count");
	refused(GRID "[grid]\nname='g'\nseeds={train={start=1,count=2000000000}}\n", "2000000000 seeds");
	refused(GRID STUDY "[axis]\nkey='optim.lr'\n", "g.toml:7:2: axis must be an array of tables: write [[axis]]");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[]\n", "g.toml:9:8: this axis is empty");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\n", "exactly one of values, range and log");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nrange={start=1,stop=0,step=1}\n", "this axis is empty");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nrange={start=1,stop=2,step=0}\n", "step is 0");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nlog={start=0,stop=2,num=3}\n", "positive ends");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[1]\n[[axis]]\nkey='optim.lr'\nvalues=[2]\n",
	        "g.toml:11:5: optim.lr is already varied by the axis at line 7");
	refused(GRID STUDY "[[zip]]\nkeys=['optim.lr','train.steps']\nvalues=[[1,2],[3]]\n",
	        "g.toml:9:15: each entry of values must be a list of 2");
	refused(GRID STUDY "[[zip]]\nkeys=['optim.lr','train.steps']\nvalues=[[1,2],[3,4,5]]\n",
	        "g.toml:9:15: each entry of values must be a list of 2");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[1,2]\nlabels=['slow']\n", "1 label for 2 values");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[1]\nlabels=['a','b']\n", "2 labels for 1 value");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nlog={start=1,stop=-2,num=3}\n", "positive ends");
	refused(GRID STUDY "[[exclude]]\nwhen={\"optim.lr\"=1}\n", "this grid has none");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[1]\n[[exclude]]\nwhen={\"optim.lr\"=2}\n",
	        "g.toml:10:3: this exclude matches no row");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[1]\n[[exclude]]\nwhen={\"optim.lr\"=1}\n",
	        "g.toml:7:3: every row of the product is excluded");
	refused(GRID STUDY "[[include]]\nlabel='x'\nset={}\n", "set is empty");
	refused(GRID STUDY "[[include]]\nlabel='x'\nset={\"optim.lr\"=1}\n[[include]]\nlabel='y'\nset={optim.lr=1.0}\n",
	        "g.toml:10:3: include \"y\" repeats the row \"x\"");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[1]\n[[include]]\nlabel='y'\nset={optim.lr=1.0}\n",
	        "repeats the row \"optim.lr=1\"");
	refused(GRID STUDY "[[include]]\nlabel='x'\nset={\"optim.lr\"=1}\n[[include]]\nlabel='x'\nset={optim.lr=2}\n",
	        "already has the label \"x\"");
	refused(GRID STUDY "[[chain]]\nname='c'\nmode='cumulative'\nsteps=['a']\n", "g.toml:10:8: no variant 'a'");
	refused(GRID STUDY
	        "[variants]\nhuber={set={\"loss.c\"=1}}\n[[chain]]\nname='c'\nmode='cumulative'\nsteps=['hubr']\n",
	        "did you mean huber?");
	refused(GRID STUDY "[variants]\nv={set={\"loss.c\"=1}}\n[[chain]]\nname='c'\nmode='cumulative'\nsteps=['v','v']\n",
	        "is already a step of this chain");
	refused(GRID STUDY "[variants]\nv={set={\"loss.c\"=1}}\n[[chain]]\nname='c'\nmode='cumulativ'\nsteps=['v']\n",
	        "is not one of cumulative|");
	refused(GRID STUDY "[variants]\nv={set={\"loss.c\"=1},needs=['lpips-vg']}\n",
	        "neither weights nor a data set is called 'lpips-vg'; did you mean lpips-vgg");
	refused(GRID STUDY "[variants]\nv={sett={\"loss.c\"=1}}\n", "unknown key 'sett'");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[1,2,10e-1]\n",
	        "g.toml:7:3: the row \"optim.lr=1\" (line 7) appears twice");
	refused(GRID STUDY "[[axis]]\nkey='optim.lr'\nvalues=[1,2]\nlabels=['p','p']\n",
	        "g.toml:7:3: two different rows are named \"p\"");
	refused(GRID STUDY
	        "[variants]\nbase={set={\"loss.c\"=1}}\n[[chain]]\nname='c'\nmode='one-at-a-time'\nsteps=['base']\n",
	        "two different rows are named \"c/base\"");
	refused("schema = 1\ninherit = \"g.toml\"\n" STUDY, "g.toml:2:11: g.toml inherits from itself");
	refused("schema = 1\ninherit = \"h.toml\"\n" STUDY, "g.toml:2:11: inherit: h.toml");
}

Test(grid, judges_are_checked)
{
#define FID "[[metric]]\nname='fid'\nsamples=100\n"
	refused(GRID STUDY "[budget]\ncell={wall='2 hours'}\n", "g.toml:8:12: '2 hours' is not a duration");
	refused(GRID STUDY "[budget]\non_failure='stop-after:0'\n", "on_failure");
	refused(GRID STUDY "[budget]\ngrid={cells=0}\n", "g.toml:8:13: cells must be from 1");
	refused(GRID STUDY "[[metric]]\nname='fidd'\nsamples=100\n", "did you mean fid");
	refused(GRID STUDY "[[metric]]\nname='fid'\n", "samples is missing");
	refused(GRID STUDY FID "nfe=[2,1]\n", "nfe must ascend");
	refused(GRID STUDY "[[metric]]\nname='kid'\nsamples=10\ninfinity=true\n", "g.toml:10:10: infinity belongs to fid");
	refused(GRID STUDY FID FID, "the same metric is at line 7");
	refused(GRID STUDY FID "[[table]]\nname='t'\ncols=['fid@2']\n",
	        "g.toml:12:7: 'fid@2' is not a metric of this grid; declared are fid@1");
	refused(GRID STUDY "[[table]]\nname='t'\nchain='c'\n", "no chain 'c'");
	refused(GRID STUDY FID "[[table]]\nname='t'\ncols=['sedes']\n", "g.toml:12:7: 'sedes' is not a column");
	refused(GRID STUDY FID "[[table]]\nname='t'\ncols=['fid@1', 'verdict']\n",
	        "g.toml:12:16: 'verdict' compares seed by seed: write paired = true");
	refused(GRID STUDY FID "[[table]]\nname='t'\ncols=['delta:fid@2']\n",
	        "g.toml:12:7: 'fid@2' is not a metric of this grid");
	refused(GRID STUDY FID "ref='cifar11'\n", "g.toml:10:5: unknown ref 'cifar11'; did you mean cifar10?");
	/* Once it passed as "some file" and failed when a trained cell was scored. */
	refused(GRID STUDY FID "ref='real/'\n", "g.toml:10:5: ref 'real/' is neither a data set nor an .npz: make its");
	refused(GRID STUDY FID "ref='stats:cifar10-emd'\n", "10:5: unknown ref 'cifar10-emd'; did you mean cifar10-edm?");
	plan_free(must(GRID STUDY FID "ref='stats:cifar10-edm'\n"
	                              "[[metric]]\nname='is'\nsamples=100\nref='stats:cifar10-edm'\n"
	                              "[[metric]]\nname='fid_infinity'\nsamples=100\nref='stats:cifar10-edm'\n"));
	refused(GRID STUDY "[[metric]]\nname='kid'\nsamples=100\nref='stats:cifar10-edm'\n",
	        "g.toml:10:5: ref 'stats:cifar10-edm' is mean and covariance alone, and kid compares with");
	refused(GRID STUDY FID "extractor='inceptoin'\n", "g.toml:10:11: unknown extractor");
	struct plan *p = must(GRID STUDY
	                      "[[metric]]\nname='pr'\nsamples=100\nref='cifar10-test'\nextractor='pixels'\n"
	                      "[[table]]\nname='t'\ncols=['precision@1', 'delta:recall@1', 'recall@1:student', 'seeds']\n");
	plan_free(p);
	refused(GRID STUDY "[[table]]\nname='t'\nformats=['doc']\n", "'doc' is not one of");
#define GATE FID "[[gate]]\nname='q'\nmetric='fid@1'\narm='base'\n"
	refused(GRID STUDY GATE "against='baseline'\n", "margin is missing here");
	refused(GRID STUDY GATE "against='l2'\ntest='superiority'\n", "against: g.toml: no row is called 'l2'");
	refused(GRID STUDY GATE "against='base'\ntest='superiority'\n", "the same arm");
	refused(GRID STUDY GATE "against='baseline'\nmargin={relative=0.1,absolute=1}\n", "either relative or absolute");
	refused(GRID STUDY GATE "against='baseline'\nmargin={relative=-0.1}\n", "g.toml:10:3: ");
	refused(GRID STUDY GATE "against='baseline'\nmargin={relative=0.1}\nlooks=[5,3]\n", "looks must ascend");
	cr_assert_eq(grid_duration("1h30m"), 5400);
	cr_assert_eq(grid_duration("1.5h"), 5400);
	static const char *const bad[] = {
		"", "h", "1", "1x", "30m1h", "1h1h", "-1h", "1e9d", "infh", "1e5s", "99999999d"
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_eq(grid_duration(bad[i]), -1, "%s", bad[i]);
}

/* ---- stages ----------------------------------------------------------------------------------------------------- */

/* Nine full trainings were planned for three ways of sampling the same weights. */
Test(stages, the_discrepancies_share_nine_trainings)
{
	SCOPED(plan) struct plan *p = must_read(FIXTURES "/../../ablations/paper/discrepancies.toml");
	cr_expect_eq(p->n_cells, 66);
	cr_expect_eq(p->n_trainings, 57);
	struct plan_stages s = plan_stages(p);
	cr_expect_eq(s.to_do, 57);
	cr_expect_eq(s.sharing, 12);
	cr_expect_eq(s.samplings, 2 * 66, "%d", s.samplings);
}

#define SAMPLED \
	"schema = 1\nbase.preset = \"ict-shapes8-ci\"\n[grid]\nname = \"g\"\nseeds = { train = [1, 2], eval = [101] }\n" \
	"[[axis]]\nkey = \"ema.decay\"\nvalues = [0.99, 0.9]\n[[axis]]\nkey = \"sample.sigma_mid\"\nvalues = [0.5, 0.8]\n" \
	"[[metric]]\nname = \"fid\"\nsamples = 100\nnfe = [1, 2]\n"

/* What is made once: a training for each seed, with both averages; the sampling of one evaluation, which has no second
 * noise level, for each average. */
Test(stages, each_is_counted_once)
{
	SCOPED(plan) struct plan *p = must(SAMPLED);
	struct plan_stages s = plan_stages(p);
	SCOPED(free) bool *trains = plan_trainers(p, false);
	cr_expect_eq(p->n_cells, 8);
	cr_expect(s.trainings == 2 && s.to_do == 2 && s.sharing == 8, "%d %d %d", s.trainings, s.to_do, s.sharing);
	cr_expect(s.samplings == 2 * (2 + 4) && s.scores == 2 * (2 + 4), "%d %d", s.samplings, s.scores);
	cr_expect(trains[0] && trains[1] && !trains[2] && !trains[7]);
	cr_expect_eq(p->trainings[0].n_ema, 2);
	cr_expect(p->trainings[0].ema[0] == 0.9 && p->trainings[0].ema[1] == 0.99, "sorted, each once");
	double both = plan_disk_bytes(p);
	p->cells[0].trained = p->cells[2].trained = p->cells[4].trained = p->cells[6].trained = true;
	s = plan_stages(p);
	cr_expect(s.to_do == 1 && s.at_hand == 1, "%d %d", s.to_do, s.at_hand);
	const double samples = 8.0 * 2 * 100 * 8 * 8; /* cells, steps, images, pixels: each keeps its own */
	cr_expect_float_eq(plan_disk_bytes(p) - samples, (both - samples) / 2, 1, "links take no room");
}
