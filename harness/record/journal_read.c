/* journal_read.c - the reader of journal.h: lines from bytes that others wrote, a torn end, and the seal. */
#define _GNU_SOURCE
#include "harness/record/journal.h"

#include "harness/record/matching.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

int journal_check_seal(const char *path, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	if (io_read(&text, path, SIZE_MAX, e))
		return -1;
	size_t n = text.len;
	if (n == 0 || text.data[n - 1] != '\n')
		return 0;
	const char *before = n > 1 ? memrchr(text.data, '\n', n - 1) : NULL;
	size_t start = before ? (size_t)(before - text.data) + 1 : 0;
	json_t *o = json_loadb(text.data + start, n - start, 0, NULL);
	const char *type = json_string_value(json_object_get(o, "t"));
	if (!type || strcmp(type, "seal") != 0) {
		json_decref(o);
		return 0;
	}
	const char *want = json_string_value(json_object_get(o, "sha256"));
	int64_t lines = 0;
	for (size_t i = 0; i < start; i++)
		lines += text.data[i] == '\n';
	char got[SHA256_HEX];
	io_sha256(got, text.data, start);
	int rc = 0;
	if (!want || strcmp(want, got) != 0 || json_integer_value(json_object_get(o, "lines")) != lines)
		rc = err_code(
			e, EXIT_RECORD,
			"%s: changed after it was sealed (SHA-256 is %.12s.., the seal says %.12s..); nothing of it was taken",
			path, got, want ? want : "nothing");
	json_decref(o);
	return rc;
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
