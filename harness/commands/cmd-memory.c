/* cmd-memory.c - `ablate memory`: do generated pictures repeat those of training? */
#include "harness/sample/memory_sheet.h"
#include "harness/commands/score_cli.h"
#include "harness/text/json_out.h"
#include "metrics/scores/metric_memory.h"

#include <stdio.h>
#include <string.h>

enum { GENERATED, TRAIN, TEST, SIDES, SHEET_PAIRS = 25 };

static const char *const side_names[SIDES] = { "generated", "train", "test" };

struct job {
	struct cli *c;
	struct score_side side[SIDES];
	int n_sides;
	bool wanted[MEMORY_KINDS];
	uint32_t seed;
	struct score_list list;
	struct memory_near *near; /* [side[GENERATED].set.n], sorted at the end */
	struct memory_near *near_test;
	int64_t shown;           /* of near */
	struct source *named[2]; /* generated and training again, for names and pictures; NULL = a file of features */
};

static void job_release(struct job *j)
{
	for (int i = 0; i < SIDES; i++)
		score_side_release(&j->side[i]);
	source_free(j->named[GENERATED]);
	source_free(j->named[TRAIN]);
	free(j->near);
	free(j->near_test);
}

/* ---- what is asked for ------------------------------------------------------------------------------------------ */

static int choose(struct job *j, struct err *e)
{
	int n;
	SCOPED(free) const char **names = cli_strings(j->c, "only", &n);
	for (int k = 0; k < MEMORY_KINDS; k++)
		j->wanted[k] = n == 0;
	for (int i = 0; i < n; i++) {
		const char *known[MEMORY_KINDS];
		bool found = false;
		for (int k = 0; k < MEMORY_KINDS; k++) {
			known[k] = memory_rows[k].name;
			if (strcmp(known[k], names[i]) == 0)
				j->wanted[k] = found = true;
		}
		SCOPED(str) struct str s = { 0 };
		str_suggest(&s, names[i], known, MEMORY_KINDS);
		if (!found)
			return err_code(e, EXIT_USAGE, "--only %s: no such score%s", names[i], str_text(&s));
	}
	return 0;
}

static bool needs_test(const struct job *j)
{
	bool needs = false;
	for (int k = 0; k < MEMORY_KINDS; k++)
		needs |= j->wanted[k] && memory_rows[k].test;
	return needs;
}

static int take_options(struct job *j, struct err *e)
{
	const char *train = cli_string(j->c, "train", NULL), *test = cli_string(j->c, "test", NULL);
	if (choose(j, e))
		return -1;
	if (!train)
		return err_code(e, EXIT_USAGE, "--train SOURCE is missing: the pictures of training");
	if (!test && needs_test(j))
		return err_code(
			e, EXIT_USAGE,
			"--test SOURCE is missing: pictures of the same data that training did not see; only authpct goes "
			"without (--only authpct)");
	j->side[GENERATED].path = j->c->args[0];
	j->side[TRAIN].path = train;
	j->side[TEST].path = test;
	j->n_sides = test ? SIDES : TEST;
	j->seed = (uint32_t)cli_int(j->c, "seed", 0);
	j->shown = cli_int(j->c, "nearest", cli_given(j->c, "output") ? SHEET_PAIRS : 0);
	return 0;
}

/* ---- the sets --------------------------------------------------------------------------------------------------- */

/* Pictures whose names or contents are asked for, opened again: extraction uses a source up. */
static int open_named(struct job *j, int which, struct err *e)
{
	const struct score_side *s = &j->side[which];
	if (!s->source || !j->shown)
		return 0;
	if (source_find(&j->named[which], s->path, SPLIT_TRAIN, e))
		return -1;
	if (j->named[which]->n > s->source->n) /* -n */
		source_sample(&j->named[which], s->source->n, j->seed);
	return 0;
}

static int open_sides(struct job *j, struct err *e)
{
	const char *sheet = cli_string(j->c, "output", NULL);
	if (sheet && cli_flag(j->c, "mixed-sizes"))
		return err_code(e, EXIT_USAGE, "-o %s: a sheet shows pictures of one size; leave --mixed-sizes out", sheet);
	for (int i = 0; i < j->n_sides; i++)
		if (score_side_open(&j->side[i], j->c, j->side[i].path, e))
			return -1;
	if (cli_given(j->c, "limit") && score_side_draw(&j->side[GENERATED], j->c, e))
		return -1;
	if (open_named(j, GENERATED, e) || open_named(j, TRAIN, e))
		return -1;
	for (int i = GENERATED; sheet && i <= TRAIN; i++)
		if (!j->named[i])
			return err_code(e, EXIT_USAGE, "-o %s: %s holds features; the sheet shows pictures", sheet,
			                j->side[i].path);
	return sheet ? io_atomic_possible(sheet, e) : 0;
}

static int extract(struct job *j, struct memory_sets *sets, struct err *e)
{
	unsigned bits[SIDES] = { 1u << FEATURE_POOL, 1u << FEATURE_POOL, 1u << FEATURE_POOL };
	const float *x;
	for (int i = 0; i < j->n_sides; i++) /* statistics alone: before the work */
		if (!j->side[i].source && feature_set_floats(&x, &j->side[i].set, FEATURE_POOL, e))
			return -1;
	*sets = (struct memory_sets){ &j->side[GENERATED].set, &j->side[TRAIN].set,
		                          j->n_sides > TEST ? &j->side[TEST].set : NULL };
	return score_extract(j->side, j->n_sides, j->c, bits, bits, false, e) || memory_check(sets, e) ? -1 : 0;
}

static int work(struct job *j, struct err *e)
{
	struct memory_sets sets;
	if (take_options(j, e) || open_sides(j, e) || extract(j, &sets, e) ||
	    memory_nearest(&j->near, &j->near_test, &sets, e))
		return -1;
	for (int k = 0; k < MEMORY_KINDS; k++) {
		double from = monotonic_s();
		if (j->wanted[k] && memory_score(&j->list, (enum memory_kind)k, &sets, j->near, j->near_test, j->seed, e))
			return -1;
		if (j->wanted[k])
			cli_verbose(j->c, "%s: %.2f s", memory_rows[k].name, monotonic_s() - from);
	}
	memory_sort(j->near, sets.generated->n);
	if (j->shown > sets.generated->n)
		j->shown = sets.generated->n;
	const char *sheet = cli_string(j->c, "output", NULL);
	return sheet ? memory_sheet(sheet, j->named[GENERATED], j->named[TRAIN], j->near, j->shown, e) : 0;
}

/* ---- what is told ----------------------------------------------------------------------------------------------- */

/* Heap: the picture's name, or "file.npz[17]" of a file of features. */
static char *name_of(const struct job *j, int side, int64_t i)
{
	return j->named[side] ? source_item(j->named[side], i) : xstrfmt("%s[%lld]", j->side[side].path, (long long)i);
}

static json_t *score_object(const struct score *s)
{
	json_t *out = score_json(s);
	(void)json_object_set_new(out, "reading", json_out_text(memory_reading(s->name)));
	return out;
}

static json_t *near_array(const struct job *j)
{
	json_t *all = json_array();
	for (int64_t i = 0; i < j->shown; i++) {
		SCOPED(free) char *made = name_of(j, GENERATED, j->near[i].generated);
		SCOPED(free) char *train = name_of(j, TRAIN, j->near[i].train);
		(void)json_array_append_new(all, json_pack("{s:o, s:o, s:o, s:o}", "generated", json_out_text(made), "train",
		                                           json_out_text(train), "distance", json_out_real(j->near[i].distance),
		                                           "train_nearest", json_out_real(j->near[i].own)));
	}
	return all;
}

static int tell_json(const struct job *j)
{
	json_t *scores = json_array(), *out = json_object();
	for (int i = 0; i < j->list.n; i++)
		(void)json_array_append_new(scores, score_object(&j->list.v[i]));
	(void)json_object_set_new(out, "scores", scores);
	for (int i = 0; i < j->n_sides; i++) {
		const struct score_side *s = &j->side[i];
		(void)json_object_set_new(out, side_names[i],
		                          json_pack("{s:s, s:I, s:o, s:o, s:o}", "path", s->path, "n", (json_int_t)s->set.n,
		                                    "sha256", json_out_text(s->set.sha256[0] ? s->set.sha256 : NULL),
		                                    "features", json_out_text(s->set.protocol[0] ? s->set.protocol : NULL),
		                                    "drawn", json_out_text(s->set.drawn[0] ? s->set.drawn : NULL)));
	}
	if (j->shown)
		(void)json_object_set_new(out, "nearest", near_array(j));
	return cli_print_json(j->c, out);
}

static int tell(const struct job *j)
{
	for (int i = 0; i < j->list.n; i++)
		if (j->list.v[i].warning[0])
			cli_warn(j->c, "%s", j->list.v[i].warning);
	if (j->c->json)
		return tell_json(j);
	for (int i = 0; i < j->list.n; i++) {
		const struct score *s = &j->list.v[i];
		printf("%-13s %.6g", s->name, s->value);
		score_print_spread(s);
		printf(", n %lld", (long long)s->n);
		for (int k = 0; k < s->n_parts; k++)
			if (strcmp(s->part[k].name, "of_test") == 0)
				printf(", of the test images %.6g", s->part[k].value);
			else if (strcmp(s->part[k].name, "of_test_half_width") == 0)
				printf(" ± %.2g", s->part[k].value);
		printf("; %s", memory_reading(s->name));
		score_print_no_spread(s);
		printf("\n%13s %s\n", "", s->protocol);
	}
	if (j->shown)
		printf("\ndistance, that of the training picture to its nearest other; generated, nearest of training\n");
	for (int64_t i = 0; i < j->shown; i++) {
		SCOPED(free) char *made = name_of(j, GENERATED, j->near[i].generated);
		SCOPED(free) char *train = name_of(j, TRAIN, j->near[i].train);
		printf("%.6g %.6g  %s  %s\n", j->near[i].distance, j->near[i].own, made, train);
	}
	return EXIT_OK;
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct job j = { .c = c };
	int code = work(&j, &e) ? cli_fail(c, &e) : tell(&j);
	job_release(&j);
	return code;
}

static const struct opt options[] = {
	{ .name = "train", .kind = OPT_STRING, .arg = "SOURCE", .help = "pictures of training (required)" },
	{ .name = "test", .kind = OPT_STRING, .arg = "SOURCE", .help = "pictures of the same data that it did not see" },
	{ .name = "only", .kind = OPT_STRINGS, .arg = "SCORE", .help = "authpct, ct, fls or fld; default: all of them" },
	{ .name = "nearest",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 1,
	  .max = 1000000,
	  .help = "also list the N nearest to training" },
	{ .name = "output",
	  .letter = 'o',
	  .kind = OPT_STRING,
	  .arg = "F.png",
	  .help = "show them, each beside its nearest of training" },
	SCORE_EXTRACTOR_OPTIONS,
	{ 0 },
};

static const struct json_key memory_keys[] = {
	{ "", .of = score_keys },
	JSON_KEY("reading", "string?", "what the value means, in words; null where nothing is to be said"),
	{ 0 },
};

static const struct json_key json_keys[] = {
	JSON_KEY("scores", "object[]", "the scores", .of = memory_keys),
	JSON_KEY("generated", "object", "the generated images", .of = score_side_keys),
	JSON_KEY("train", "object", "the training images", .of = score_side_keys),
	JSON_KEY("test", "object", "the test images", .absent = "where they are not given", .of = score_side_keys),
	JSON_KEY("nearest", "object[]", "generated images that are nearest to a training image, nearest first",
	         .absent = "without --nearest"),
	JSON_KEY("nearest[].generated", "string", "the generated image"),
	JSON_KEY("nearest[].train", "string", "the training image"),
	JSON_KEY("nearest[].distance", "number?", "their distance"),
	JSON_KEY("nearest[].train_nearest", "number?", "the distance of that training image to the next one of its kind"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_memory = {
	.name = "memory",
	.args = "A",
	.summary = "measure how far generated images A repeat those of training",
	.help =
		"A is the set to judge, --train what its model was trained on, --test images of the same data that it did not "
		"see.\n\n"
		"authpct: the share of generated images that are further from their nearest of training than that is from its "
		"nearest other. Fresh images have what test images have, which is printed beside it where they are given: "
		"about 50 % in few dimensions, up to 100 in many. Copies are far below.\n\n"
		"ct: C_T compares the distances to training of generated and of test images, cell by cell; about 0 for fresh "
		"images, far below 0 for copies, far above for images unlike the data.\n\n"
		"fls, fls_overfit: likelihood of test images under Gaussians at the generated ones; fls is better higher, 100 "
		"is as good as training. fls_overfit is about 0, and above for copies.\n\n"
		"fld, fld_gap: the same idea, another recipe: fld is better lower, 0 is as good as training. fld_gap is about "
		"0, and far below for copies.\n\n"
		"With few images all of them scatter: each has a 95 % interval, which says what it covers; read them beside "
		"those of other test images, too. Draws of fls and fld, and the cells of ct, are by --seed (default 0), which "
		"is in the protocol. fls takes up to 10,000 images of each, fld up to 10,000 generated ones and 100,000 of "
		"training.\n\n" SCORE_SOURCES_HELP,
	.options = options,
	.computes = true,
	.json = json,
	.run = run,
};
