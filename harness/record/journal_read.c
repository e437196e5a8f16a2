/* journal_read.c - the reader of journal.h: lines from bytes that others wrote, a torn end, and the seal. */
#define _GNU_SOURCE
#include "harness/record/journal.h"

#include "harness/record/matching.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)64 << 20)
#define CHUNK          ((size_t)1 << 18)

bool journal_any(const char *runs)
{
	SCOPED(matching) struct matching journals = { 0 };
	return matching_journals(&journals, runs, NULL) || journals.n;
}

/* Does the seal fit what was read before it? */
static int take_seal(struct journal_scan *scan, const json_t *o, struct err *e)
{
	const char *sha = json_string_value(json_object_get(o, "sha256"));
	int64_t lines = json_integer_value(json_object_get(o, "lines"));
	char got[SHA256_HEX];
	struct sha256 sum = scan->sha;
	if (!sha || strlen(sha) != SHA256_HEX - 1)
		return err_code(e, EXIT_RECORD, "a seal without its SHA-256");
	if (scan->hashing && lines != scan->lines)
		return err_code(e, EXIT_RECORD, "changed after it was sealed (%lld lines before the seal, which says %lld)",
		                (long long)scan->lines, (long long)lines);
	if (scan->hashing) {
		sha256_hex(got, &sum);
		if (strcmp(got, sha) != 0)
			return err_code(e, EXIT_RECORD, "changed after it was sealed (SHA-256 is %.12s.., the seal says %.12s..)",
			                got, sha);
	}
	memcpy(scan->sha256, sha, SHA256_HEX);
	scan->sealed = true;
	return 0;
}

static int take_line(struct journal_scan *scan, const char *line, size_t n, journal_line_fn *fn, void *ctx,
                     struct err *e)
{
	json_error_t why;
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, &why);
	const char *type = json_string_value(json_object_get(o, "t"));
	int rc = !type          ? err_code(e, EXIT_RECORD, "not a journal line (%s)", o ? "no \"t\"" : why.text)
	         : scan->sealed ? err_code(e, EXIT_RECORD, "stands after the seal")
	         : strcmp(type, "seal") == 0 ? take_seal(scan, o, e)
	                                     : fn(ctx, type, o, e);
	if (rc)
		(void)err_in(e, "line %lld", (long long)scan->lines + 1);
	else if (strcmp(type, "end") == 0)
		scan->ended = true;
	json_decref(o);
	return rc;
}

int journal_scan_bytes(struct journal_scan *scan, const char *data, size_t n, journal_line_fn *fn, void *ctx,
                       struct err *e)
{
	size_t at = 0;
	if (scan->bytes == 0) {
		scan->hashing = true;
		sha256_init(&scan->sha);
	}
	while (at < n) {
		const char *newline = memchr(data + at, '\n', n - at);
		if (!newline)
			break;
		size_t len = (size_t)(newline - data) - at;
		if (take_line(scan, data + at, len, fn, ctx, e))
			return -1;
		if (scan->hashing && !scan->sealed)
			sha256_add(&scan->sha, data + at, len + 1);
		at += len + 1;
		scan->bytes += (int64_t)len + 1;
		scan->lines++;
	}
	scan->torn = (int64_t)(n - at);
	return 0;
}

int journal_scan_file(struct journal_scan *scan, const char *path, journal_line_fn *fn, void *ctx, struct err *e)
{
	SCOPED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO would wait for its writer */
	if (fd < 0)
		return err_code(e, EXIT_RECORD, "%s: cannot open: %s", path, strerror(errno));
	SCOPED(free) char *buf = NULL;
	size_t cap = 0, have = 0;
	for (;;) {
		if (have + CHUNK > cap)
			buf = xrealloc(buf, cap = 2 * cap + CHUNK, 1);
		ssize_t n = pread(fd, buf + have, cap - have, scan->bytes + (int64_t)have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_code(e, EXIT_RECORD, "%s: cannot read: %s", path, strerror(errno));
		if (n == 0)
			break;
		have += (size_t)n;
		if (journal_scan_bytes(scan, buf, have, fn, ctx, e))
			return err_in(e, "%s", path);
		memmove(buf, buf + have - scan->torn, (size_t)scan->torn);
		have = (size_t)scan->torn;
		if (have > LINE_MAX_BYTES)
			return err_code(e, EXIT_RECORD, "%s: line %lld: longer than %zu MiB", path, (long long)scan->lines + 1,
			                LINE_MAX_BYTES >> 20);
	}
	scan->torn = (int64_t)have;
	return 0;
}

/* The last line is a seal: what it says has to fit the bytes before it. */
static int check_seal(struct journal_sealed *out, const json_t *seal, const char *data, size_t start, const char *path,
                      struct err *e)
{
	const char *want = json_string_value(json_object_get(seal, "sha256"));
	int64_t lines = 0;
	char got[SHA256_HEX];
	for (size_t i = 0; i < start; i++)
		lines += data[i] == '\n';
	io_sha256(got, data, start);
	if (!want || strcmp(want, got) != 0 || json_integer_value(json_object_get(seal, "lines")) != lines)
		return err_code(
			e, EXIT_RECORD,
			"%s: changed after it was sealed (SHA-256 is %.12s.., the seal says %.12s..); nothing of it was taken",
			path, got, want ? want : "nothing");
	memcpy(out->sha256, got, sizeof got);
	out->lines = lines + 1;
	return 0;
}

int journal_seal_of(struct journal_sealed *out, const char *data, size_t n, const char *path, struct err *e)
{
	*out = (struct journal_sealed){ 0 };
	if (n == 0 || data[n - 1] != '\n')
		return 0;
	const char *before = n > 1 ? memrchr(data, '\n', n - 1) : NULL;
	size_t start = before ? (size_t)(before - data) + 1 : 0;
	json_t *o = json_loadb(data + start, n - start, 0, NULL);
	const char *type = json_string_value(json_object_get(o, "t"));
	int rc = type && strcmp(type, "seal") == 0 ? check_seal(out, o, data, start, path, e) : 0;
	json_decref(o);
	return rc;
}

int journal_check_seal(const char *path, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	struct journal_sealed seal;
	return io_read(&text, path, SIZE_MAX, e) ? -1 : journal_seal_of(&seal, str_text(&text), text.len, path, e);
}

bool journal_is_sealed(const char *path)
{
	static const char seal[] = "{\"t\":\"seal\",";
	char tail[256];
	struct stat st;
	SCOPED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st))
		return false;
	off_t from = st.st_size > (off_t)sizeof tail ? st.st_size - (off_t)sizeof tail : 0;
	ssize_t n = pread(fd, tail, sizeof tail, from);
	if (n < 2 || tail[n - 1] != '\n')
		return false;
	const char *before = memrchr(tail, '\n', (size_t)n - 1);
	const char *last = before ? before + 1 : tail;
	return (size_t)(tail + n - last) > sizeof seal && memcmp(last, seal, sizeof seal - 1) == 0;
}

struct find {
	const char *type;
	json_t *found;
};

static int find_line(void *ctx, const char *type, json_t *line, struct err *e)
{
	(void)e;
	struct find *f = ctx;
	if (!f->found && strcmp(type, f->type) == 0)
		f->found = json_incref(line);
	return 0;
}

int journal_find(json_t **out, const char *path, const char *type, struct err *e)
{
	struct find f = { .type = type };
	struct journal_scan scan = { 0 };
	if (journal_scan_file(&scan, path, find_line, &f, e)) {
		json_decref(f.found);
		return -1;
	}
	*out = f.found;
	return 0;
}

/* Could the line be of that type? Its name stands in it, unless an escape stands for a letter. */
static bool may_be(const char *line, size_t n, const char *type)
{
	return memmem(line, n, type, strlen(type)) || memmem(line, n, "\\u", 2);
}

int journal_first(json_t **out, const char *data, size_t n, const char *type, const char *path, struct err *e)
{
	struct find f = { .type = type };
	struct journal_scan scan = { 0 };
	while (!f.found && (size_t)scan.bytes < n) {
		const char *from = data + scan.bytes, *newline = memchr(from, '\n', n - (size_t)scan.bytes);
		if (!newline)
			break;
		size_t len = (size_t)(newline - from) + 1;
		if (!may_be(from, len, type)) {
			scan.bytes += (int64_t)len;
			scan.lines++;
			continue;
		}
		if (journal_scan_bytes(&scan, from, len, find_line, &f, e)) {
			json_decref(f.found);
			return err_in(e, "%s", path);
		}
	}
	*out = f.found;
	return 0;
}
