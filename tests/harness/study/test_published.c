/* test_published.c - published values: each is found by all that names it, and a file that is unclear is refused with
 * the place. */
#include "harness/study/published.h"
#include "model/base/io.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <string.h>

static struct err e;

#define HEAD "schema = 1\n[[paper]]\nid = \"p\"\ncite = \"A 2024\"\n[[paper]]\nid = \"q\"\ncite = \"B 2025\"\n"
#define VALUE(paper, label, data, nfe, value) \
	"[[value]]\npaper = \"" paper "\"\nlabel = \"" label "\"\naliases = [\"also\"]\ndata = \"" data \
	"\"\nmetric = \"fid\"\nnfe = " nfe "\nvalue = " value "\nfrom = \"table 1\"\nread_from = \"table\"\n" \
	"confirmed = true\n"

static int read_text(struct published **out, const char *text)
{
	e = ERR_INIT;
	cr_assert_eq(io_write_atomic(TMP("published.toml"), text, strlen(text), &e), 0);
	return published_read(out, TMP("published.toml"), &e);
}

static double value_of(const struct published *p, const char *paper, const char *label, const char *data, int nfe)
{
	const struct published_value *v = published_find(p, paper, label, data, "fid", nfe);
	return v ? v->value : -1;
}

/* A value beside the wrong row would be a comparison that nobody made. */
Test(published, a_value_is_found_by_all_that_names_it)
{
	SCOPED(published) struct published *p = NULL;
	cr_assert_eq(read_text(&p, HEAD VALUE("p", "CT", "cifar10", "1", "1") VALUE("p", "CT", "cifar10", "2", "2")
	                               VALUE("p", "CT", "imagenet64", "1", "3") VALUE("q", "CT", "cifar10", "1", "4")),
	             0, "%s", e.msg);
	cr_expect_eq(value_of(p, "p", "ct", "cifar10", 1), 1, "labels are alike in any case");
	cr_expect_eq(value_of(p, "p", "also", "cifar10", 2), 2);
	cr_expect_eq(value_of(p, "p", "CT", "imagenet64", 1), 3);
	cr_expect_eq(value_of(p, "q", "CT", "cifar10", 1), 4);
	cr_expect_eq(value_of(p, "", "CT", "cifar10", 1), 1, "of any paper");
	cr_expect_eq(value_of(p, "q", "CT", "cifar10", 2), -1);
	cr_expect_eq(value_of(p, "p", "CT", "cifar10", 3), -1);
	cr_expect_eq(value_of(p, "p", "C", "cifar10", 1), -1);
	cr_expect_null(published_find(p, "p", "CT", "cifar10", "kid", 1));
}

Test(published, what_is_unclear_is_refused_with_its_place)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ HEAD VALUE("p", "CT", "cifar10", "1", "1") VALUE("p", "CT", "cifar10", "1", "2"),
		  "fid of CT on cifar10 with 1 NFE is given twice" },
		{ HEAD VALUE("r", "CT", "cifar10", "1", "1"), "paper r is not declared" },
		{ HEAD VALUE("p", "CT", "cifar10", "1", "nan"), "value (a number)" },
		{ HEAD VALUE("p", "CT", "cifar10", "-1", "1"), "nfe (0 to 100000)" },
		{ HEAD VALUE("p", "", "cifar10", "1", "1"), "label is missing" },
		{ HEAD VALUE("p", "CT", "cifar10", "1", "1") "seen = true\n", "unknown key seen" },
		{ "schema = 2\n", "this version reads schema 1" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct published *p = NULL;
		cr_expect_eq(read_text(&p, bad[i].text), -1, "taken, although: %s", bad[i].why);
		cr_expect(strstr(e.msg, bad[i].why) && strstr(e.msg, "published.toml:"), "%s", e.msg);
	}
}

/* Labels are compared without regard to case and may be asked for without a paper: sCT and SCT are two methods, and
 * one must not answer for the other. */
Test(published, each_label_of_the_own_file_answers_for_one_row)
{
	e = ERR_INIT;
	SCOPED(published) struct published *p = NULL;
	cr_assert_eq(published_read(&p, NULL, &e), 0, "%s", e.msg);
	const struct published_value *all;
	size_t n = published_values(&all, p);
	for (size_t i = 0; i < n; i++) {
		const struct published_value *v = &all[i];
		for (size_t k = 0; k <= v->n_aliases; k++) {
			const char *name = k ? v->aliases[k - 1] : v->label;
			cr_expect_eq(published_find(p, NULL, name, v->data, v->metric, v->nfe), v, "%s of %s, %s of %s at %d NFE",
			             name, v->paper, v->metric, v->data, v->nfe);
		}
	}
}
