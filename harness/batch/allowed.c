/* allowed.c - see allowed.h. */
#include "harness/batch/allowed.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <string.h>

static char *note_of(const void *what, size_t n)
{
	char hash[SHA256_HEX];
	SCOPED(free) char *cache = io_cache_dir();
	io_sha256(hash, what, n);
	return xstrfmt("%s/engines/%s", cache, hash);
}

int allowed_add(const void *what, size_t n, struct err *e)
{
	SCOPED(free) char *note = note_of(what, n);
	SCOPED(free) char *folder = xstrndup(note, (size_t)(strrchr(note, '/') - note));
	return io_exists(note) ? 0 : io_mkdirs(folder, e) || io_write_atomic(note, "", 0, e) ? -1 : 0;
}

bool allowed_has(const void *what, size_t n)
{
	SCOPED(free) char *note = note_of(what, n);
	return io_exists(note);
}
