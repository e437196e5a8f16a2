/* tar.c - see tar.h. A header is 512 bytes: name [0,100), size in octal [124,136), checksum [148,156), type [156],
 * magic [257,263), prefix [345,500); data follow, padded to 512; two blocks of zeros end the archive. */
#define _GNU_SOURCE
#include "model/formats/tar.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { BLOCK = 512, NAME_MAX_BYTES = 4096, PAX_MAX_BYTES = 1 << 20 };
#define TAR_MAX_MEMBER ((int64_t)1 << 40)

struct tar {
	gzFile f;
	char *path, name[NAME_MAX_BYTES + 1];
	int64_t left, padding; /* of the member: bytes not read, then up to the block's end */
	bool named;            /* the next member's name is known already */
	int64_t size;          /* of the next member, where pax tells; else -1 */
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
	t->named = true;
	return 0;
}

/* One value of a pax header: of those that matter here. */
static int pax_value(struct tar *t, const char *key, const char *value, size_t n, struct err *e)
{
	if (strncmp(key, "GNU.sparse.", 11) == 0)
		return err_set(e, "%s: a sparse file, which is not read; pack it without --sparse", t->path);
	if (strcmp(key, "path") == 0) {
		if (n > NAME_MAX_BYTES || memchr(value, '\0', n))
			return err_set(e, "%s: a name of %zu bytes", t->path, n);
		memcpy(t->name, value, n);
		t->name[n] = '\0';
		t->named = true;
	}
	if (strcmp(key, "size") == 0) {
		t->size = 0;
		for (size_t i = 0; i < n; i++) {
			if (value[i] < '0' || value[i] > '9' || t->size > TAR_MAX_MEMBER)
				return err_set(e, "%s: not a tar archive, or damaged", t->path);
			t->size = t->size * 10 + (value[i] - '0');
		}
	}
	return 0;
}

/* POSIX.1-2001's way (pax) to say more about the next member: lines of "length key=value\n", where the length is that
 * of the line. */
static int pax_header(struct tar *t, struct err *e)
{
	if (t->left > PAX_MAX_BYTES)
		return err_set(e, "%s: a pax header of %lld bytes", t->path, (long long)t->left);
	size_t n = (size_t)t->left, at = 0;
	SCOPED(free) char *text = xmalloc(n + 1);
	if (tar_read(t, text, n, e))
		return -1;
	text[n] = '\0';
	while (at < n) {
		size_t length = 0, digits = 0;
		for (; digits < 7 && text[at + digits] >= '0' && text[at + digits] <= '9'; digits++)
			length = length * 10 + (size_t)(text[at + digits] - '0');
		if (!digits || length > n - at || length < digits + 3 || text[at + digits] != ' ' ||
		    text[at + length - 1] != '\n')
			return err_set(e, "%s: damaged pax header", t->path);
		char *key = text + at + digits + 1, *end = text + at + length - 1,
			 *equals = memchr(key, '=', (size_t)(end - key));
		if (!equals)
			return err_set(e, "%s: damaged pax header", t->path);
		*equals = '\0';
		if (pax_value(t, key, equals + 1, (size_t)(end - equals - 1), e))
			return -1;
		at += length;
	}
	return 0;
}

static enum tar_kind kind_of(char type, const char *name)
{
	size_t n = strlen(name);
	if (type == '5' ||
	    ((type == '0' || type == '\0') && n && name[n - 1] == '/')) /* old archives: a name with a slash */
		return TAR_FOLDER;
	return type == '0' || type == '\0' || type == '7' ? TAR_FILE : type == '1' || type == '2' ? TAR_LINK : TAR_OTHER;
}

/* The next header, its data not read: 1, 0 at the end, -1. */
static int next_header(struct tar *t, uint8_t h[BLOCK], struct err *e)
{
	bool ended = false;
	if (skip(t, t->left, e) || skip(t, t->padding, e))
		return -1;
	t->left = t->padding = 0;
	if (take(t, h, BLOCK, &ended, e))
		return -1;
	if (ended || is_zero(h))
		return 0;
	int64_t n = octal(h + 124, 12);
	bool about_next = h[156] == 'x' || h[156] == 'L' || h[156] == 'K' || h[156] == 'g';
	if (t->size >= 0 && !about_next)
		n = t->size;
	if (!checksum_fits(h) || n < 0 || n > TAR_MAX_MEMBER)
		return err_set(e, "%s: not a tar archive, or damaged", t->path);
	t->left = n;
	t->padding = (BLOCK - n % BLOCK) % BLOCK;
	return 1;
}

int tar_next_any(struct tar *t, const char **name, int64_t *size, enum tar_kind *kind, struct err *e)
{
	uint8_t h[BLOCK];
	int more;
	t->named = false;
	t->size = -1;
	while ((more = next_header(t, h, e)) > 0) {
		if (h[156] == 'L' || h[156] == 'x') {
			if (h[156] == 'L' ? long_name(t, e) : pax_header(t, e))
				return -1;
			continue;
		}
		if (h[156] == 'K' || h[156] == 'g') /* a link's target, and what holds for all members: no name, no size */
			continue;
		if (!t->named)
			name_of(t, h);
		*kind = kind_of((char)h[156], t->name);
		if (*kind != TAR_FOLDER && archive_name_escapes(t->name))
			return err_set(e, "%s: member '%s' points outside the archive; refused", t->path, t->name);
		*name = t->name;
		*size = t->left;
		return 1;
	}
	return more;
}

int tar_next(struct tar *t, const char **name, int64_t *size, struct err *e)
{
	enum tar_kind kind = TAR_OTHER;
	int more;
	while ((more = tar_next_any(t, name, size, &kind, e)) > 0 && kind != TAR_FILE)
		;
	return more;
}

int64_t tar_place(const struct tar *t)
{
	return gzdirect(t->f) ? (int64_t)gztell(t->f) : -1;
}

int tar_read(struct tar *t, void *buf, size_t n, struct err *e)
{
	if (n > (size_t)t->left)
		return err_set(e, "%s: member '%s' is shorter than it should be", t->path, t->name);
	t->left -= (int64_t)n;
	return take(t, buf, n, NULL, e);
}
