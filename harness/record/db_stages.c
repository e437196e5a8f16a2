/* db_stages.c - the key of a training as an SQL function, so that the migration and the taking of lines fill the same
 * column in the same way. */
#include "harness/record/db_private.h"

#include "harness/record/stage.h"

static void stage_training(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	char hex[SHA256_HEX];
	const char *config = (const char *)sqlite3_value_text(v[0]), *dataset = (const char *)sqlite3_value_text(v[1]);
	(void)n;
	if (config && dataset &&
	    !stage_training_key(hex, config, dataset, sqlite3_value_int64(v[2]), sqlite3_value_int64(v[3]), NULL))
		sqlite3_result_text(ctx, hex, -1, SQLITE_TRANSIENT);
}

int db_add_stages(struct db *db, struct err *e)
{
	int rc = sqlite3_create_function(db->handle, "stage_training", 4,
	                                 SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL, stage_training, NULL,
	                                 NULL);
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, e);
}
