/* statement_read.h - a statement as its envelope has it, for statement.c and statement_check.c. */
#ifndef ABLATE_STATEMENT_READ_H
#define ABLATE_STATEMENT_READ_H

#include "harness/attest/dsse.h"
#include "harness/record/query_statement.h"

#include <jansson.h>

#define STATEMENT_TYPE      "https://in-toto.io/Statement/v1"
#define STATEMENT_PREDICATE "urn:ablate:%s:v1" /* with the kind */

/* Texts belong to the document. name is NULL where the signer gave none. */
struct statement {
	struct dsse envelope;
	json_t *document, *predicate;
	const char *attempt, *seal, *name, *created;
	char kind[16];
	uint8_t public[SIGNING_PUBLIC]; /* the key that it says it is signed with */
};
/* EXIT_RECORD for what is no statement of ours. No signature is checked. */
MUST_CHECK int statement_read(struct statement *out, const char *envelope, struct err *e);
void statement_release(struct statement *s);
void scoped_statement(struct statement *s);

/* What the predicate of a seal says of an attempt, and of a score. New references. */
json_t *statement_facts(const struct sealed_row *r, const char *attempt);
json_t *statement_score(const struct said_score_row *r);

#endif
