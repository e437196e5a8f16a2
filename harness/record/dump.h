/* dump.h - the content of a database as text in one order, whatever order it was written in. */
#ifndef ABLATE_DUMP_H
#define ABLATE_DUMP_H

#include "harness/record/db.h"
#include "model/base/io.h"

/* Receives a piece of text. Returns 0, or -1 with e. */
typedef int dump_sink(void *ctx, const char *text, size_t n, struct err *e);

/* Tables of the schema in its order, NULL-terminated; the list is static. */
const char *const *dump_tables(void);
/* INSERT statements of a table (NULL: of all) by primary key; doubles are exact. */
MUST_CHECK int dump_sql(struct db *db, const char *table, dump_sink *sink, void *ctx, struct err *e);
/* Schema and content as one SQL script that makes an equal database. */
MUST_CHECK int dump_script(struct db *db, dump_sink *sink, void *ctx, struct err *e);
/* SHA-256 of all records: equal for databases that hold the same, however they came to it and whichever version of the
 * program made them. `meta`, which says what the file is, is left out. */
MUST_CHECK int dump_sha256(char hex[SHA256_HEX], struct db *db, struct err *e);
/* "SELECT * FROM table ORDER BY all its key columns"; heap text. */
char *dump_query(const char *table);

#endif
