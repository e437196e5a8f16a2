/* score_curve.h - what the curve of a score over training is called (eval.every). */
#ifndef ABLATE_SCORE_CURVE_H
#define ABLATE_SCORE_CURVE_H

#include <stdint.h>

/* "fid/pixels@1 n1000": the score `name` of n images at nfe evaluations by that extractor. It is the whole of what a
 * protocol would say beside the cell's own settings, so that curves of one name compare. Heap text. */
char *score_curve_name(const char *name, const char *extractor, int nfe, int64_t n);

#endif
