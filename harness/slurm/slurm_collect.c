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
static int share_attempts(const char *shard_runs, const char *runs, struct err *e)
{
	SCOPED(matching) struct matching journals = { 0 };
	int rc = matching_journals(&journals, shard_runs, e);
	for (int i = 0; i < journals.n && !rc; i++) {
		char *from = journals.v[i];
		*strrchr(from, '/') = '\0';
		SCOPED(free) char *to = xstrfmt("%s%s", runs, from + strlen(shard_runs));
		rc = io_mkdirs(to, e) || share_tree(from, to, 0, e) ? -1 : 0;
	}
	return rc;
}

/* Ends what a dead task left open. *busy when a task is working on the shard, here or on another machine. */
static int make_quiet(bool *busy, const char *shard, const char *runs, struct err *e)
{
	SCOPED(store) struct store s = STORE_INIT;
	int alive, lost;
	int64_t open_attempts = 0;
	json_t *holder = store_lock_holder(runs);
	*busy = holder != NULL;
	json_decref(holder);
	if (*busy)
		return 0;
	if (store_open(&s, shard, STORE_RUN, "ablate slurm-merge", e) || store_reconcile(&s, &alive, &lost, e) ||
	    query_count_in_state(&open_attempts, s.db, RECORD_RUNNING, e))
		return -1;
	*busy = open_attempts > 0;
	return 0;
}

static int collect_one(struct slurm_collected *out, struct store *s, const char *shard, struct err *e)
{
	bool busy;
	struct merge_result m = { 0 };
	SCOPED(free) char *runs = xstrfmt("%s-runs", shard);
	if (make_quiet(&busy, shard, runs, e))
		return err_in(e, "shard %s", shard);
	if (busy) {
		out->busy++;
		return 0;
	}
	if (!journal_any(runs))
		return 0; /* its task died before it began */
	if (merge_folder(&m, s, runs, e) || share_attempts(runs, s->runs, e))
		return err_in(e, "shard %s", shard);
	out->shards++;
	out->rows += m.rows;
	return 0;
}

int slurm_collect(struct slurm_collected *out, struct store *s, const char *plan_hash, struct err *e)
{
	SCOPED(free) char *dir = xstrfmt("%s-runs/slurm", s->path);
	SCOPED(matching) struct matching shards = { 0 };
	struct err first = ERR_INIT;
	(void)plan_hash; /* shards are by training, whichever plan asked for it */
	*out = (struct slurm_collected){ 0 };
	if (matching_find(&shards, dir, "/*/*.db", e))
		return -1;
	for (int i = 0; i < shards.n; i++) {
		struct err why = ERR_INIT;
		if (collect_one(out, s, shards.v[i], &why) && !*first.msg)
			first = why;
	}
	return *first.msg ? err_code(e, (enum exit_code)err_exit_code(&first), "%s", first.msg) : 0;
}
