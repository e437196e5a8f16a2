/* test_job.c - job.json: what is written is read back, and what is wrong with a file is said with the field's name. */
#include "harness/run/job.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int64_t steps[] = { 1, 2 }, seeds[] = { 101, -5, INT64_MAX };
static const struct job_score scores[] = {
	{ .name = "fid",
	  .ref = "",
	  .extractor = "",
	  .samples = 5000,
	  .interval = true,
	  .nfe = steps,
	  .n_nfe = 2,
	  .eval_seeds = seeds,
	  .n_eval_seeds = 3 },
	{ .name = "kid",
	  .ref = "a \"b\".npz",
	  .extractor = "pixels",
	  .samples = 1,
	  .infinity = true,
	  .nfe = steps,
	  .n_nfe = 1,
	  .eval_seeds = seeds },
};
static const double decays[] = { 0.9, 0.9999432189950708, 1 };
static const struct job_sampling samplings[] = {
	{ .key = "k1", .path = "a b/samples.npy", .sha256 = "5a", .n = 5000, .attempt = "a-0" },
	{ .key = "k2", .path = "x.npy", .sha256 = "5b", .n = 1 },
};
static const struct job_known known[] = {
	{ .key = "s1",
	  .attempt = "a-0",
	  .name = "fid",
	  .weights = "ema",
	  .protocol = "p",
	  .hex = "0x1.8p+3",
	  .computed_by = "features: cuda:0",
	  .lo = 0.1,
	  .hi = NAN,
	  .nfe = 2,
	  .eval_seed = -101,
	  .step = 400,
	  .n = 5000 },
	{ .key = "s2", .attempt = "a-0", .name = "kid", .weights = "", .protocol = "", .hex = "nan", .lo = NAN, .hi = NAN },
};
static const struct job full = {
	.attempt = "a-1",
	.cell = "c",
	.arm = "r",
	.config = "{\"net.kind\":\"unet\"}",
	.dataset = "d",
	.purpose = "verify",
	.label = "no EMA <é> \xe2\x80\xae\x01",
	.device = "cuda:0",
	.seed = INT64_MIN,
	.numerics = 2,
	.n = 3,
	.threads = 4,
	.ranks = 2,
	.microbatch = 16,
	.wall_s = 0.1,
	.checkpoint_s = 0.05,
	.resumed_from = "a-0",
	.resumed_env = "{\"threads\":2}",
	.until = 75,
	.scores = scores,
	.n_scores = 2,
	.training = "t",
	.ema = decays,
	.n_ema = 3,
	.samplings = samplings,
	.n_samplings = 2,
	.known = known,
	.n_known = 2,
};

static void same_text(const char *what, const char *a, const char *b)
{
	cr_expect(a == b || (a && b && strcmp(a, b) == 0), "%s: %s, written %s", what, a ? a : "none", b ? b : "none");
}

#define SAME_TEXT(field) same_text(#field, a->field, b->field)
#define SAME(field)      cr_expect(a->field == b->field, #field)

static void same_score(const struct job_score *a, const struct job_score *b)
{
	SAME_TEXT(name);
	SAME_TEXT(ref);
	SAME_TEXT(extractor);
	SAME(samples);
	SAME(interval);
	SAME(infinity);
	SAME(n_nfe);
	SAME(n_eval_seeds);
	cr_expect_arr_eq(a->nfe, b->nfe, (size_t)b->n_nfe * sizeof *b->nfe);
	cr_expect_arr_eq(a->eval_seeds, b->eval_seeds, (size_t)b->n_eval_seeds * sizeof *b->eval_seeds);
}

static bool same_number(double a, double b)
{
	return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static void same_sampling(const struct job_sampling *a, const struct job_sampling *b)
{
	SAME_TEXT(key);
	SAME_TEXT(path);
	SAME_TEXT(sha256);
	SAME_TEXT(attempt);
	SAME(n);
}

static void same_known(const struct job_known *a, const struct job_known *b)
{
	SAME_TEXT(key);
	SAME_TEXT(attempt);
	SAME_TEXT(name);
	SAME_TEXT(weights);
	SAME_TEXT(protocol);
	SAME_TEXT(hex);
	SAME_TEXT(computed_by);
	SAME(nfe);
	SAME(eval_seed);
	SAME(step);
	SAME(n);
	cr_expect(same_number(a->lo, b->lo), "lo: %g, written %g", a->lo, b->lo);
	cr_expect(same_number(a->hi, b->hi), "hi: %g, written %g", a->hi, b->hi);
}

static void same_job(const struct job *a, const struct job *b)
{
	SAME_TEXT(attempt);
	SAME_TEXT(cell);
	SAME_TEXT(arm);
	SAME_TEXT(config);
	SAME_TEXT(dataset);
	SAME_TEXT(purpose);
	SAME_TEXT(label);
	SAME_TEXT(device);
	SAME_TEXT(resumed_from);
	SAME_TEXT(resumed_env);
	SAME(until);
	SAME(seed);
	SAME(numerics);
	SAME(n);
	SAME(threads);
	SAME(ranks);
	SAME(microbatch);
	SAME(wall_s);
	SAME(checkpoint_s);
	SAME(n_scores);
	for (int i = 0; i < b->n_scores; i++)
		same_score(&a->scores[i], &b->scores[i]);
	SAME_TEXT(training);
	SAME(n_ema);
	for (int i = 0; i < b->n_ema; i++)
		cr_expect(same_number(a->ema[i], b->ema[i]), "ema[%d]: %g, written %g", i, a->ema[i], b->ema[i]);
	SAME(n_samplings);
	for (int i = 0; i < b->n_samplings; i++)
		same_sampling(&a->samplings[i], &b->samplings[i]);
	SAME(n_known);
	for (int i = 0; i < b->n_known; i++)
		same_known(&a->known[i], &b->known[i]);
}

Test(job, what_is_written_is_read_back)
{
	struct err e = ERR_INIT;
	struct job back;
	const struct job small = { .attempt = "a",
		                       .cell = "c",
		                       .arm = "r",
		                       .config = "",
		                       .dataset = "",
		                       .purpose = "run",
		                       .device = "cpu",
		                       .threads = 1 };
	const struct job *both[] = { &full, &small };
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(job_write(both[i], tmpdir(), &e), 0, "%s", e.msg);
		cr_assert_eq(job_read(&back, tmpdir(), &e), 0, "%s", e.msg);
		same_job(&back, both[i]);
		job_release(&back);
	}
}

Test(job, text_that_json_cannot_hold_is_named)
{
	struct err e = ERR_INIT;
	struct job job = full;
	struct job_score score = scores[0];
	job.label = "caf\xe9";
	cr_assert_eq(job_write(&job, tmpdir(), &e), -1);
	cr_assert(strstr(e.msg, "/job.json: label is not UTF-8"), "%s", e.msg);
	job.label = NULL;
	job.wall_s = INFINITY;
	cr_assert_eq(job_write(&job, tmpdir(), &e), -1);
	cr_assert(strstr(e.msg, "/job.json: wall_s is not a finite number"), "%s", e.msg);
	job.wall_s = 0;
	job.scores = &score;
	job.n_scores = 1;
	score.ref = "\xff";
	cr_assert_eq(job_write(&job, tmpdir(), &e), -1);
	cr_assert(strstr(e.msg, "/job.json: scores[0]: ref is not UTF-8"), "%s", e.msg);
}

/* The written job with one key of it, or of its second score, changed; NULL: without it. Says the message. */
static void read_changed(struct err *e, const char *key, bool of_score, json_t *value)
{
	struct job back;
	SCOPED(str) struct str text = { 0 };
	SCOPED(free) char *path = job_path(tmpdir());
	cr_assert(job_write(&full, tmpdir(), e) == 0 && io_read(&text, path, 1 << 20, e) == 0, "%s", e->msg);
	json_t *o = json_loads(text.data, 0, NULL), *of = of_score ? json_array_get(json_object_get(o, "scores"), 1) : o;
	cr_assert(json_object_get(of, key), "%s", key);
	if (value)
		(void)json_object_set_new(of, key, value);
	else
		(void)json_object_del(of, key);
	text.len = 0;
	cr_assert(json_record(&text, o, JSON_COMPACT) == 0 && io_write_atomic(path, text.data, text.len, e) == 0);
	json_decref(o);
	*e = (struct err)ERR_INIT;
	if (job_read(&back, tmpdir(), e) == 0)
		job_release(&back);
}

Test(job, what_is_missing_or_wrong_is_named)
{
	static const struct {
		const char *key;
		bool of_score, optional;
		const char *must;
	} fields[] = {
		{ "attempt", false, false, "a string" },      { "cell", false, false, "a string" },
		{ "arm", false, false, "a string" },          { "config", false, false, "a string" },
		{ "dataset", false, false, "a string" },      { "purpose", false, false, "a string" },
		{ "label", false, true, "a string" },         { "device", false, false, "a string" },
		{ "seed", false, false, "an integer" },       { "numerics", false, false, "an integer" },
		{ "n", false, false, "an integer" },          { "threads", false, false, "an integer" },
		{ "wall_s", false, false, "a number" },       { "ranks", false, true, "an integer" },
		{ "resumed_from", false, true, "a string" },  { "scores", false, true, "a list" },
		{ "resumed_env", false, true, "a string" },   { "until", false, true, "an integer" },
		{ "training", false, true, "a string" },      { "ema", false, true, "a list of numbers" },
		{ "samplings", false, true, "a list" },       { "known", false, true, "a list" },
		{ "name", true, false, "a string" },          { "samples", true, false, "an integer" },
		{ "ref", true, false, "a string" },           { "extractor", true, false, "a string" },
		{ "interval", true, false, "true or false" }, { "infinity", true, false, "true or false" },
		{ "nfe", true, false, "a list of integers" }, { "eval_seeds", true, false, "a list of integers" },
	};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		struct err e = ERR_INIT;
		const char *where = fields[i].of_score ? "scores[1]." : "";
		SCOPED(free) char *missing = xstrfmt("/job.json: not a job of ablate: %s%s is missing", where, fields[i].key);
		SCOPED(free)
		char *wrong = xstrfmt("/job.json: not a job of ablate: %s%s must be %s", where, fields[i].key, fields[i].must);
		read_changed(&e, fields[i].key, fields[i].of_score, NULL);
		cr_expect(fields[i].optional ? !*e.msg : strstr(e.msg, missing) && e.code == EXIT_USAGE, "%s without: %s",
		          fields[i].key, e.msg);
		read_changed(&e, fields[i].key, fields[i].of_score, json_null());
		cr_expect(strstr(e.msg, wrong) && e.code == EXIT_USAGE, "%s as null: %s", fields[i].key, e.msg);
	}
}

Test(job, numbers_have_their_ranges)
{
	struct err e = ERR_INIT;
	read_changed(&e, "threads", false, json_integer(0));
	cr_assert(strstr(e.msg, "threads must be at least 1"), "%s", e.msg);
	read_changed(&e, "threads", false, json_integer((json_int_t)1 << 32));
	cr_assert(strstr(e.msg, "threads must be 0 to 2147483647"), "%s", e.msg);
	read_changed(&e, "ranks", false, json_integer(-1));
	cr_assert(strstr(e.msg, "ranks must be 0 to"), "%s", e.msg);
	read_changed(&e, "samples", true, json_integer(0));
	cr_assert(strstr(e.msg, "scores[1].samples must be at least 1"), "%s", e.msg);
	read_changed(&e, "nfe", true, json_pack("[i, s]", 1, "2"));
	cr_assert(strstr(e.msg, "scores[1].nfe must be a list of integers"), "%s", e.msg);
	read_changed(&e, "ema", false, json_pack("[f, s]", 0.5, "0.9"));
	cr_assert(strstr(e.msg, "ema must be a list of numbers"), "%s", e.msg);
	e = (struct err)ERR_INIT;
	read_changed(&e, "wall_s", false, json_integer(60)); /* a number all the same */
	cr_assert_str_eq(e.msg, "");
}

Test(job, a_file_that_is_no_json)
{
	struct err e = ERR_INIT;
	struct job back;
	cr_assert_eq(job_read(&back, tmpdir(), &e), -1);
	cr_assert(strstr(e.msg, "job.json"), "%s", e.msg);
	static const char *const texts[] = { "", "{\"attempt\": \"a\"", "[]", "{\"n\": 1, \"n\": 2}" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		cr_assert_eq(io_write_atomic(TMP("job.json"), texts[i], strlen(texts[i]), &e), 0);
		cr_assert_eq(job_read(&back, tmpdir(), &e), -1, "%s", texts[i]);
		cr_assert(strstr(e.msg, "/job.json: not a job of ablate: ") && e.code == EXIT_USAGE, "%s: %s", texts[i], e.msg);
	}
}

Test(job, what_is_wrong_with_a_stage_is_named)
{
	struct err e = ERR_INIT;
	read_changed(&e, "samplings", false,
	             json_pack("[{s:s, s:s, s:s, s:i}]", "key", "k", "path", "p", "sha256", "5a", "n", 0));
	cr_assert(strstr(e.msg, "samplings[0].n must be at least 1") && e.code == EXIT_USAGE, "%s", e.msg);
	read_changed(&e, "known", false, json_pack("[{s:s}]", "key", "k"));
	cr_assert(strstr(e.msg, "known[0].attempt is missing") && e.code == EXIT_USAGE, "%s", e.msg);
	struct job job = full;
	static const double none[] = { NAN };
	job.ema = none;
	job.n_ema = 1;
	e = (struct err)ERR_INIT;
	cr_assert_eq(job_write(&job, tmpdir(), &e), -1);
	cr_assert(strstr(e.msg, "/job.json: ema is not a finite number"), "%s", e.msg);
}

/* A job without stages is to the byte what it was before there were any: `verify` compares nothing of it, but an older
 * program reads it. */
Test(job, empty_lists_are_not_written)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str text = { 0 };
	struct job job = full;
	job.n_ema = job.n_samplings = job.n_known = 0;
	job.training = NULL;
	SCOPED(free) char *path = job_path(tmpdir());
	cr_assert(job_write(&job, tmpdir(), &e) == 0 && io_read(&text, path, 1 << 20, &e) == 0, "%s", e.msg);
	static const char *const keys[] = { "training", "ema", "samplings", "known" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		cr_expect_not(strstr(text.data, keys[i]), "%s", keys[i]);
}
