/* signers.c - see signers.h. */
#define _GNU_SOURCE
#include "harness/attest/signers.h"

#include "harness/attest/statement.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <string.h>

struct tally {
	int attempts, sealed, repeated, equal, wrong;
	struct str seal_keys, repeat_keys;
};

static void add_key(struct str *keys, const char *key)
{
	char shown[13];
	(void)snprintf(shown, sizeof shown, "%.12s", key);
	if (!strstr(str_text(keys), shown))
		str_addf(keys, "%s%s", keys->len ? ", " : "", shown);
}

static int count(struct tally *t, struct db *db, const char *attempt, struct err *e)
{
	struct db_rows rows;
	struct statement_row r;
	struct statement_check found;
	bool sealed = false, repeated = false, equal = true;
	int rc = 0;
	if (query_statements(&rows, db, attempt, e))
		return -1;
	while (!rc && query_statement_next(&r, &rows)) {
		bool seal = strcmp(r.kind, "seal") == 0;
		if ((rc = statement_check(&found, db, &r, e)))
			break;
		t->wrong += found.state != STATEMENT_VALID;
		if (found.state != STATEMENT_VALID)
			continue;
		add_key(seal ? &t->seal_keys : &t->repeat_keys, r.key);
		sealed = sealed || seal;
		repeated = repeated || !seal;
		equal = equal && (seal || found.equal);
	}
	t->sealed += sealed;
	t->repeated += repeated;
	t->equal += repeated && equal;
	return db_done(&rows, rc ? NULL : e) || rc ? -1 : 0;
}

int signers_text(struct str *dst, struct db *db, const char *const *attempts, int n, struct err *e)
{
	struct tally t = { .attempts = 0 };
	bool any;
	int rc = query_has_statements(&any, db, e);
	for (int i = 0; i < n && !rc && any; i++)
		if (*attempts[i]) {
			t.attempts++;
			rc = count(&t, db, attempts[i], e);
		}
	size_t begin = dst->len;
	if (!rc && t.sealed)
		str_addf(dst, "%d of %d attempt%s %s signed by key %s", t.sealed, t.attempts, str_plural(t.attempts),
		         t.sealed == 1 ? "is" : "are", str_text(&t.seal_keys));
	if (!rc && t.repeated)
		str_addf(dst, "%s%d repeated by key %s (%d equal)", dst->len > begin ? "; " : "", t.repeated,
		         str_text(&t.repeat_keys), t.equal);
	if (!rc && t.wrong)
		str_addf(dst, "%s%d statement%s about them %s not hold (`ablate attest --check`)", dst->len > begin ? "; " : "",
		         t.wrong, str_plural(t.wrong), t.wrong == 1 ? "does" : "do");
	str_release(&t.seal_keys);
	str_release(&t.repeat_keys);
	return rc;
}
