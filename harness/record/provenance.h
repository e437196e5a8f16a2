/* provenance.h - what a result was made with: program, compiler, machine, libraries, as canonical JSON whose SHA-256 is
 * the env hash. Facts of one attempt (boot, pid, data, weights) are in its own rows instead. */
#ifndef ABLATE_PROVENANCE_H
#define ABLATE_PROVENANCE_H

#include "model/base/err.h"
#include "model/base/io.h"
#include "harness/text/json_keys.h"

#include <jansson.h>
#include <stdbool.h>

struct provenance {
	char hash[SHA256_HEX], fingerprint[SHA256_HEX]; /* fingerprint.h: of that device */
	char *json;
}; /* json: heap, sorted keys, no spaces */

/* Where and how the work is done, of all that is not the machine's. */
struct provenance_place {
	int threads, ranks;   /* OpenMP threads, in each of so many processes (0 and 1: one) */
	int microbatch;       /* samples that each computes at once; 0: its share of a batch */
	const char *device;   /* "cpu", "cuda:0" */
	json_t *device_facts; /* borrowed object that describes it (name, driver, math mode); NULL for the CPU */
	const double *ema;    /* EMA decays that are kept; recorded where they are more than one */
	int n_ema;
	const char *work_dir; /* whose file system is meant */
};
void provenance_take(struct provenance *out, const struct provenance_place *at);
void provenance_release(struct provenance *p);
extern const struct json_key provenance_keys[]; /* of provenance_facts */
/* The facts of this build and machine alone, fingerprint and fingerprint_of being the CPU's (what `ablate --version
 * --json` and `doctor` show); caller owns it. */
json_t *provenance_facts(void);

const char *provenance_commit(void); /* 40 hex digits, or "unknown" */
bool provenance_dirty(void);         /* built from changed files */
/* Has the source folder that this was built from changed since (another commit or other changes)? false where there is
 * no such folder or no git. Takes about 20 ms. */
bool provenance_tree_changed(void);

#endif
