/* score_add.h - what the functions behind the rows of metrics.def share; private to this room. */
#ifndef ABLATE_SCORE_ADD_H
#define ABLATE_SCORE_ADD_H

#include "metrics/scores/score.h"

/* Appends a score called `name`, of protocol "protocol_name:...", of a against b (NULL: of a alone). half NAN: none.
 * The caller adds what else is known; the score is the list's. */
struct score *score_add(struct score_list *out, const char *name, const char *protocol_name, const struct metric *m,
                        const struct feature_set *a, const struct feature_set *b, enum feature_kind kind, double value,
                        double half);
/* Says what the half-width is, or, where it is NAN, why there is none; both literals. */
void score_spread(struct score *s, const char *is, const char *none);
/* of precision and its like, and of recall */
#define SCORE_NO_BLOCKS "fewer than 40 images of a set, or all or none inside"
#define SCORE_OWN_BALLS "without some images the balls of the others would be larger"
#define SCORE_TOO_FEW   "fewer than 40 images of a set"
/* name: a literal, for --json. */
void score_add_part(struct score *s, const char *name, double value);
/* Warns where a Frechet distance of n vectors (0: unknown) in d dimensions says little; keeps a warning that is
 * there. */
void score_warn_of_size(struct score *s, int64_t n, int d, const char *origin);
/* The pooled features of both sides [n, dim]. */
MUST_CHECK int score_floats_of_both(const float **x, const float **y, struct feature_set *a, struct feature_set *b,
                                    struct err *e);

#endif
