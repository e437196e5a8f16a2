/* identity.c - see identity.h. One small file per hash: CACHE/identity/SHA256(stamp). */
#define _GNU_SOURCE
#include "model/base/identity.h"

#include "model/base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static char *place_of(const char *stamp)
{
	char key[SHA256_HEX];
	SCOPED(free) char *cache = io_cache_dir();
	io_sha256(key, stamp, strlen(stamp));
	return xstrfmt("%s/identity/%s", cache, key);
}

bool identity_recall(char hex[SHA256_HEX], const char *stamp)
{
	SCOPED(free) char *path = place_of(stamp);
	SCOPED(str) struct str known = { 0 };
	if (io_read(&known, path, SHA256_HEX, NULL) || known.len != SHA256_HEX - 1 ||
	    strspn(known.data, "0123456789abcdef") != SHA256_HEX - 1)
		return false;
	memcpy(hex, known.data, SHA256_HEX);
	return true;
}

void identity_keep(const char hex[SHA256_HEX], const char *stamp)
{
	SCOPED(free) char *path = place_of(stamp);
	SCOPED(free) char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	(void)(io_mkdirs(folder, NULL) || io_write_atomic(path, hex, SHA256_HEX - 1, NULL));
}

char *identity_stamp(const char *path, struct err *e)
{
	struct stat st;
	if (stat(path, &st)) {
		(void)err_set(e, "%s: %s", path, strerror(errno));
		return NULL;
	}
	return xstrfmt("%lld.%lld.%09ld.%lld.%09ld.%llu", (long long)st.st_size, (long long)st.st_mtim.tv_sec,
	               st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec, (unsigned long long)st.st_ino);
}

int identity_of_file(char hex[SHA256_HEX], const char *path, struct err *e)
{
	SCOPED(free) char *now = identity_stamp(path, e);
	if (!now)
		return -1;
	SCOPED(free) char *stamp = xstrfmt("file %s %s", path, now);
	if (identity_recall(hex, stamp))
		return 0;
	if (io_sha256_file(hex, path, e))
		return -1;
	identity_keep(hex, stamp);
	return 0;
}
