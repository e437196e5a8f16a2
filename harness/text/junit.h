/* junit.h - JUnit XML as CI systems read it.
 *
 * Suites of cases with consistent counts and times in seconds. All facts are in the element's text as well as in its
 * attributes, since some readers drop message, type and properties. A suite without cases is left out; characters that
 * XML cannot hold become U+FFFD. */
#ifndef ABLATE_JUNIT_H
#define ABLATE_JUNIT_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stddef.h>

enum junit_outcome { JUNIT_PASS, JUNIT_FAILURE, JUNIT_ERROR, JUNIT_SKIPPED };

struct junit_case {
	const char *name, *classname;
	enum junit_outcome outcome;
	const char *type;    /* of a failure or an error: "regression", "inconclusive", "blocked", ...; NULL otherwise */
	const char *message; /* one sentence; of a pass it goes to system-out; may be NULL */
	double seconds;      /* >= 0 */
};

struct junit_suite {
	const char *name;
	const struct junit_case *cases;
	size_t n;
};

/* The document for `suites`. */
void junit_text(struct str *out, const struct junit_suite *suites, size_t n);
/* The same, written atomically. Having no cases is an error (exit 2): an empty report reads as success. */
MUST_CHECK int junit_write(const char *path, const struct junit_suite *suites, size_t n, struct err *e);

#endif
