/* spark.h - a curve in one line of text. */
#ifndef ABLATE_SPARK_H
#define ABLATE_SPARK_H

#include "model/base/str.h"

#include <stdbool.h>

/* Appends values v[0..n) in at most `width` columns, a character each: the mean of the finite ones that fall into it,
 * in eight heights from the smallest to the largest of these means, by their logarithms where all are positive (a loss
 * falls by ratios). A column without a finite value is an x. Blocks U+2581 to U+2588, or ASCII without utf8. Returns
 * the columns used: fewer than width where there are fewer values. */
int spark_add(struct str *out, const double *v, int n, int width, bool utf8);

#endif
