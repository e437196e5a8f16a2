/* expr.c - see expr.h. Recursive descent: product = factor { (*|/) factor }, factor = number | d | [sqrt] ( product
 * ). */
#include "model/config/expr.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

struct expr {
	const char *text, *at;
	double d;
	int depth;
	struct err *e;
};

static int product(struct expr *x, double *out);

static void skip_space(struct expr *x)
{
	while (*x->at == ' ')
		x->at++;
}

static int fail(struct expr *x, const char *what)
{
	return err_code(x->e, EXIT_USAGE, "'%s', column %d: %s (numbers, d, sqrt(), * and / are known)", x->text,
	                (int)(x->at - x->text) + 1, what);
}

static int parenthesis(struct expr *x, double *out)
{
	skip_space(x);
	if (*x->at != '(')
		return fail(x, "expected (");
	if (++x->depth > MAX_DEPTH)
		return fail(x, "nested too deep");
	x->at++;
	if (product(x, out))
		return -1;
	if (*x->at != ')')
		return fail(x, "expected )");
	x->at++;
	x->depth--;
	return 0;
}

static int factor(struct expr *x, double *out)
{
	skip_space(x);
	if (strncmp(x->at, "sqrt", 4) == 0) {
		x->at += 4;
		if (parenthesis(x, out))
			return -1;
		*out = sqrt(*out);
		return 0;
	}
	if (*x->at == '(')
		return parenthesis(x, out);
	if (*x->at == 'd' && !isalnum((unsigned char)x->at[1])) {
		x->at++;
		*out = x->d;
		return 0;
	}
	if (!isdigit((unsigned char)*x->at) && *x->at != '.')
		return fail(x, "expected a number");
	char *end;
	*out = strtod(x->at, &end);
	if (end == x->at)
		return fail(x, "expected a number");
	x->at = end;
	return 0;
}

static int product(struct expr *x, double *out)
{
	if (factor(x, out))
		return -1;
	for (;;) {
		skip_space(x);
		char op = *x->at;
		if (op != '*' && op != '/')
			return 0;
		x->at++;
		double right;
		if (factor(x, &right))
			return -1;
		*out = op == '*' ? *out * right : *out / right;
	}
}

int expr_eval(double *out, const char *text, double d, struct err *e)
{
	struct expr x = { .text = text, .at = text, .d = d, .e = e };
	double value;
	if (product(&x, &value))
		return -1;
	if (*x.at)
		return fail(&x, "unexpected character");
	if (!isfinite(value))
		return fail(&x, "not a finite number");
	*out = value;
	return 0;
}
