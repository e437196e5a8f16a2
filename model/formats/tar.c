/* tar.c - see tar.h. A header is 512 bytes: name [0,100), size in octal [124,136), checksum [148,156), type [156],
 * magic [257,263), prefix [345,500); data follow, padded to 512; two blocks of zeros end the archive. */
#define _GNU_SOURCE
#include "model/formats/tar.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BLOCK = 512, NAME_MAX_BYTES = 4096 };
#define TAR_MAX_MEMBER ((int64_t)1 << 40)

struct tar {
	gzFile f;
	char *path, name[NAME_MAX_BYTES + 1];
	int64_t left, padding; /* of the member: bytes not read, then up to the block's end */
};

bool tar_is(const char *path)
{
	static const char *const endings[] = { ".tar", ".tar.gz", ".tgz" };
	size_t n = strlen(path);
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (n > strlen(endings[i]) && strcmp(path + n - strlen(endings[i]), endings[i]) == 0)
			return true;
	return false;
}

bool archive_name_escapes(const char *name)
{
	if (name[0] == '/' || strchr(name, '\\') || (name[0] && name[1] == ':')) /* the last: a drive's letter */
		return true;
	for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return true;
	return false;
}

int tar_open(struct tar **out, const char *path, struct err *e)
{
	gzFile f = gzopen(path, "rbe");
	if (!f)
		return err_set(e, "%s: cannot open", path);
	(void)gzbuffer(f, 1 << 17);
	*out = xcalloc(1, sizeof **out);
	(*out)->f = f;
	(*out)->path = xstrdup(path);
	return 0;
}

void tar_free(struct tar *t)
{
	if (!t)
		return;
	(void)gzclose(t->f);
	free(t->path);
	free(t);
}

void scoped_tar(struct tar **t)
{
	tar_free(*t);
}

/* n bytes; `ended`, if given, is set when there are none at all. */
static int take(struct tar *t, void *buf, size_t n, bool *ended, struct err *e)
{
	size_t got = 0;
	while (got < n) {
		size_t want = n - got < 1 << 20 ? n - got : 1 << 20;
		int k = gzread(t->f, (char *)buf + got, (unsigned)want);
		if (k < 0) {
			int code;
			const char *why = gzerror(t->f, &code);
			return err_set(e, "%s: damaged: %s", t->path, why);
		}
		if (k == 0)
			break;
		got += (size_t)k;
	}
	if (got == n)
		return 0;
	if (got == 0 && ended) {
		*ended = true;
		return 0;
	}
	return err_set(e, "%s: truncated", t->path);
}

static int skip(struct tar *t, int64_t n, struct err *e)
{
	char buf[1 << 14];
	for (; n > 0; n -= (int64_t)sizeof buf)
		if (take(t, buf, n < (int64_t)sizeof buf ? (size_t)n : sizeof buf, NULL, e))
			return -1;
	return 0;
}

/* Octal digits up to a space or NUL; -1 for anything else (GNU's binary sizes of huge files among it). */
static int64_t octal(const uint8_t *p, size_t n)
{
	int64_t x = 0;
	size_t i = 0;
	while (i < n && p[i] == ' ')
		i++;
	if (i == n || !p[i])
		return -1;
	for (; i < n && p[i] && p[i] != ' '; i++) {
		if (p[i] < '0' || p[i] > '7' || x > TAR_MAX_MEMBER)
			return -1;
		x = x * 8 + (p[i] - '0');
	}
	return x;
}

static bool checksum_fits(const uint8_t h[BLOCK])
{
	int64_t sum = 0;
	for (int i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : h[i];
	return octal(h + 148, 8) == sum;
}

static bool is_zero(const uint8_t h[BLOCK])
{
	for (int i = 0; i < BLOCK; i++)
		if (h[i])
			return false;
	return true;
}

static void name_of(struct tar *t, const uint8_t h[BLOCK])
{
	const char *name = (const char *)h, *prefix = (const char *)h + 345;
	bool posix = memcmp(h + 257, "ustar", 6) == 0;
	size_t n = 0;
	if (posix && *prefix) {
		n = strnlen(prefix, 155);
		memcpy(t->name, prefix, n);
		t->name[n++] = '/';
	}
	size_t len = strnlen(name, 100);
	memcpy(t->name + n, name, len);
	t->name[n + len] = '\0';
}

/* GNU's way to give a name of any length: it is the data of a member of type L. */
static int long_name(struct tar *t, struct err *e)
{
	if (t->left > NAME_MAX_BYTES)
		return err_set(e, "%s: a name of %lld bytes", t->path, (long long)t->left);
	size_t n = (size_t)t->left;
	if (tar_read(t, t->name, n, e))
		return -1;
	t->name[n] = '\0';
	return 0;
}

int tar_next(struct tar *t, const char **name, int64_t *size, struct err *e)
{
	bool named = false;
	for (;;) {
		uint8_t h[BLOCK];
		bool ended = false;
		if (skip(t, t->left, e) || skip(t, t->padding, e))
			return -1;
		t->left = t->padding = 0;
		if (take(t, h, BLOCK, &ended, e))
			return -1;
		if (ended || is_zero(h))
			return 0;
		int64_t n = octal(h + 124, 12);
		if (!checksum_fits(h) || n < 0 || n > TAR_MAX_MEMBER)
			return err_set(e, "%s: not a tar archive, or damaged", t->path);
		t->left = n;
		t->padding = (BLOCK - n % BLOCK) % BLOCK;
		if (h[156] == 'L') {
			if (long_name(t, e))
				return -1;
			named = true;
			continue;
		}
		if (!named)
			name_of(t, h);
		named = false;
		if (h[156] != '0' && h[156] != '\0' && h[156] != '7')
			continue;
		if (archive_name_escapes(t->name))
			return err_set(e, "%s: member '%s' points outside the archive; refused", t->path, t->name);
		*name = t->name;
		*size = n;
		return 1;
	}
}

int tar_read(struct tar *t, void *buf, size_t n, struct err *e)
{
	if (n > (size_t)t->left)
		return err_set(e, "%s: member '%s' is shorter than it should be", t->path, t->name);
	t->left -= (int64_t)n;
	return take(t, buf, n, NULL, e);
}
