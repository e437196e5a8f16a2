/* test_gate_scipy.c - the arithmetic of the gate against SciPy 1.11.4: see tests/fixtures/gate/README.md. The two share
 * no line, so a wrong formula (a variance, degrees of freedom, the side of a bound) cannot be wrong in both alike. */
#include "harness/judge/stats.h"
#include "model/base/err.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *cursor;

static double number(void)
{
	char *end;
	double x = strtod(cursor, &end);
	cr_assert(end != cursor, "a number is missing at %s", cursor);
	cursor = end;
	return x;
}

static void near(double got, double want, double tol, const char *what, int line)
{
	cr_assert(fabs(got - want) <= tol * fmax(1, fabs(want)), "line %d: %s = %.15g, SciPy %.15g", line, what, got, want);
}

static void check_power(int line)
{
	int n = (int)number(), paired = (int)number();
	double k = number(), alpha = number(), rho = number(), margin = number(), want = number();
	near(stats_power(margin, 0, 1, rho, paired, n, alpha, k), want, 1e-8, "power", line);
}

static void check_test(const char *kind, int line)
{
	int n = (int)number(), m = (int)number();
	double k = number(), alpha = number(), theta = number(), a[16], b[16];
	cr_assert(n >= 1 && n <= 16 && m >= 2 && m <= 16);
	for (int i = 0; i < n; i++)
		a[i] = number();
	for (int i = 0; i < m; i++)
		b[i] = number();
	struct stats_diff d = !strcmp(kind, "welch")    ? stats_welch(a, n, b, m, k)
	                      : !strcmp(kind, "paired") ? stats_paired(a, b, n, k)
	                                                : stats_prediction(a[0], b, m, k);
	near(d.diff, number(), 1e-12, "diff", line);
	near(d.se, number(), 1e-10, "se", line);
	near(d.df, number(), 1e-10, "df", line);
	near(stats_lower(&d, alpha), number(), 1e-8, "lower", line);
	near(stats_upper(&d, alpha), number(), 1e-8, "upper", line);
	near(stats_p_less(&d, theta), number(), 1e-10, "p", line);
	double want = number();
	if (isnan(want))
		return;
	for (int i = 0; i < m; i++)
		b[i] *= k;
	near(stats_permutation_p(a, n, b, m, !strcmp(kind, "paired"), theta), want, 1e-12, "permutation p", line);
}

Test(gate_scipy, every_case_agrees)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str text = { 0 };
	cr_assert_eq(io_read(&text, FIXTURES "/gate/cases.txt", 1 << 22, &e), 0, "%s", e.msg);
	int line = 0, tests = 0, powers = 0;
	for (char *at = text.data, *next; at && *at; at = next) {
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		line++;
		if (*at == '#')
			continue;
		char kind[16];
		size_t n = strcspn(at, " ");
		cr_assert(n < sizeof kind);
		memcpy(kind, at, n);
		kind[n] = '\0';
		cursor = at + n;
		if (!strcmp(kind, "power"))
			powers++, check_power(line);
		else
			tests++, check_test(kind, line);
		cr_assert_str_empty(cursor, "line %d: left over", line);
	}
	cr_assert(tests >= 40 && powers >= 10);
}
