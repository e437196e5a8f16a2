/* junit.c - see junit.h. */
#include "harness/text/junit.h"

#include "harness/text/escape.h"

#include "model/base/io.h"
#include "model/base/mem.h"

struct totals {
	size_t tests, failures, errors, skipped;
	double seconds;
};

static struct totals count(const struct junit_suite *s)
{
	struct totals t = { .tests = s->n };
	for (size_t i = 0; i < s->n; i++) {
		t.failures += s->cases[i].outcome == JUNIT_FAILURE;
		t.errors += s->cases[i].outcome == JUNIT_ERROR;
		t.skipped += s->cases[i].outcome == JUNIT_SKIPPED;
		t.seconds += s->cases[i].seconds;
	}
	return t;
}

static void attribute(struct str *out, const char *name, const char *value)
{
	str_addf(out, " %s=\"", name);
	escape_html(out, value ? value : "");
	str_addc(out, '"');
}

static void counts(struct str *out, const struct totals *t)
{
	str_addf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\"", t->tests, t->failures,
	         t->errors, t->skipped, t->seconds);
}

static void one_case(struct str *out, const struct junit_case *c)
{
	static const char *const elements[] = { "system-out", "failure", "error", "skipped" };
	const char *element = elements[c->outcome];
	str_add(out, "    <testcase");
	attribute(out, "name", c->name);
	attribute(out, "classname", c->classname);
	str_addf(out, " time=\"%.3f\">", c->seconds);
	if (c->message || c->outcome != JUNIT_PASS) {
		str_addf(out, "<%s", element);
		if (c->outcome == JUNIT_FAILURE || c->outcome == JUNIT_ERROR)
			attribute(out, "type", c->type);
		if (c->outcome != JUNIT_PASS)
			attribute(out, "message", c->message);
		str_addc(out, '>');
		if (c->type) {
			escape_html(out, c->type);
			str_add(out, ": ");
		}
		escape_html(out, c->message ? c->message : "");
		str_addf(out, "</%s>", element);
	}
	str_add(out, "</testcase>\n");
}

void junit_text(struct str *out, const struct junit_suite *suites, size_t n)
{
	struct totals all = { 0 };
	for (size_t i = 0; i < n; i++) {
		struct totals t = count(&suites[i]);
		all.tests += t.tests, all.failures += t.failures, all.errors += t.errors, all.skipped += t.skipped;
		all.seconds += t.seconds;
	}
	str_add(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"ablate\"");
	counts(out, &all);
	str_add(out, ">\n");
	for (size_t i = 0; i < n; i++) {
		if (!suites[i].n)
			continue;
		struct totals t = count(&suites[i]);
		str_add(out, "  <testsuite");
		attribute(out, "name", suites[i].name);
		counts(out, &t);
		str_add(out, ">\n");
		for (size_t k = 0; k < suites[i].n; k++)
			one_case(out, &suites[i].cases[k]);
		str_add(out, "  </testsuite>\n");
	}
	str_add(out, "</testsuites>\n");
}

int junit_write(const char *path, const struct junit_suite *suites, size_t n, struct err *e)
{
	size_t cases = 0;
	for (size_t i = 0; i < n; i++)
		cases += suites[i].n;
	if (!cases)
		return err_code(e, EXIT_USAGE, "%s: no gate and no cell to report: an empty report would read as success",
		                path);
	SCOPED(str) struct str text = { 0 };
	junit_text(&text, suites, n);
	return io_write_atomic(path, text.data, text.len, e);
}
