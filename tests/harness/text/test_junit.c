/* test_junit.c - reports for CI systems: counts that fit the cases, names that cannot become markup, and none that is
 * empty. */
#include "harness/text/junit.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"
#include "model/base/io.h"

#include <criterion/criterion.h>
#include <string.h>

static struct err e;

static const struct junit_case cases[] = {
	{ .name = "a<b>", .classname = "grid \"g\"", .outcome = JUNIT_PASS, .message = "5 & more", .seconds = 0.25 },
	{ .name = "b", .classname = "g", .outcome = JUNIT_FAILURE, .type = "regression", .message = "x < y", .seconds = 1 },
	{ .name = "c", .classname = "g", .outcome = JUNIT_FAILURE, .type = "regression", .message = "z", .seconds = 1 },
	{ .name = "d", .classname = "g", .outcome = JUNIT_ERROR, .type = "blocked", .message = "no weights" },
	{ .name = "e", .classname = "g", .outcome = JUNIT_SKIPPED },
	{ .name = "f", .classname = "g", .outcome = JUNIT_PASS },
};

/* A CI system believes the counts of the heads; people read the text of an element, where all of it is. */
Test(junit, counts_fit_the_cases_and_nothing_is_markup)
{
	SCOPED(str) struct str s = { 0 };
	const struct junit_suite suites[] = { { "gates", cases, 6 }, { "none", cases, 0 }, { "cells", cases + 5, 1 } };
	junit_text(&s, suites, 3);
	static const char *const has[] = {
		"<testsuites name=\"ablate\" tests=\"7\" failures=\"2\" errors=\"1\" skipped=\"1\" time=\"2.250\">",
		"<testsuite name=\"gates\" tests=\"6\" failures=\"2\" errors=\"1\" skipped=\"1\" time=\"2.250\">",
		"<testsuite name=\"cells\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\" time=\"0.000\">",
		("<testcase name=\"a&lt;b&gt;\" classname=\"grid &quot;g&quot;\" time=\"0.250\"><system-out>5 &amp; more"
		 "</system-out></testcase>"),
		"<failure type=\"regression\" message=\"x &lt; y\">regression: x &lt; y</failure>",
		"<error type=\"blocked\" message=\"no weights\">blocked: no weights</error>",
		"<testcase name=\"e\" classname=\"g\" time=\"0.000\"><skipped message=\"\"></skipped></testcase>",
		"<testcase name=\"f\" classname=\"g\" time=\"0.000\"></testcase>",
	};
	for (size_t i = 0; i < sizeof has / sizeof *has; i++)
		cr_expect_not_null(strstr(s.data, has[i]), "no %s in %s", has[i], s.data);
	cr_expect_null(strstr(s.data, "\"none\""), "a suite without cases");
}

/* An empty report reads as success. */
Test(junit, nothing_to_report_is_no_report)
{
	const struct junit_suite none = { "none", cases, 0 }, one = { "one", cases, 1 };
	cr_assert_eq(junit_write(TMP("none.xml"), &none, 1, &e), -1);
	cr_expect_eq(err_exit_code(&e), EXIT_USAGE);
	cr_expect_not(io_exists(TMP("none.xml")));
	OK(junit_write(TMP("one.xml"), &one, 1, &e));
	cr_expect(io_exists(TMP("one.xml")));
}
