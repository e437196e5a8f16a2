/* merge.c - see merge.h: shards. The rebuilding is in rebuild.c. */
#define _GNU_SOURCE
#include "harness/record/merge.h"

#include "harness/record/host.h"
#include "harness/record/ingest.h"
#include "harness/record/matching.h"
#include "harness/record/merge_rows.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARD_MAX ((size_t)1 << 32)

/* One file to take: its text is copied to `copy`, which becomes `path` once all are found good. rows: the source is a
 * database without its run folder, and the text its rows. twin: another has the same text, or a later state of it. */
struct item {
	char *source, *path, *copy, *attempt;
	struct str text;
	char sha256[SHA256_HEX];
	int64_t lines;
	bool rows, sealed, ledger, twin, left; /* left: out */
};
struct items {
	struct item *v;
	int n, cap;
	bool patient; /* what cannot be taken is left out, not the whole call */
};

static void items_release(struct items *l)
{
	for (int i = 0; i < l->n; i++) {
		if (l->v[i].copy)
			(void)unlink(l->v[i].copy); /* gone already when it was renamed */
		free(l->v[i].source);
		free(l->v[i].path);
		free(l->v[i].copy);
		free(l->v[i].attempt);
		str_release(&l->v[i].text);
	}
	free(l->v);
}

static bool is_sqlite(const char *path)
{
	SCOPED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char head[16];
	return fd >= 0 && read(fd, head, sizeof head) == (ssize_t)sizeof head && memcmp(head, "SQLite format 3", 16) == 0;
}

static void add_file(struct items *l, const char *path)
{
	VEC_PUSH(l->v, l->n, l->cap) = (struct item){ .source = xstrdup(path) };
}

/* What a run folder holds for others. ledger: nothing but that. */
static int add_folder(struct items *l, bool *ledger, const char *dir, struct err *e)
{
	SCOPED(matching) struct matching found = { 0 };
	if (matching_find(&found, dir, "/ledger.jsonl", e))
		return -1;
	int ledgers = found.n;
	if (matching_find(&found, dir, "/merged/*.jsonl", e) || matching_journals(&found, dir, e) ||
	    matching_find(&found, dir, "/*.jsonl.shard", e))
		return -1;
	for (int i = 0; i < found.n; i++)
		add_file(l, found.v[i]);
	*ledger = found.n == ledgers;
	return found.n ? 0 : err_code(e, EXIT_RECORD, "%s: no journals in it", dir);
}

/* A shard as the caller names it -> files. */
static int add_shard(struct items *l, const char *path, struct err *e)
{
	SCOPED(free) char *runs = xstrfmt("%s-runs", path);
	bool ledger;
	if (!io_exists(path))
		return err_code(e, EXIT_RECORD, "%s: no such shard", path);
	const char *dir = io_is_dir(path) ? path : is_sqlite(path) && io_is_dir(runs) ? runs : NULL;
	if (dir) {
		if (add_folder(l, &ledger, dir, e))
			return -1;
		if (dir == path || !ledger)
			/* else a database that was copied without its folder, and used since: its attempts are in its rows only */
			return 0;
	}
	add_file(l, path);
	l->v[l->n - 1].rows = is_sqlite(path);
	return l->v[l->n - 1].rows ? merge_rows_of(&l->v[l->n - 1].text, path, e) : 0;
}

static int same_bytes(const struct str *a, const struct str *b, size_t n)
{
	return a->len >= n && b->len >= n && memcmp(str_text(a), str_text(b), n) == 0;
}

/* Where the journal of an attempt belongs in our run folder; everything else is kept under its hash. */
static int find_place(struct item *it, struct store *s, struct err *e)
{
	json_t *attempt = NULL;
	if (!it->rows && (journal_check_seal(it->source, e) || journal_find(&attempt, it->source, "attempt", e)))
		return -1;
	const char *id = json_string_value(json_object_get(attempt, "id")),
			   *cell = json_string_value(json_object_get(attempt, "cell"));
	bool own = id && cell && !json_object_get(attempt, "state") && strlen(id) == HOST_UUID - 1 && !strchr(id, '/') &&
	           strlen(cell) == SHA256_HEX - 1 && !strchr(cell, '/');
	it->ledger = !own;
	it->attempt = own ? xstrdup(id) : NULL;
	it->path = own ? store_journal(s, cell, id) : xstrfmt("%s/merged/%s.jsonl", s->runs, it->sha256);
	json_decref(attempt);
	return 0;
}

/* The one before it whose copy goes to the same place: the same journal, by way of two shards. */
static struct item *twin_of(const struct items *l, const struct item *it)
{
	for (struct item *other = l->v; other < it; other++)
		if (other->copy && strcmp(other->path, it->path) == 0)
			return other;
	return NULL;
}

/* Puts the text beside its place, unless it is there already. */
static int place(const struct items *l, struct item *it, struct store *s, struct err *e)
{
	SCOPED(str) struct str text = it->text;
	SCOPED(str) struct str ours = { 0 };
	it->text = (struct str){ 0 };
	if (!it->rows && io_read(&text, it->source, SHARD_MAX, e))
		return -1;
	io_sha256(it->sha256, str_text(&text), text.len);
	if (find_place(it, s, e))
		return -1;
	struct item *twin = twin_of(l, it);
	bool exists = twin || io_exists(it->path);
	if (exists && io_read(&ours, twin ? twin->copy : it->path, SHARD_MAX, e))
		return -1;
	if (exists && ours.len >= text.len && same_bytes(&ours, &text, text.len)) {
		it->twin = twin != NULL; /* the same, or an earlier state of it */
		return 0;
	}
	if (exists && !same_bytes(&ours, &text, ours.len))
		return err_code(e, EXIT_RECORD, "%s: not the journal of attempt %s that is %s; nothing was taken", it->source,
		                it->attempt, twin ? twin->source : "known here");
	SCOPED(free) char *dir = xstrndup(it->path, (size_t)(strrchr(it->path, '/') - it->path));
	if (twin) {
		it->copy = twin->copy;
		twin->copy = NULL;
		twin->twin = true;
	} else {
		it->copy = xstrfmt("%s.merging", it->path);
	}
	return io_mkdirs(dir, e) || io_write_atomic(it->copy, str_text(&text), text.len, e) ? -1 : 0;
}

/* Of a ledger each line for itself. */
static int take_ledger(struct merge_result *out, struct item *it, struct store *s, struct err *e)
{
	int64_t waits, end, rows = 0;
	if (store_take_lines_within(s, it->source, 0, &waits, &end, &rows, e))
		return -1;
	out->shards++;
	out->rows += rows;
	out->known += rows == 0;
	return 0;
}

static int take(struct merge_result *out, struct item *it, struct store *s, struct err *e)
{
	struct ingest in = { .db = s->db };
	struct journal_scan scan = { 0 };
	if (it->twin) {
		out->shards++;
		out->known++;
		return 0;
	}
	if (ingest_file(&in, &scan, it->copy ? it->copy : it->path, e))
		return err_in(e, "%s", it->source);
	out->shards++;
	out->rows += in.rows;
	out->known += in.rows == 0;
	out->torn += scan.torn > 0;
	it->lines = scan.lines;
	it->sealed = scan.sealed;
	return 0;
}

/* A failure of `it`: remembered, with nothing of it taken, unless the database failed or all or none is asked for. */
static int leave_out(struct store *s, const struct items *l, struct item *it, const struct err *why, struct err *e)
{
	if (!l->patient || db_has_failed(s->db)) {
		if (e)
			*e = *why;
		return -1;
	}
	store_leave_out(s, why->msg);
	it->left = true;
	return 0;
}

static int take_or_leave(struct merge_result *out, struct items *l, struct item *it, struct store *s, struct err *e)
{
	struct err why = ERR_INIT;
	struct merge_result before = *out;
	if (it->left)
		return 0;
	if (db_exec(s->db, e, "SAVEPOINT item", ""))
		return -1;
	bool lines = l->patient && it->ledger && !it->rows;
	if ((lines ? take_ledger(out, it, s, &why) : take(out, it, s, &why)) || (l->patient && db_settled(s->db, &why))) {
		*out = before;
		if (leave_out(s, l, it, &why, e) || db_exec(s->db, e, "ROLLBACK TO item", ""))
			return -1;
	}
	return db_exec(s->db, e, "RELEASE item", "");
}

/* The shard's own row, for what is complete. A merge that was cut off may have written it to the ledger already. */
static int record_shards(struct store *s, const struct items *l, struct err *e)
{
	char now[HOST_TIME];
	if (store_take_ledger(s, e))
		return -1;
	(void)host_now(now);
	json_t *lines = json_array();
	int rc = 0;
	for (int i = 0; i < l->n && !rc; i++) {
		const struct item *it = &l->v[i];
		int64_t known = 0;
		const char *id = it->attempt ? it->attempt : it->sha256;
		rc = db_int_of(&known, 0, s->db, e, "SELECT count(*) FROM shard WHERE id = ?", "s", id);
		if (!rc && !known && !it->left && !it->twin && (it->sealed || it->ledger))
			(void)json_array_append_new(lines, json_pack("{s:s, s:s, s:s, s:s, s:I}", "t", "shard", "id", id, "sha256",
			                                             it->sha256, "merged", now, "rows", (json_int_t)it->lines));
	}
	if (!rc)
		rc = store_record(s, lines, e);
	json_decref(lines);
	return rc;
}

/* A ledger ends attempts whose journals are gone, and refers to others: it comes after them. */
static int by_ledger_last(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int p = x->left ? 3 : x->rows ? 0 : x->ledger ? 2 : 1, q = y->left ? 3 : y->rows ? 0 : y->ledger ? 2 : 1;
	return p != q ? p - q : p == 3 ? strcmp(x->source, y->source) : strcmp(x->path, y->path);
}

static int merge_items(struct merge_result *out, struct store *s, struct items *l, struct err *e)
{
	for (int i = 0; i < l->n; i++) {
		struct err why = ERR_INIT;
		if (place(l, &l->v[i], s, &why) && leave_out(s, l, &l->v[i], &why, e))
			return -1;
	}
	if (l->n)
		qsort(l->v, (size_t)l->n, sizeof *l->v, by_ledger_last);
	if (db_begin(s->db, e))
		return -1;
	for (int i = 0; i < l->n; i++)
		if (take_or_leave(out, l, &l->v[i], s, e)) {
			db_rollback(s->db);
			return -1;
		}
	if (db_settled(s->db, e)) {
		db_rollback(s->db);
		return -1;
	}
	/* files before rows: what is in the database is always in a journal */
	for (int i = 0; i < l->n; i++) {
		if (!l->v[i].copy || l->v[i].left)
			continue;
		if (rename(l->v[i].copy, l->v[i].path)) {
			db_rollback(s->db);
			return err_code(e, EXIT_RECORD, "%s: cannot rename: %s", l->v[i].copy, strerror(errno));
		}
		io_sync_folder_of(l->v[i].path);
	}
	return db_commit(s->db, e) || record_shards(s, l, e) ? -1 : 0;
}

int merge_shards(struct merge_result *out, struct store *s, const char *const *paths, int n, struct err *e)
{
	struct items l = { 0 };
	int rc = 0;
	*out = (struct merge_result){ 0 };
	for (int i = 0; i < n && !rc; i++)
		rc = add_shard(&l, paths[i], e);
	if (!rc)
		rc = merge_items(out, s, &l, e);
	items_release(&l);
	if (rc && e && !e->code)
		e->code = EXIT_RECORD;
	return rc;
}

int merge_folder(struct merge_result *out, struct store *s, const char *runs, struct err *e)
{
	struct items l = { .patient = true };
	*out = (struct merge_result){ 0 };
	int rc = add_shard(&l, runs, e) || merge_items(out, s, &l, e) ? -1 : 0;
	items_release(&l);
	if (rc && e && !e->code)
		e->code = EXIT_RECORD;
	return rc;
}
