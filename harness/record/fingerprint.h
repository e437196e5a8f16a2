/* fingerprint.h - the numerics fingerprint of an attempt: what its numbers were computed with.
 *
 * With the libraries that compute, asked at run time, the hashes of a build (numerics.h) are the fingerprint: SHA-256
 * of the canonical JSON
 *
 *     {"build":HEX, "libraries":{"OpenBLAS":"0.3.21","libc":"2.36","oneDNN":"2.6.3"}}                       on the CPU
 *     {..., "device":{"kernels":"HEX, nvcc 13.0","libraries":"CUDA runtime 13.0, cuDNN 9.10.2, ..."}}       elsewhere
 *
 * Machine, instruction set, threads and paths are not in it: they are the environment's. Versions of libraries alone
 * decide, so libraries of one version that were built otherwise are taken for the same. Beside it stays
 * NUMERICS_VERSION, which is part of a cell's identity and raised by hand. */
#ifndef ABLATE_FINGERPRINT_H
#define ABLATE_FINGERPRINT_H

#include "harness/record/db.h"
#include "model/base/io.h"

#include <jansson.h>
#include <stdbool.h>

/* What the fingerprint is made of, for that device ("cpu", "cuda:0"), and the fingerprint. facts: borrowed, of the
 * device (kernels, libraries), NULL for the CPU. The caller owns the object. */
json_t *fingerprint_parts(char fingerprint[SHA256_HEX], const char *device, const json_t *facts);

/* --- which recorded numbers are of this build --- */

enum { FINGERPRINT_SHOWN = 12 }; /* digits of a fingerprint for people */

/* What a database says of the builds behind its attempts, read once. */
struct builds;
/* db NULL: nothing is recorded. */
MUST_CHECK int builds_read(struct builds **out, struct db *db, struct err *e);
void builds_free(struct builds *b); /* accepts NULL */
void scoped_builds(struct builds **b);
/* The fingerprint of an attempt (fingerprint: its own, NULL = none recorded), and of all that its numbers come from:
 * where the lives it resumed from, or attempts whose scores it took, have others, these are named too, in sorted order:
 * "FIRST+SECOND", "none" for one without. "" = not recorded. Lives as long as b. */
const char *builds_of(struct builds *b, const char *attempt, const char *fingerprint);
/* Reads for builds_stale() what is used for each cell. */
MUST_CHECK int builds_read_cells(struct builds *b, struct db *db, struct err *e);
/* Of a cell that is done with numbers of another build than this program's: their fingerprint as builds_of() has it.
 * NULL for any other cell. */
const char *builds_stale(const struct builds *b, const char *cell);
/* Is it this program's? On the CPU: the same fingerprint. On another device the libraries are not known without it:
 * the same build and kernels. */
bool builds_is_ours(const struct builds *b, const char *fingerprint);
/* Is it that for an attempt and all that its numbers come from? */
MUST_CHECK int builds_made_it(bool *out, struct builds *b, struct db *db, const char *attempt, struct err *e);
/* Heap text for people: "0123456789ab", "0123456789ab and 23456789abcd", "not recorded". */
char *builds_text(const char *fingerprint);

#endif
