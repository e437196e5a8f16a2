/* expr.h - the little arithmetic that a knob may be written in: numbers, d, sqrt(), *, / and parentheses, as in
 * "0.00054*sqrt(d)". What is hashed is the number, never the text. */
#ifndef ABLATE_EXPR_H
#define ABLATE_EXPR_H

#include "model/base/err.h"

/* Evaluates text with d = the data's channels * height * width. A syntax error or a result that is not finite is
 * EXIT_USAGE, naming the column. */
MUST_CHECK int expr_eval(double *out, const char *text, double d, struct err *e);

#endif
