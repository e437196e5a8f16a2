/* slurm_collect.c - the shards of Slurm tasks into the database: journals by merge.h, and the files beside them. */
#define _GNU_SOURCE
#include "harness/slurm/engine_slurm.h"

#include "harness/record/journal.h"
#include "harness/record/matching.h"
#include "harness/record/merge.h"
#include "harness/record/query.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 8

static int share_file(const char *from, const char *to, struct err *e)
{
	SCOPED(str) struct str bytes = { 0 };
	if (link(from, to) == 0 || errno == EEXIST)
		return 0;
	return io_read(&bytes, from, (size_t)1 << 40, e) ? -1 : io_write_atomic(to, str_text(&bytes), bytes.len, e);
}

/* Every file below `from` appears below `to`, under a second name where the file system can; journals are merge's
 * own. */
static int share_tree(const char *from, const char *to, int depth, struct err *e)
{
	DIR *d = opendir(from);
	int rc = 0;
	if (!d)
		return errno == ENOENT ? 0 : err_set(e, "%s: cannot open: %s", from, strerror(errno));
	for (struct dirent *entry; !rc && (entry = readdir(d));) {
		const char *name = entry->d_name;
		struct stat st;
		SCOPED(free) char *a = xstrfmt("%s/%s", from, name);
		SCOPED(free) char *b = xstrfmt("%s/%s", to, name);
		if (name[0] == '.' || strcmp(name, "journal.jsonl") == 0 || strcmp(name, "cancel") == 0 || lstat(a, &st))
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			rc = io_mkdirs(b, e) || share_tree(a, b, depth + 1, e) ? -1 : 0;
		else if (S_ISREG(st.st_mode))
			rc = share_file(a, b, e);
	}
	(void)closedir(d);
	return rc;
}

/* The folders of attempts, which are two levels down, beside the lock and the ledger. */
static int share_attempts(const struct matching *journals, const char *shard_runs, const char *runs, struct err *e)
{
	for (int i = 0; i < journals->n; i++) {
		const char *journal = journals->v[i];
		SCOPED(free) char *from = xstrndup(journal, (size_t)(strrchr(journal, '/') - journal));
		SCOPED(free) char *to = xstrfmt("%s%s", runs, from + strlen(shard_runs));
		if ((!io_is_dir(to) && io_mkdirs(to, e)) || share_tree(from, to, 0, e))
			return -1;
	}
	return 0;
}

static bool all_sealed(const struct matching *journals)
{
	for (int i = 0; i < journals->n; i++)
		if (!journal_is_sealed(journals->v[i]))
			return false;
	return true;
}

static bool is_locked(const char *runs)
{
	json_t *holder = store_lock_holder(runs);
	json_decref(holder);
	return holder != NULL;
}

/* Ends what a dead task left open. *busy when a task is working on the shard, here or on another machine. */
static int make_quiet(bool *busy, const char *shard, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	int alive, lost;
	int64_t open_attempts = 0;
	if (store_open(&s, shard, STORE_RUN, "ablate slurm-merge", e) || store_reconcile(&s, &alive, &lost, e) ||
	    query_count_in_state(&open_attempts, s.db, RECORD_RUNNING, e))
		return -1;
	*busy = open_attempts > 0;
	return 0;
}

/* What the shard holds. */
struct seen {
	struct run_files files;
	bool busy, sealed; /* sealed: all that began has ended, so that its database need not be looked at */
	struct err why;    /* of a failure */
};

static void look(struct seen *out, const char *shard)
{
	SCOPED(free) char *runs = xstrfmt("%s-runs", shard);
	out->busy = is_locked(runs);
	if (!out->busy && !matching_run_files(&out->files, runs, &out->why))
		out->sealed = all_sealed(&out->files.journals);
}

/* After a look: takes out->files, of which none is left open. */
static int find_files(struct run_files *out, bool *busy, struct seen *seen, const char *shard, const char *runs,
                      struct err *e)
{
	*busy = seen->busy;
	if (*seen->why.msg)
		return err_code(e, (enum exit_code)err_exit_code(&seen->why), "%s", seen->why.msg);
	*out = seen->files;
	seen->files = (struct run_files){ 0 };
	if (*busy || seen->sealed)
		return 0;
	scoped_run_files(out);
	return make_quiet(busy, shard, e) || matching_run_files(out, runs, e) ? -1 : 0;
}

/* Shards that are taken together: so many that the disk has little to wait for, and so few that the database is not
 * locked for long and nobody begins to work on one meanwhile. */
#define TOGETHER 2000
#define AT_ONCE  8 /* shards whose files are shared at once */

struct batch {
	struct merge_folder v[TOGETHER];
	int n;
};

static void batch_clear(struct batch *b)
{
	for (int i = 0; i < b->n; i++) {
		free(b->v[i].runs);
		scoped_run_files(&b->v[i].files);
	}
	b->n = 0;
}

/* Adds the shard if there is something to take and nobody at work. */
static int add_quiet(struct batch *b, struct slurm_collected *out, struct seen *seen, const char *shard, struct err *e)
{
	SCOPED(run_files) struct run_files files = { 0 };
	SCOPED(free) char *runs = xstrfmt("%s-runs", shard);
	bool busy;
	if (find_files(&files, &busy, seen, shard, runs, e))
		return err_in(e, "shard %s", shard);
	out->busy += busy;
	if (busy || !files.journals.n)
		return 0; /* none: its task died before it began */
	b->v[b->n++] = (struct merge_folder){ runs, files };
	runs = NULL;
	files = (struct run_files){ 0 };
	return 0;
}

/* Of several shards at once: each waits for the disk. The first failure is the result. */
static int share_all(const struct merge_folder *shards, int n, const char *runs, struct err *e)
{
	int rc = 0;
#pragma omp parallel for schedule(dynamic, 8) num_threads(AT_ONCE) if (n > AT_ONCE)
	for (int i = 0; i < n; i++) {
		struct err why = ERR_INIT;
		if (share_attempts(&shards[i].files.journals, shards[i].runs, runs, &why)) {
#pragma omp critical(slurm_collect)
			rc = rc ? rc : err_code(e, (enum exit_code)err_exit_code(&why), "shard %s: %s", shards[i].runs, why.msg);
		}
	}
	return rc;
}

static int take(struct slurm_collected *out, struct store *s, const struct merge_folder *shards, int n, struct err *e)
{
	struct merge_result m = { 0 };
	if (merge_folders(&m, s, shards, n, e))
		return n == 1 ? err_in(e, "shard %s", shards[0].runs) : -1;
	out->rows += m.rows;
	out->shards += n;
	return share_all(shards, n, s->runs, e);
}

/* All at once; where that fails each for itself, so that one shard stops no other. */
static int take_batch(struct slurm_collected *out, struct store *s, struct batch *b, struct err *e)
{
	struct slurm_collected before = *out;
	struct err why = ERR_INIT;
	int rc = 0;
	if (b->n && take(out, s, b->v, b->n, &why)) {
		*out = before;
		for (int i = 0; i < b->n; i++) {
			struct err mine = ERR_INIT;
			if (take(out, s, &b->v[i], 1, &mine) && !rc)
				rc = err_code(e, (enum exit_code)err_exit_code(&mine), "%s", mine.msg);
		}
	}
	batch_clear(b);
	return rc;
}

static void keep_first(struct err *first, const struct err *why)
{
	if (!*first->msg)
		*first = *why;
}

/* Looks at n shards, several at once, and takes what can be taken. */
static void collect_some(struct slurm_collected *out, struct store *s, struct batch *b, char *const *shards, int n,
                         struct err *first)
{
	SCOPED(free) struct seen *seen = xcalloc((size_t)n, sizeof *seen);
	struct err why = ERR_INIT;
#pragma omp parallel for schedule(dynamic, 8) num_threads(AT_ONCE) if (n > AT_ONCE)
	for (int i = 0; i < n; i++) {
		seen[i].why = (struct err)ERR_INIT;
		look(&seen[i], shards[i]);
	}
	for (int i = 0; i < n; i++) {
		struct err mine = ERR_INIT;
		if (add_quiet(b, out, &seen[i], shards[i], &mine))
			keep_first(first, &mine);
		scoped_run_files(&seen[i].files);
	}
	if (take_batch(out, s, b, &why))
		keep_first(first, &why);
}

int slurm_collect(struct slurm_collected *out, struct store *s, struct err *e)
{
	SCOPED(free) char *dir = xstrfmt("%s-runs/slurm", s->path);
	SCOPED(matching) struct matching shards = { 0 };
	SCOPED(free) struct batch *b = xcalloc(1, sizeof *b);
	struct err first = ERR_INIT;
	*out = (struct slurm_collected){ 0 };
	if (matching_find(&shards, dir, "/*/*.db", e))
		return -1;
	for (int from = 0; from < shards.n; from += TOGETHER) {
		int n = shards.n - from < TOGETHER ? shards.n - from : TOGETHER;
		collect_some(out, s, b, shards.v + from, n, &first);
	}
	if (*first.msg)
		return err_code(e, (enum exit_code)err_exit_code(&first), "%s", first.msg);
	return merge_find_differing(s, e);
}
