/* fuzz_dsse.c - harness/attest/dsse.c and statement_check.c: any bytes as an envelope and as a payload. What is taken
 * was never signed, so no signature in it is good. */
#include "harness/attest/statement_read.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void as_statement(const char *text)
{
	SCOPED(statement) struct statement s = { .kind = "" };
	struct err e = ERR_INIT;
	if (!statement_read(&s, text, &e))
		REQUIRE(strlen(s.attempt) + strlen(s.seal) + strlen(s.created) + strlen(s.kind) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t seed[SIGNING_SEED] = { 7 };
	SCOPED(signing_key) struct signing_key *k = signing_key_of_seed(seed);
	SCOPED(dsse) struct dsse d = { .key = "" };
	SCOPED(str) struct str around = { 0 };
	SCOPED(free) char *text = xstrndup((const char *)data, n);
	struct err e = ERR_INIT;
	if (!dsse_read(&d, (const char *)data, n, &e))
		REQUIRE(!dsse_check(&d, k->public));
	as_statement(text);
	dsse_seal(&around, k, data, n); /* and as a payload that is signed */
	as_statement(str_text(&around));
	return 0;
}
