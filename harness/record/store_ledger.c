/* store_ledger.c - the ledger of store.h: lines of rows that no attempt owns, written to disk before they are taken.
 *
 * It may be read before the journals that its lines refer to, and live longer than these: a line whose attempt is
 * absent waits, and where the first one that waits stands is kept in table meta, so that it is tried again. */
#define _GNU_SOURCE
#include "harness/record/store.h"

#include "harness/record/ingest.h"
#include "harness/record/matching.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEDGER_MAX ((size_t)1 << 30) /* bytes that are taken at once */
#define BLOCK      ((size_t)1 << 16)

static char *ledger_path(const struct store *s)
{
	return xstrfmt("%s/ledger.jsonl", s->runs);
}

/* A torn last line was never acknowledged: it is cut off before the next one is written. */
static int cut_torn(int fd, const char *path, off_t *size, struct err *e)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char c;
	off_t at = end;
	while (at > 0 && pread(fd, &c, 1, at - 1) == 1 && c != '\n')
		at--;
	if (end < 0 || (at != end && ftruncate(fd, at)))
		return err_code(e, EXIT_RECORD, "%s: cannot cut off its torn last line: %s", path, strerror(errno));
	*size = at;
	return 0;
}

static int append_ledger(struct store *s, json_t *lines, struct err *e)
{
	SCOPED(free) char *path = ledger_path(s);
	SCOPED(fd) int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 && errno == ENOENT && store_check_runs(s, e))
		return -1;
	if (fd < 0)
		return err_code(e, EXIT_RECORD, "%s: cannot open: %s", path, strerror(errno));
	SCOPED(str) struct str text = { 0 };
	size_t i;
	json_t *line;
	json_array_foreach(lines, i, line)
	{
		if (json_record(&text, line, JSON_COMPACT))
			BUG("ledger: a line that is not JSON");
		str_addc(&text, '\n');
	}
	off_t size = 0;
	while (flock(fd, LOCK_EX) && errno == EINTR)
		;
	if (cut_torn(fd, path, &size, e))
		return -1;
	if (io_write_all(fd, text.data, text.len, path, e)) {
		if (ftruncate(fd, size))
			(void)err_in(e, "and cannot be cut back");
		if (e)
			e->code = EXIT_RECORD;
		return -1;
	}
	if (fdatasync(fd) && errno != EINVAL)
		return err_code(e, EXIT_RECORD, "%s: cannot sync: %s", path, strerror(errno));
	if (!size) /* it is new */
		io_sync_folder_of(path);
	return 0;
}

/* --- taking --- */

void store_leave_out(struct store *s, const char *why)
{
	SCOPED(free) char *line = xstrfmt("%s; left out: restore it from a copy or move it away", why);
	s->left_before = s->left_before ? s->left_before : json_object();
	if (json_object_get(s->left_before, line))
		return;
	if (json_object_set_new_nocheck(s->left_before, line, json_true())) /* its paths need not be UTF-8 */
		err_give_up("out of memory (%s)", line);
	VEC_PUSH(s->left, s->n_left, s->cap_left) = xstrdup(line);
}

void store_add_news(struct store *s, const char *attempt)
{
	s->news_of_all |= !attempt;
	if (!attempt || (s->n_news && strcmp(s->news[s->n_news - 1], attempt) == 0))
		return;
	(void)snprintf(VEC_PUSH(s->news, s->n_news, s->cap_news), HOST_UUID, "%s", attempt);
}

enum { LINE_TAKEN, LINE_WAITS, LINE_BAD };

/* One line, alone: what it changed is undone unless it can be taken whole and now. */
static int take_line(int *how, char why[512], struct ingest *in, const char *text, size_t n, struct err *e)
{
	struct err mine = ERR_INIT;
	json_error_t at;
	json_t *line = json_loadb(text, n, JSON_REJECT_DUPLICATES, &at);
	const char *type = json_string_value(json_object_get(line, "t"));
	char attempt[sizeof in->attempt];
	int64_t rows = in->rows;
	int rc = 0;
	memcpy(attempt, in->attempt, sizeof attempt);
	in->absent = false;
	*how = LINE_TAKEN;
	if (!type) {
		*how = LINE_BAD;
		(void)snprintf(why, 512, "not a line of a ledger (%s)", line ? "no \"t\"" : at.text);
	} else if (db_exec(in->db, e, "SAVEPOINT line", ""))
		rc = -1;
	else {
		int bad = ingest_line(in, type, line, &mine);
		bool waits = bad ? in->absent : db_settled(in->db, NULL) != 0;
		*how = waits ? LINE_WAITS : bad ? LINE_BAD : LINE_TAKEN;
		if (bad && db_has_failed(in->db)) {
			if (e)
				*e = mine;
			rc = -1;
		} else if (*how != LINE_TAKEN) {
			rc = db_exec(in->db, e, "ROLLBACK TO line", "");
			in->rows = rows;
			memcpy(in->attempt, attempt, sizeof attempt);
			const char *what = strcmp(type, "cell_note") == 0 ? "a cell that no grid here has"
			                                                  : "an attempt that has no journal here";
			waits ? (void)snprintf(why, 512, "%s: refers to %s", type, what) : (void)snprintf(why, 512, "%s", mine.msg);
		}
		if (!rc)
			rc = db_exec(in->db, e, "RELEASE line", "");
	}
	json_decref(line);
	return rc;
}

/* The whole lines of a file from a byte on. */
struct lines {
	struct str text;
	const char *path;
	int64_t from;            /* where text begins in the file */
	int64_t number, counted; /* lines before the byte `counted` of text; number < 0: not counted yet */
};

static const char *line_end(const struct lines *l, size_t at)
{
	return at < l->text.len ? memchr(l->text.data + at, '\n', l->text.len - at) : NULL;
}

/* Another ledger than before, which is shorter, is read from its first byte: taking lines again is harmless. */
static int read_lines(struct lines *l, const char *path, int64_t from, struct err *e)
{
	SCOPED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		return err_code(e, EXIT_RECORD, "%s: cannot open: %s", path, strerror(errno));
	*l = (struct lines){ .path = path, .from = from < 0 || from > st.st_size ? 0 : from, .number = -1 };
	if ((uint64_t)(st.st_size - l->from) > LEDGER_MAX)
		return err_code(e, EXIT_RECORD, "%s: larger than %zu MiB", path, LEDGER_MAX >> 20);
	SCOPED(free) char *block = xmalloc(BLOCK);
	for (int64_t at = l->from;;) {
		ssize_t n = pread(fd, block, BLOCK, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_code(e, EXIT_RECORD, "%s: cannot read: %s", path, strerror(errno));
		if (n == 0)
			return 0;
		str_addn(&l->text, block, (size_t)n);
		at += n;
	}
}

static int64_t newlines(const char *text, size_t n)
{
	int64_t lines = 0;
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* Of the line that begins at byte `at` of the text; asked in ascending order. */
static int64_t line_number(struct lines *l, size_t at)
{
	if (l->number < 0) {
		SCOPED(str) struct str before = { 0 };
		size_t n = l->from && !io_read(&before, l->path, LEDGER_MAX, NULL) ? (size_t)l->from : 0;
		l->number = newlines(str_text(&before), n < before.len ? n : before.len);
	}
	l->number += newlines(l->text.data + l->counted, at - (size_t)l->counted);
	l->counted = (int64_t)at;
	return l->number + 1;
}

/* All lines as one, which is what nearly always can be done; else nothing of them is taken, and *taken is false. */
static int take_at_once(bool *taken, struct ingest *in, const struct lines *l, struct err *e)
{
	struct err mine = ERR_INIT;
	const struct ingest before = *in;
	const char *newline;
	if (db_exec(in->db, e, "SAVEPOINT lines", ""))
		return -1;
	*taken = true;
	for (size_t at = 0; *taken && (newline = line_end(l, at)); at = (size_t)(newline - l->text.data) + 1) {
		json_t *line = json_loadb(l->text.data + at, (size_t)(newline - l->text.data) - at, JSON_REJECT_DUPLICATES,
		                          NULL);
		const char *type = json_string_value(json_object_get(line, "t"));
		*taken = type && !ingest_line(in, type, line, &mine);
		json_decref(line);
	}
	*taken = *taken && !db_settled(in->db, NULL);
	if (!*taken && db_has_failed(in->db)) {
		if (e)
			*e = mine;
		return -1;
	}
	if (!*taken) {
		*in = before;
		if (db_exec(in->db, e, "ROLLBACK TO lines", ""))
			return -1;
	}
	return db_exec(in->db, e, "RELEASE lines", "");
}

static void leave_line(struct store *s, struct lines *l, size_t at, bool bad, const char *why)
{
	SCOPED(free) char *where = xstrfmt("%s: line %lld: %s", l->path, (long long)line_number(l, at), why);
	if (bad)
		store_leave_out(s, where);
	else if (!s->waiting++) {
		free(s->waits);
		s->waits = xstrdup(where);
	}
}

/* Each line for itself. */
static int take_each(struct store *s, struct ingest *in, struct lines *l, int64_t *waits_at, struct err *e)
{
	const char *newline;
	for (size_t at = 0; (newline = line_end(l, at)); at = (size_t)(newline - l->text.data) + 1) {
		char why[512] = "";
		int how;
		if (take_line(&how, why, in, l->text.data + at, (size_t)(newline - l->text.data) - at, e))
			return err_in(e, "%s", l->path);
		if (how == LINE_TAKEN)
			continue;
		*waits_at = *waits_at < 0 ? l->from + (int64_t)at : *waits_at;
		leave_line(s, l, at, how == LINE_BAD, why);
	}
	return 0;
}

int store_take_lines_within(struct store *s, const char *path, int64_t from, int64_t *waits_at, int64_t *end,
                            int64_t *rows, struct err *e)
{
	struct ingest in = { .db = s->db };
	struct lines l = { 0 };
	bool taken = false;
	*waits_at = -1;
	int rc = read_lines(&l, path, from, e) || take_at_once(&taken, &in, &l, e) ||
	                 (!taken && take_each(s, &in, &l, waits_at, e))
	             ? -1
	             : 0;
	const char *last = l.text.len ? memrchr(l.text.data, '\n', l.text.len) : NULL;
	*end = l.from + (last ? last - l.text.data + 1 : 0);
	*rows += in.rows;
	str_release(&l.text);
	return rc;
}

static int meta_int(int64_t *out, struct store *s, const char *key, struct err *e)
{
	return db_int_of(out, -1, s->db, e, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = ?", "s", key);
}

/* From where the ledger is to be read; -1 = there is nothing new. */
static int ledger_news(int64_t *from, struct store *s, const char *path, struct err *e)
{
	struct stat st;
	int64_t have, waits;
	*from = -1;
	if (stat(path, &st) || st.st_size == 0)
		return 0;
	if (meta_int(&have, s, "ledger_bytes", e) || meta_int(&waits, s, "ledger_waits", e))
		return -1;
	if (have > st.st_size)
		*from = 0;
	else if (waits >= 0)
		*from = waits;
	else if (have != st.st_size)
		*from = have < 0 ? 0 : have;
	return 0;
}

static int set_meta(struct store *s, const char *key, int64_t value, const char *doc, struct err *e)
{
	SCOPED(free) char *text = xstrfmt("%lld", (long long)value);
	return db_exec(s->db, e, "INSERT INTO meta VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", "sss",
	               key, text, doc);
}

static int take_merged(struct store *s, const char *path, int64_t *rows, struct err *e)
{
	char sha[SHA256_HEX];
	struct err why = ERR_INIT;
	int64_t waits, end;
	const char *name = strrchr(path, '/') + 1;
	if (io_sha256_file(sha, path, &why) || strncmp(sha, name, SHA256_HEX - 1) != 0) {
		SCOPED(free) char *line = *why.msg ? xstrdup(why.msg) : xstrfmt("%s: changed since it was taken", path);
		store_leave_out(s, line);
		return 0;
	}
	return store_take_lines_within(s, path, 0, &waits, &end, rows, e);
}

int store_take_merged_within(struct store *s, int64_t *rows, struct err *e)
{
	SCOPED(matching) struct matching merged = { 0 };
	int rc = matching_find(&merged, s->runs, "/merged/*.jsonl", e);
	for (int i = 0; i < merged.n && !rc; i++)
		rc = take_merged(s, merged.v[i], rows, e);
	return rc;
}

int store_take_ledger_within(struct store *s, struct err *e)
{
	SCOPED(free) char *path = ledger_path(s);
	int64_t from, waits, end, known, rows = 0;
	if (ledger_news(&from, s, path, e) || meta_int(&known, s, "ledger_bytes", e))
		return -1;
	s->waiting = 0;
	if (from < 0)
		return 0;
	if (known < 0 && store_take_merged_within(s, &rows, e))
		return -1;
	if (store_take_lines_within(s, path, from, &waits, &end, &rows, e) ||
	    set_meta(s, "ledger_bytes", end, "how much of the ledger was read into this database", e))
		return -1;
	return waits < 0 ? db_exec(s->db, e, "DELETE FROM meta WHERE key = 'ledger_waits'", "")
	                 : set_meta(s, "ledger_waits", waits, "where the first line of the ledger stands that waits", e);
}

int store_take_ledger(struct store *s, struct err *e)
{
	SCOPED(free) char *path = ledger_path(s);
	int64_t from;
	if (ledger_news(&from, s, path, e))
		return -1;
	if (from < 0)
		return 0;
	if (db_begin(s->db, e))
		return -1;
	if (store_take_ledger_within(s, e)) {
		db_rollback(s->db);
		return -1;
	}
	return db_commit(s->db, e);
}

int store_record(struct store *s, json_t *lines, struct err *e)
{
	if (json_array_size(lines) == 0)
		return 0;
	/* in the database first, on trial: a line that it refuses must not reach the ledger */
	struct ingest in = { .db = s->db };
	size_t i;
	json_t *line;
	if (db_begin(s->db, e))
		return -1;
	int rc = 0;
	json_array_foreach(lines, i, line) if (!rc)
		rc = ingest_line(&in, json_string_value(json_object_get(line, "t")), line, e);
	if (!rc)
		rc = db_settled(s->db, e);
	db_rollback(s->db);
	return rc || append_ledger(s, lines, e) ? -1 : store_take_ledger(s, e);
}
