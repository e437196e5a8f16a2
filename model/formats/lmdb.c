/* lmdb.c - see lmdb.h. Names and numbers are those of the library's interface, 0.9. */
#define _GNU_SOURCE
#include "model/formats/lmdb.h"

#include "model/base/io.h"
#include "model/base/library.h"
#include "model/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NO_FOLDER = 0x4000, READ_ONLY = 0x20000, NO_LOCK = 0x400000 };
enum { FIRST = 0, NEXT = 8, NOT_FOUND = -30798 };

struct span {
	size_t n;
	const void *bytes;
};
struct shape {
	unsigned page, depth;
	size_t branches, leaves, overflows, entries;
};
struct extent {
	void *address;
	size_t map, last_page, last_change;
	unsigned max_readers, readers;
};

static struct {
	int (*env_new)(void **env);
	int (*env_map)(void *env, size_t bytes);
	int (*env_open)(void *env, const char *path, unsigned flags, unsigned mode);
	void (*env_close)(void *env);
	int (*env_shape)(void *env, struct shape *out);
	int (*env_extent)(void *env, struct extent *out);
	int (*begin)(void *env, void *parent, unsigned flags, void **change);
	void (*end)(void *change);
	int (*table)(void *change, const char *name, unsigned flags, unsigned *out);
	int (*cursor)(void *change, unsigned table, void **out);
	void (*cursor_close)(void *cursor);
	int (*get)(void *cursor, struct span *key, struct span *value, int what);
	const char *(*text)(int code);
} mdb;

static const char *const files[] = { "liblmdb.so.0", "liblmdb.so", NULL };
static const struct library_function functions[] = {
	{ "mdb_env_create", &mdb.env_new },
	{ "mdb_env_set_mapsize", &mdb.env_map },
	{ "mdb_env_open", &mdb.env_open },
	{ "mdb_env_close", &mdb.env_close },
	{ "mdb_env_stat", &mdb.env_shape },
	{ "mdb_env_info", &mdb.env_extent },
	{ "mdb_txn_begin", &mdb.begin },
	{ "mdb_txn_abort", &mdb.end },
	{ "mdb_dbi_open", &mdb.table },
	{ "mdb_cursor_open", &mdb.cursor },
	{ "mdb_cursor_close", &mdb.cursor_close },
	{ "mdb_cursor_get", &mdb.get },
	{ "mdb_strerror", &mdb.text },
	{ NULL, NULL },
};
static struct library library = { .files = files, .package = "liblmdb0", .functions = functions };

int lmdb_look(const char **path, struct err *e)
{
	*path = library.path;
	return library_need(&library, e);
}

struct lmdb {
	char *path; /* of the file */
	void *env, *change, *cursor;
	bool begun;
};

/* Heap: the file. */
static char *file_of(const char *path)
{
	return io_is_dir(path) ? xstrfmt("%s/data.mdb", path) : xstrdup(path);
}

/* A header of 16 bytes, then the magic number in the byte order of the machine that wrote it. */
static bool has_magic(const char *path)
{
	uint8_t head[20];
	SCOPED(file) FILE *f = io_is_special(path) ? NULL : fopen(path, "rbe");
	return f && fread(head, 1, sizeof head, f) == sizeof head && memcmp(head + 16, "\xde\xc0\xef\xbe", 4) == 0;
}

bool lmdb_is(const char *path)
{
	SCOPED(free) char *file = file_of(path);
	return io_is_dir(path) ? io_exists(file) : has_magic(file);
}

static int fail(const struct lmdb *db, int code, struct err *e)
{
	return err_set(e, "%s: not readable as LMDB: %s", db->path, mdb.text(code));
}

/* A page beyond the end of the file would be a fault of memory. */
static int check_size(struct lmdb *db, struct err *e)
{
	struct shape shape;
	struct extent extent;
	struct stat st;
	uint64_t wanted;
	int rc = mdb.env_shape(db->env, &shape);
	rc = rc ? rc : mdb.env_extent(db->env, &extent);
	if (rc)
		return fail(db, rc, e);
	if (__builtin_mul_overflow((uint64_t)extent.last_page + 1, (uint64_t)shape.page, &wanted) || stat(db->path, &st) ||
	    (uint64_t)st.st_size < wanted)
		return err_set(e, "%s: shorter than its tree says: was a copy of it cut off?", db->path);
	return 0;
}

int lmdb_open(struct lmdb **out, const char *path, struct err *e)
{
	SCOPED(lmdb) struct lmdb *db = xcalloc(1, sizeof *db);
	unsigned table;
	db->path = file_of(path);
	if (library_need(&library, e))
		return err_in(e, "%s: an LMDB database", db->path);
	if (!has_magic(db->path))
		return err_set(e, "%s: not an LMDB database, whatever its name", db->path);
	int rc = mdb.env_new(&db->env);
	/* it maps as much as there is, not the terabyte that a writer may have asked for */
	rc = rc ? rc : mdb.env_map(db->env, 1 << 20);
	rc = rc ? rc : mdb.env_open(db->env, db->path, NO_FOLDER | READ_ONLY | NO_LOCK, 0444);
	if (rc)
		return fail(db, rc, e);
	if (check_size(db, e))
		return -1;
	rc = mdb.begin(db->env, NULL, READ_ONLY, &db->change);
	rc = rc ? rc : mdb.table(db->change, NULL, 0, &table);
	rc = rc ? rc : mdb.cursor(db->change, table, &db->cursor);
	if (rc)
		return fail(db, rc, e);
	*out = db;
	db = NULL;
	return 0;
}

int lmdb_next(struct lmdb *db, struct lmdb_entry *out, struct err *e)
{
	struct span key, value;
	int rc = mdb.get(db->cursor, &key, &value, db->begun ? NEXT : FIRST);
	db->begun = true;
	if (rc == NOT_FOUND)
		return 0;
	if (rc)
		return fail(db, rc, e);
	*out = (struct lmdb_entry){ key.bytes, value.bytes, key.n, value.n };
	return 1;
}

void lmdb_rewind(struct lmdb *db)
{
	db->begun = false;
}

void lmdb_free(struct lmdb *db)
{
	if (!db)
		return;
	if (db->cursor)
		mdb.cursor_close(db->cursor);
	if (db->change)
		mdb.end(db->change);
	if (db->env)
		mdb.env_close(db->env);
	free(db->path);
	free(db);
}

void scoped_lmdb(struct lmdb **db)
{
	lmdb_free(*db);
}
