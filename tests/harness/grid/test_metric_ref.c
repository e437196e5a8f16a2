/* test_metric_ref.c - names of scores, and which extractor they mean: two metrics of one name are never confused. */
#include "harness/grid/grid.h"

#include <criterion/criterion.h>
#include <string.h>

/* What is parsed is written the same; an extractor's own ':' does not begin the weights. */
Test(metric_ref, names_are_read_and_written_alike)
{
	static const struct {
		const char *text, *name, *extractor, *weights;
		int nfe;
	} good[] = {
		{ "fid", "fid", "", "", -1 },
		{ "fid@2", "fid", "", "", 2 },
		{ "fid@1:student", "fid", "", "student", 1 },
		{ "fid/pixels@1", "fid", "pixels", "", 1 },
		{ "fid/pixels", "fid", "pixels", "", -1 },
		{ "recall/classifier:b@1:student", "recall", "classifier:b", "student", 1 },
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct metric_ref r;
		cr_assert_eq(metric_ref_parse(&r, good[i].text, NULL), 0, "%s", good[i].text);
		SCOPED(free) char *again = metric_ref_text(&r);
		cr_assert(!strcmp(r.name, good[i].name) && !strcmp(r.extractor, good[i].extractor) &&
		              !strcmp(r.weights, good[i].weights) && r.nfe == good[i].nfe,
		          "%s: %s %s %s %d", good[i].text, r.name, r.extractor, r.weights, r.nfe);
		cr_assert_str_eq(again, good[i].text);
	}
	static const char *const bad[] = { "",
		                               "/pixels@1",
		                               "fid/",
		                               "fid/@1",
		                               "fid/pixels@",
		                               "fid/a/b@1",
		                               "fid/a b@1",
		                               "fid/a-name-that-no-extractor-has-for-it-is-too-long@1" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct metric_ref r;
		struct err e = ERR_INIT;
		cr_assert_eq(metric_ref_parse(&r, bad[i], &e), -1, "%s", bad[i]);
		cr_assert_eq(e.code, EXIT_USAGE);
	}
}

/* A name is whole: classifier is not classifier-b, and the other way round. */
Test(metric_ref, the_protocol_says_which_extractor_made_a_score)
{
	static const struct {
		const char *text, *protocol;
		bool made;
	} rows[] = {
		{ "fid@1", "fid:pixels:none:u8:n100", true },
		{ "fid/pixels@1", "fid:pixels:none:u8:n100", true },
		{ "fid/pixels@1", "fid:classifier@501541f2:none:u8:n100", false },
		{ "fid/classifier@1", "fid:classifier@501541f2:none:u8:n100", true },
		{ "fid/classifier@1", "fid:classifier-b@501541f2:none:u8:n100", false },
		{ "fid/classifier:b@1", "fid:classifier-b@501541f2:none:u8:n100", true },
		{ "fid/classifier:b@1", "fid:classifier@501541f2:none:u8:n100", false },
		{ "fid/pixels@1", "fid", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct metric_ref r;
		cr_assert_eq(metric_ref_parse(&r, rows[i].text, NULL), 0);
		cr_assert_eq(metric_ref_made(&r, rows[i].protocol), rows[i].made, "%s of %s", rows[i].text, rows[i].protocol);
	}
}

Test(metric_ref, titles_name_the_extractor)
{
	struct metric_ref r;
	cr_assert_eq(metric_ref_parse(&r, "fid/pixels@1", NULL), 0);
	SCOPED(free) char *title = metric_title(&r, 2000);
	cr_assert_str_eq(title, "FID-2k (pixels), 1 step");
}

#define HEAD    "schema = 1\n[grid]\nname = \"g\"\nseeds = { train = [1] }\n[base]\npreset = \"ict-shapes8-ci\"\n"
#define CLASSES "[[metric]]\nname = \"fid\"\nsamples = 100\nextractor = \"classifier\"\n"
#define PIXELS  "[[metric]]\nname = \"fid\"\nsamples = 200\nnfe = [1, 2]\nextractor = \"pixels\"\n"
#define TABLE   "[[table]]\nname = \"t\"\n"

static int read_text(struct grid **g, const char *text, struct err *e)
{
	struct grid_source source = { .path = "g.toml", .text = text, .n = strlen(text) };
	return grid_parse(g, &source, 1, e);
}

static void refused_with(const char *text, const char *part)
{
	struct grid *g = NULL;
	struct err e = ERR_INIT;
	cr_assert_eq(read_text(&g, text, &e), -1, "%s", text);
	cr_assert_eq(e.code, EXIT_USAGE);
	cr_assert_not_null(strstr(e.msg, part), "%s", e.msg);
}

/* With two, each has its own number of images, and a name without an extractor is refused with what to write. */
Test(metric_ref, a_grid_with_two_extractors_wants_them_named)
{
	SCOPED(grid) struct grid *g = NULL;
	struct err e = ERR_INIT;
	struct metric_ref r, all[8];
	cr_assert_eq(read_text(&g, HEAD CLASSES PIXELS TABLE "cols = [\"fid/pixels@2\", \"delta:fid/classifier@1\"]\n", &e),
	             0, "%s", e.msg);
	cr_assert_eq(grid_metric_refs(all, 8, g), 3);
	cr_assert_str_eq(all[0].extractor, "classifier");
	cr_assert_eq(grid_metric_ref(&r, g, "fid/pixels@1", &e), 0);
	cr_assert_eq(r.samples, 200);
	cr_assert_eq(grid_metric_ref(&r, g, "fid@1", &e), -1);
	cr_assert_not_null(strstr(e.msg, "write fid/classifier@1 or fid/pixels@1"), "%s", e.msg);
	cr_assert(grid_measures(g, "fid/classifier") && !grid_measures(g, "fid/pixels"), "pixels has two numbers of steps");
	cr_assert_not(grid_measures(g, "fid/classifier@2"));
	refused_with(HEAD CLASSES PIXELS TABLE "cols = [\"fid@1\"]\n", "write fid/classifier@1 or fid/pixels@1");
	refused_with(HEAD CLASSES PIXELS TABLE "cols = [\"fid/pixels@3\"]\n", "declared are fid/classifier@1 fid/pixels@1");
	refused_with(HEAD CLASSES "[[metric]]\nname = \"fid\"\nsamples = 100\n", "name the extractor of both");
	refused_with(HEAD CLASSES TABLE "cols = [\"fid/pixels@1\"]\n", "declared are fid@1");
}
