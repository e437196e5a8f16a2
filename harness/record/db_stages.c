/* db_stages.c - SQL functions of our own: the key of a training, so that the migration and the taking of lines fill the
 * same column in the same way, and whether the two forms of a score agree. */
#include "harness/record/db_private.h"

#include "harness/record/hex_number.h"
#include "harness/record/stage.h"

#include <math.h>

static void stage_training(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	char hex[SHA256_HEX];
	const char *config = (const char *)sqlite3_value_text(v[0]), *dataset = (const char *)sqlite3_value_text(v[1]);
	(void)n;
	if (config && dataset &&
	    !stage_training_key(hex, config, dataset, sqlite3_value_int64(v[2]), sqlite3_value_int64(v[3]), NULL))
		sqlite3_result_text(ctx, hex, -1, SQLITE_TRANSIENT);
}

/* same_number(value, hex): do both forms of a score say the same? NULL = not a number. */
static void same_number(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	double x;
	(void)n;
	bool good = number_of_hex(&x, (const char *)sqlite3_value_text(v[1]));
	bool none = sqlite3_value_type(v[0]) == SQLITE_NULL;
	sqlite3_result_int(ctx, good && (isnan(x) ? none : !none && sqlite3_value_double(v[0]) == x));
}

static int add(struct db *db, const char *name, int n, void (*fn)(sqlite3_context *, int, sqlite3_value **),
               struct err *e)
{
	int rc = sqlite3_create_function(db->handle, name, n, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
	                                 fn, NULL, NULL);
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, e);
}

int db_add_stages(struct db *db, struct err *e)
{
	return add(db, "stage_training", 4, stage_training, e) || add(db, "same_number", 2, same_number, e) ? -1 : 0;
}
