/* merge.c - see merge.h: shards. The rebuilding is in rebuild.c. */
#define _GNU_SOURCE
#include "harness/record/merge.h"

#include "harness/record/host.h"
#include "harness/record/ingest.h"
#include "harness/record/matching.h"
#include "harness/record/merge_rows.h"
#include "harness/record/placing.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARD_MAX ((size_t)1 << 32)
#define AT_ONCE   8 /* files that are read and written at once */

/* One file to take: its text is copied to `copy`, which becomes `path` once all are found good. rows: the source is a
 * database without its run folder, and the text its rows. twin: another has the same text, or a later state of it.
 * seal: of its text. */
struct item {
	char *source, *path, *copy, *attempt;
	struct str text;
	char sha256[SHA256_HEX];
	struct journal_sealed seal;
	struct err *why; /* it cannot be taken; heap */
	int64_t lines;
	bool rows, ledger, twin, left; /* left: out */
	bool whole;                    /* sealed, or no journal, and nothing of it was left out or waits */
	bool attempts;                 /* it has lines of several attempts */
};
struct items {
	struct item *v;
	int n, cap;
	bool patient; /* what cannot be taken is left out, not the whole call */
	struct placing placing;
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
		free(l->v[i].why);
		str_release(&l->v[i].text);
	}
	free(l->v);
	placing_release(&l->placing);
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

/* What a run folder holds for others. */
static int add_files(struct items *l, const char *dir, const struct run_files *f, struct err *e)
{
	if (f->ledger)
		add_file(l, f->ledger);
	for (int i = 0; i < f->others.n; i++)
		add_file(l, f->others.v[i]);
	for (int i = 0; i < f->journals.n; i++)
		add_file(l, f->journals.v[i]);
	return f->ledger || f->others.n || f->journals.n ? 0 : err_code(e, EXIT_RECORD, "%s: no journals in it", dir);
}

/* ledger: it has nothing but that. */
static int add_folder(struct items *l, bool *ledger, const char *dir, struct err *e)
{
	SCOPED(run_files) struct run_files f = { 0 };
	if (matching_run_files(&f, dir, e))
		return -1;
	*ledger = !f.others.n && !f.journals.n;
	return add_files(l, dir, &f, e);
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
static int find_place(struct item *it, struct store *s, const char *text, size_t n, struct err *e)
{
	json_t *attempt = NULL;
	if (!it->rows && (journal_seal_of(&it->seal, text, n, it->source, e) ||
	                  journal_first(&attempt, text, n, "attempt", it->source, e)))
		return -1;
	const char *id = json_string_value(json_object_get(attempt, "id")),
			   *cell = json_string_value(json_object_get(attempt, "cell"));
	bool own = id && cell && !json_object_get(attempt, "state") && strlen(id) == HOST_UUID - 1 && !strchr(id, '/') &&
	           strlen(cell) == SHA256_HEX - 1 && !strchr(cell, '/');
	it->ledger = !own;
	it->attempts = !own && (it->rows || attempt);
	it->attempt = own ? xstrdup(id) : NULL;
	it->path = own ? store_journal(s, cell, id) : xstrfmt("%s/merged/%s.jsonl", s->runs, it->sha256);
	json_decref(attempt);
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

static int not_ours(const struct item *it, const char *what, struct err *e)
{
	return err_code(e, EXIT_RECORD, "%s: not the journal of attempt %s that is %s; nothing was taken", it->source,
	                it->attempt ? it->attempt : "unknown", what);
}

/* Puts the text beside its place, unless it is there already. From any thread. */
static int place(struct placing *p, struct item *it, struct store *s, struct err *e)
{
	SCOPED(str) struct str text = it->text;
	SCOPED(str) struct str ours = { 0 };
	it->text = (struct str){ 0 };
	if (!it->rows && io_read(&text, it->source, SHARD_MAX, e))
		return -1;
	io_sha256(it->sha256, str_text(&text), text.len);
	if (find_place(it, s, str_text(&text), text.len, e))
		return -1;
	bool exists = io_exists(it->path);
	if (exists && io_read(&ours, it->path, SHARD_MAX, e))
		return -1;
	if (exists && ours.len >= text.len && same_bytes(&ours, &text, text.len))
		return 0; /* the same, or an earlier state of it */
	if (exists && !same_bytes(&ours, &text, ours.len))
		return not_ours(it, "known here", e);
	return placing_put(&it->copy, p, it->path, str_text(&text), text.len, e);
}

/* Many files, of which each has the disk wait or a processor work for it. */
static void place_all(struct items *l, struct store *s)
{
#pragma omp parallel for schedule(dynamic, 8) num_threads(AT_ONCE) if (l->n > AT_ONCE)
	for (int i = 0; i < l->n; i++) {
		struct err why = ERR_INIT;
		if (place(&l->placing, &l->v[i], s, &why)) {
			l->v[i].why = xmalloc(sizeof why);
			*l->v[i].why = why;
		}
	}
}

static void drop_copy(struct item *it)
{
	(void)unlink(it->copy);
	free(it->copy);
	it->copy = NULL;
	it->twin = true;
}

/* Two copies go to one place: the same journal, by way of two shards. The longer one stays. *at: which. */
static int join(struct items *l, int *at, int i, struct err *e)
{
	SCOPED(str) struct str a = { 0 }, b = { 0 };
	struct item *first = &l->v[*at], *second = &l->v[i];
	if (io_read(&a, first->copy, SHARD_MAX, e) || io_read(&b, second->copy, SHARD_MAX, e))
		return -1;
	bool second_stays = b.len > a.len;
	if (!same_bytes(&a, &b, second_stays ? a.len : b.len))
		return not_ours(second, first->source, e);
	drop_copy(second_stays ? first : second);
	*at = second_stays ? i : *at;
	return 0;
}

static int find_twins(struct items *l, struct store *s, struct err *e)
{
	json_t *copying = json_object(); /* path -> which item's copy goes there; it need not be UTF-8 */
	int rc = 0;
	for (int i = 0; i < l->n && !rc; i++) {
		struct item *it = &l->v[i];
		struct err why = ERR_INIT;
		const json_t *before = it->copy ? json_object_get(copying, it->path) : NULL;
		int at = before ? (int)json_integer_value(before) : i;
		if (it->why || (before && join(l, &at, i, &why)))
			rc = leave_out(s, l, it, it->why ? it->why : &why, e);
		else if (it->copy && json_object_set_new_nocheck(copying, it->path, json_integer(at)))
			err_give_up("out of memory (%s)", it->path);
	}
	json_decref(copying);
	return rc;
}

/* Is the whole ledger in the database already? Its row among the shards says so: of one of which a line waits or was
 * left out there is none. */
static int is_taken(bool *out, const struct item *it, struct store *s, struct err *e)
{
	int64_t n = 0;
	if (!it->copy && db_int_of(&n, 0, s->db, e, "SELECT count(*) FROM shard WHERE id = ?", "s", it->sha256))
		return -1;
	*out = n > 0;
	return 0;
}

/* Of a ledger each line for itself. */
static int take_ledger(struct merge_result *out, struct item *it, struct store *s, struct err *e)
{
	int64_t waits = -1, end, rows = 0;
	bool taken;
	if (is_taken(&taken, it, s, e) || (!taken && store_take_lines_within(s, it->source, 0, &waits, &end, &rows, e)))
		return -1;
	it->whole = waits < 0;
	out->shards++;
	out->rows += rows;
	out->known += rows == 0;
	return 0;
}

/* Is all of this journal in the database already? Its seal there says so. */
static int is_known(bool *out, const struct item *it, struct store *s, struct err *e)
{
	int64_t same = 0;
	if (it->attempt && *it->seal.sha256 &&
	    db_int_of(&same, 0, s->db, e, "SELECT journal = ? FROM attempt WHERE id = ?", "ss", it->seal.sha256,
	              it->attempt))
		return -1;
	*out = same != 0;
	return 0;
}

static int take(struct merge_result *out, struct item *it, struct store *s, struct err *e)
{
	struct ingest in = { .db = s->db };
	struct journal_scan scan = { 0 };
	bool known = it->twin;
	if (!known && !it->copy && is_known(&known, it, s, e))
		return -1;
	if (known) {
		out->shards++;
		out->known++;
		it->lines = it->seal.lines;
		it->whole = true;
		return 0;
	}
	if (ingest_file(&in, &scan, it->copy ? it->copy : it->path, e))
		return err_in(e, "%s", it->source);
	out->shards++;
	out->rows += in.rows;
	out->known += in.rows == 0;
	out->torn += scan.torn > 0;
	it->lines = scan.lines;
	it->whole = scan.sealed || it->ledger;
	if ((it->copy || in.rows) && (it->attempt || it->attempts))
		store_add_news(s, it->attempt);
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
		if (!rc && !known && !it->left && !it->twin && it->whole)
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

/* Copies, or their places, of all that is to be put in place; the texts are the items'. */
static const char **each_copy(const struct items *l, int *n, bool place)
{
	const char **list = xcalloc((size_t)l->n + 1, sizeof *list);
	*n = 0;
	for (int i = 0; i < l->n; i++)
		if (l->v[i].copy && !l->v[i].left)
			list[(*n)++] = place ? l->v[i].path : l->v[i].copy;
	return list;
}

/* Files before rows: what is in the database is always in a journal, after a loss of power, too. */
static int put_in_place(struct items *l, struct err *e)
{
	int n;
	SCOPED(free) const char **copies = each_copy(l, &n, false), **paths = each_copy(l, &n, true);
	if (!n)
		return 0;
	if (placing_sync_copies(&l->placing, copies, n, e))
		return -1;
	for (int i = 0; i < n; i++)
		if (rename(copies[i], paths[i]))
			return err_code(e, EXIT_RECORD, "%s: cannot rename: %s", copies[i], strerror(errno));
	return placing_sync_names(&l->placing, paths, n, e);
}

static int take_all(struct merge_result *out, struct store *s, struct items *l, struct err *e)
{
	for (int i = 0; i < l->n; i++)
		if (take_or_leave(out, l, &l->v[i], s, e))
			return -1;
	return db_settled(s->db, e) || put_in_place(l, e) ? -1 : 0;
}

static int merge_items(struct merge_result *out, struct store *s, struct items *l, struct err *e)
{
	l->placing = (struct placing){ .root = s->runs };
	place_all(l, s);
	if (find_twins(l, s, e))
		return -1;
	if (l->n)
		qsort(l->v, (size_t)l->n, sizeof *l->v, by_ledger_last);
	if (db_expect_many(s->db, e) || db_begin(s->db, e))
		return -1;
	if (take_all(out, s, l, e)) {
		db_rollback(s->db);
		return -1;
	}
	return db_commit(s->db, e) || record_shards(s, l, e) ? -1 : 0;
}

static int settle(int rc, struct items *l, struct err *e)
{
	items_release(l);
	if (rc && e && !e->code)
		e->code = EXIT_RECORD;
	return rc;
}

int merge_shards(struct merge_result *out, struct store *s, const char *const *paths, int n, struct err *e)
{
	struct items l = { 0 };
	int rc = 0;
	*out = (struct merge_result){ 0 };
	for (int i = 0; i < n && !rc; i++)
		rc = add_shard(&l, paths[i], e);
	return settle(rc || merge_items(out, s, &l, e) || merge_find_differing(s, e) ? -1 : 0, &l, e);
}

int merge_folders(struct merge_result *out, struct store *s, const struct merge_folder *folders, int n, struct err *e)
{
	struct items l = { .patient = true };
	int rc = 0;
	*out = (struct merge_result){ 0 };
	for (int i = 0; i < n && !rc; i++)
		rc = add_files(&l, folders[i].runs, &folders[i].files, e);
	return settle(rc || merge_items(out, s, &l, e) ? -1 : 0, &l, e);
}

int merge_find_differing(struct store *s, struct err *e)
{
	differing_release(&s->differing);
	if (!s->n_news && !s->news_of_all)
		return 0;
	return differing_find(&s->differing, s->db, s->news_of_all ? NULL : (const char(*)[HOST_UUID])s->news, s->n_news,
	                      e);
}
