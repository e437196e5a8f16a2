/* score_curve.c - see score_curve.h. */
#include "harness/record/score_curve.h"

#include "model/base/mem.h"

char *score_curve_name(const char *name, const char *extractor, int nfe, int64_t n)
{
	return xstrfmt("%s/%s@%d n%lld", name, extractor, nfe, (long long)n);
}
