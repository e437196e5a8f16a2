/* protocol.h - how a number was made, as one string that accompanies it:
 *
 *     fid:inception-2015:tf-bilinear:u8:n50000:ref=0f3a9c41d2b7
 *     metric : extractor : resize : pixels [: numerics] : n [: reference]
 *
 * n of a random subset says of how many and by which seed: "n500of1000-seed0".
 * pixels says how the pictures became bytes: "u8" they came as bytes, "u8-round" and "u8-truncate" we rounded them.
 * "-mixed" behind it: the set was read as pictures of any sizes, each resized by itself; such a set compares with one
 * that was not, and the score says "-mixed".
 * numerics is absent for fp32. An extractor with weights other than the published ones carries their hash
 * ("inception-2015@1a2b3c4d"). The middle part, extractor to numerics, says what a feature is: features and statistics
 * carry it, and two of them that differ in it are not compared (exit code 5). */
#ifndef ABLATE_PROTOCOL_H
#define ABLATE_PROTOCOL_H

#include "metrics/features/extractor.h"

#include <stdint.h>

#define PROTOCOL_TEXT 256
#define PROTOCOL_REF  12 /* hex digits of the reference's SHA-256 */

/* "inception-2015:tf-bilinear:u8"; pixels is "u8", "u8-mixed", "u8-round" or "u8-truncate". buf has PROTOCOL_TEXT
 * bytes. */
char *protocol_features(char *buf, const struct extractor *x, const char *pixels);
/* The whole; ref_sha256 may be NULL or "" (scores of one side, or an unknown reference); features "" is written as
 * "unknown"; n 0 as "n?". */
char *protocol_text(char *buf, const char *metric, const char *features, int64_t n, const char *ref_sha256);
/* Which of the protocols of two sides that compare is the score's: a's, unless only b's is known or "-mixed". */
const char *protocol_of_both(const char *a, const char *b);
/* The same of n pictures that were drawn from more: `drawn` (protocol_drawn) follows n, "n500of1000-seed0"; "" for all
 * that there were. */
char *protocol_text_of(char *buf, const char *metric, const char *features, int64_t n, const char *drawn,
                       const char *ref_sha256);
/* "of1000-seed0": how a subset was drawn (source_sample). buf has PROTOCOL_DRAWN bytes. */
#define PROTOCOL_DRAWN 48
char *protocol_drawn(char *buf, int64_t whole, uint32_t seed);
/* Are these features of one protocol, "-mixed" or not? "" (statistics made elsewhere, without one) fits everything. */
MUST_CHECK int protocol_check(const char *a, const char *a_name, const char *b, const char *b_name, struct err *e);

#endif
