/* lmdb.h - the entries of an LMDB database in order of their keys, read only and without its lock file.
 *
 *     SCOPED(lmdb) struct lmdb *db = NULL;
 *     struct lmdb_entry x;
 *     if (lmdb_open(&db, "bedroom_train_lmdb", e)) return -1;
 *     while ((more = lmdb_next(db, &x, e)) > 0) ...
 *
 * liblmdb is opened at its first use (model/base/library.h): it is small, but a machine that never meets a database
 * does not need it, and it is told and tested as HDF5's is. The file is mapped, so entries cost no memory. A
 * file that is shorter than its tree says is refused; beyond that it is trusted to the library. */
#ifndef ABLATE_LMDB_H
#define ABLATE_LMDB_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lmdb;
struct lmdb_entry {
	const uint8_t *key, *value; /* in the mapped file, until lmdb_free; any thread may read them */
	size_t n_key, n_value;
};

/* Is this such a file, or a folder that holds one as data.mdb? */
bool lmdb_is(const char *path);
MUST_CHECK int lmdb_open(struct lmdb **out, const char *path, struct err *e);
/* 1; 0 after the last entry; -1. */
MUST_CHECK int lmdb_next(struct lmdb *db, struct lmdb_entry *out, struct err *e);
/* Begins again. */
void lmdb_rewind(struct lmdb *db);
void lmdb_free(struct lmdb *db); /* accepts NULL */
void scoped_lmdb(struct lmdb **db);
/* For `ablate doctor`: is the library there? Its path into *path, which is the program's own. */
MUST_CHECK int lmdb_look(const char **path, struct err *e);

#endif
