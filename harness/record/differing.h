/* differing.h - cells that have several done attempts whose bits are not the same, as two machines leave them: which
 * attempt speaks for the cell, which other one does not, and what is known of why they differ.
 *
 * The rule, which is that of the views v_result and v_attempt: of the done attempts of the latest generation the one
 * that started first speaks; of several that started in the same millisecond, the one with the smallest id. Of a score
 * that it lacks, the first that has it. What decides is in the journals alone, not the order in which they were merged,
 * so that everybody who has the same records uses the same numbers. The times are by the clocks of the machines: where
 * one of them was wrong, another attempt may speak, but the same one everywhere. */
#ifndef ABLATE_DIFFERING_H
#define ABLATE_DIFFERING_H

#include "harness/record/db.h"
#include "harness/record/host.h"
#include "model/base/io.h"
#include "harness/text/json_keys.h"

#include <jansson.h>

/* An attempt that speaks and another one of the same cell and generation. */
struct differing {
	char cell[SHA256_HEX], speaks[HOST_UUID], other[HOST_UUID];
	char *label; /* of the cell, else the first digits of its arm's hash */
	int64_t seed;
	bool for_scores;        /* it speaks for the scores that are counted here alone: another one has the rest */
	bool at_once;           /* both started in the same millisecond: the ids decide */
	int64_t scores, differ; /* that both have and the first of the two speaks for; of these with other bits */
	char *score;            /* the first of them ("fid@1 of seed 101"); NULL: none */
	int64_t step;           /* the first step of the training that is known to differ; -1: none */
	char *unlike; /* what of their environments can change those bits, from the one that speaks to the other; "" if
	                       * nothing is known */
};

#define DIFFERING_SHOWN 20

/* The first DIFFERING_SHOWN of them, by cell; all: how many there are. Zero-initialised is empty. */
struct differing_list {
	struct differing *v;
	int n;
	int64_t all;
};

/* Of the cells of those attempts (NULL: of all cells). Attempts whose bits are the same are not in it. */
MUST_CHECK int differing_find(struct differing_list *out, struct db *db, const char (*attempts)[HOST_UUID], int n,
                              struct err *e);
/* Of one cell. */
MUST_CHECK int differing_of_cell(struct differing_list *out, struct db *db, const char *cell, struct err *e);
void differing_release(struct differing_list *l);
void scoped_differing(struct differing_list *l); /* SCOPED(differing) struct differing_list l = { 0 }; */

/* Appends a sentence. */
void differing_text(struct str *out, const struct differing *d);
extern const struct json_key differing_keys[]; /* of each object of differing_json */
/* An object of differing_keys for each of the list. New reference. */
json_t *differing_json(const struct differing_list *l);

#endif
