/* checkpoint_find.c - see checkpoint_find.h. */
#include "harness/sample/checkpoint_find.h"

#include "harness/record/prune.h"
#include "harness/record/query.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/formats/safetensors.h"

#include <stdio.h>
#include <string.h>

static int config_of_file(struct run_config *out, const char *path, struct err *e)
{
	struct safetensors *st;
	if (safetensors_open(&st, path, e))
		return -1;
	const char *json = safetensors_meta(st, "config");
	int rc = json ? config_from_json(out, json, e) : err_set(e, "%s: not a checkpoint of this program", path);
	safetensors_free(st);
	return rc ? err_in(e, "%s", path) : 0;
}

/* place: "CELL12/ATTEMPT/NAME". True with e where the file was removed by `ablate prune`. */
static bool is_pruned(struct db *db, const char *db_file, const char *path, const char *place, struct err *e)
{
	char attempt[HOST_UUID];
	SCOPED(free) char *day = NULL;
	const char *name = strrchr(place, '/');
	(void)snprintf(attempt, sizeof attempt, "%s", strchr(place, '/') + 1);
	if (io_exists(path) || (!prune_when(&day, db, attempt, name + 1, e) && !day))
		return false;
	if (day)
		(void)err_code(
			e, EXIT_RECORD,
			"attempt %.8s: its checkpoint was pruned on %s; `ablate verify %.8s --db %s` makes it again, for "
			"`ablate sample %.12s`",
			attempt, day, attempt, db_file, place);
	return true;
}

char *checkpoint_find(const char *db_file, const char *what, struct err *e)
{
	if (io_exists(what))
		return xstrdup(what);
	SCOPED(db) struct db *db = NULL;
	SCOPED(free) char *place = NULL;
	if (db_open(&db, db_file, DB_READ, e) || query_checkpoint_place(&place, db, what, e))
		return NULL;
	if (!place) {
		(void)err_code(e, EXIT_USAGE, "%s: neither a file nor an attempt or cell with a checkpoint in %s", what,
		               db_file);
		return NULL;
	}
	SCOPED(free) char *path = xstrfmt("%s-runs/%s", db_file, place);
	return is_pruned(db, db_file, path, place, e) ? NULL : xstrdup(path);
}

int checkpoint_config(struct run_config *out, const char *db_file, const char *what, const char *path, struct err *e)
{
	if (io_exists(what))
		return config_of_file(out, path, e);
	SCOPED(db) struct db *db = NULL;
	SCOPED(free) char *json = NULL;
	if (db_open(&db, db_file, DB_READ, e) || query_config_named(&json, db, what, e))
		return -1;
	return json ? config_from_json(out, json, e) : config_of_file(out, path, e);
}
