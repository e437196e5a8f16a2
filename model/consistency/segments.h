/* segments.h - multistep consistency (Heek et al. 2024, arXiv:2403.06807; "phased" in SCT, arXiv:2410.18958): noise
 * levels are cut into config.multistep.segments segments, and consistency is asked for inside each alone. Student and
 * teacher are compared at their segment's lower end e, where one Euler step of dx/dsigma = (x - D(x, sigma)) / sigma
 * leads:
 *
 *   f(x, sigma) = (e / sigma) x + (1 - e / sigma) D(x, sigma)
 *
 * which is D itself in the lowest segment, whose end counts as 0. One segment is consistency training as it was.
 * A model of S segments makes a picture by S evaluations, from end to end. */
#ifndef ABLATE_SEGMENTS_H
#define ABLATE_SEGMENTS_H

#include "model/consistency/schedule.h"

/* The j-th end, j = 0 .. S: 0, then equally spaced in sigma^(1/rho), as the levels are, up to sigma.max. */
double segment_end(const struct run_config *c, int j);
/* The lower end of the segment that t is in; an end itself is in the segment below it. */
double segment_below(const struct run_config *c, double t);
/* The teacher's noise r for student noise t: not below the segment of t, where the teacher's answer is its input. */
double segment_teacher(const struct run_config *c, double t, double r);
/* Preconditioning of f at noise sigma > 0, from that of D. */
struct precond segment_precond(struct precond p, double sigma, double end);

/* Can pictures be made by nfe evaluations? S of them, or more where sample.sigma_mid, the level that is returned to, is
 * in the lowest segment. If not: EXIT_USAGE, one line that names the knobs. */
MUST_CHECK int segments_allow(const struct run_config *c, int nfe, struct err *e);

#endif
