/* journal.c - see journal.h: the writer. The reader is in journal_read.c. */
#define _GNU_SOURCE
#include "harness/record/journal.h"

#include "harness/record/hidden.h"
#include "harness/record/host.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH_BYTES   65536
#define BATCH_SECONDS 1.0

struct journal {
	int fd;
	char *path;
	pthread_mutex_t mutex;
	struct str batch; /* whole lines not written yet */
	json_t *point;    /* curve values of one step, not yet a line */
	int64_t point_step;
	int64_t size, lines; /* of the file, whole lines only */
	double written_s;    /* when the batch was last written */
	struct sha256 sha;
	bool sealed, given_up; /* given_up: another process ended the attempt; this is its own attempt now */
	struct err failure;    /* the first failed write: the file takes nothing more */
};

static struct flock whole_file(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

bool journal_is_alive(const char *path)
{
	SCOPED(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
	struct flock lock = whole_file(F_WRLCK);
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* A file system without locks: then only the heartbeat shows (attempt.heartbeat). */
static int take_lock(int fd, const char *path, struct err *e)
{
	struct flock lock = whole_file(F_WRLCK);
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0 || errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS ||
	    errno == EINVAL) /* ENOSYS: Lustre, mounted without flock */
		return 0;
	return err_code(e, EXIT_RECORD, "%s: its writer is alive", path);
}

static struct journal *new_journal(int fd, const char *path)
{
	struct journal *j = xcalloc(1, sizeof *j);
	j->fd = fd;
	j->path = xstrdup(path);
	j->written_s = monotonic_s();
	sha256_init(&j->sha);
	(void)pthread_mutex_init(&j->mutex, NULL);
	return j;
}

/* --- a late finisher: its attempt was considered lost by a machine that no longer saw its signs of life --- */

static int copy_line(struct journal *j, struct str *out, const char *line, size_t n, const char *id)
{
	json_t *o = json_loadb(line, n, 0, NULL);
	const char *type = json_string_value(json_object_get(o, "t"));
	if (type && strcmp(type, "attempt") == 0)
		(void)json_object_set_new(o, "id", json_string(id));
	int rc = json_record(out, o, JSON_COMPACT);
	json_decref(o);
	str_addc(out, '\n');
	j->lines++;
	return rc;
}

/* What else is in the attempt's folder: checkpoints, pictures, log. */
static void share_files(const char *from, const char *to)
{
	DIR *d = opendir(from);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		SCOPED(free) char *a = xstrfmt("%s/%s", from, entry->d_name);
		SCOPED(free) char *b = xstrfmt("%s/%s", to, entry->d_name);
		if (entry->d_type == DT_REG && strcmp(entry->d_name, "journal.jsonl") != 0 &&
		    strcmp(entry->d_name, "cancel") != 0)
			(void)!link(a, b); /* a convenience: the records name them by content */
	}
	if (d)
		(void)closedir(d);
}

/* Files what it has written so far as an attempt of its own, in a folder beside the old one, and continues there. */
static int become_own_attempt(struct journal *j, struct err *e)
{
	char id[HOST_UUID];
	SCOPED(str) struct str old = { 0 };
	SCOPED(str) struct str own = { 0 };
	SCOPED(free) char *copy = xstrdup(j->path);
	SCOPED(free) char *old_dir = xstrdup(dirname(copy));
	SCOPED(free) char *parent = xstrdup(old_dir);
	SCOPED(free) char *dir = xstrfmt("%s/%s", dirname(parent), host_uuid(id));
	SCOPED(free) char *path = xstrfmt("%s/journal.jsonl", dir);
	if (io_read(&old, j->path, SIZE_MAX, e) || io_mkdirs(dir, e))
		return -1;
	j->lines = 0;
	for (size_t at = 0; at < (size_t)j->size;) {
		size_t n = (size_t)((const char *)memchr(old.data + at, '\n', (size_t)j->size - at) - old.data) - at;
		if (copy_line(j, &own, old.data + at, n, id))
			return err_code(e, EXIT_RECORD, "%s: cannot be copied", j->path);
		at += n + 1;
	}
	for (size_t i = 0; i < j->batch.len; i++)
		j->lines += j->batch.data[i] == '\n';
	SCOPED(fd) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_code(e, EXIT_RECORD, "%s: cannot create: %s", path, strerror(errno));
	if (take_lock(fd, path, e) || io_write_all(fd, own.data, own.len, path, e))
		return -1;
	share_files(old_dir, dir);
	io_sync_folder_of(path);
	(void)close(j->fd);
	free(j->path);
	j->fd = fd;
	fd = -1;
	j->path = xstrdup(path);
	j->size = (int64_t)own.len;
	sha256_init(&j->sha);
	sha256_add(&j->sha, own.data, own.len);
	j->given_up = true;
	return 0;
}

static bool was_given_up(const struct journal *j)
{
	struct stat st;
	return !j->given_up && fstat(j->fd, &st) == 0 && st.st_size > j->size;
}

/* Writes the batch; after a failure cuts the file back to whole lines and stays failed. */
static int write_batch(struct journal *j, bool sync, struct err *e)
{
	if (*j->failure.msg) {
		if (e)
			*e = j->failure;
		return -1;
	}
	int rc = j->batch.len && was_given_up(j) ? become_own_attempt(j, &j->failure) : 0;
	if (!rc && j->batch.len) {
		rc = io_write_all(j->fd, j->batch.data, j->batch.len, j->path, &j->failure);
		if (rc && ftruncate(j->fd, j->size)) {
			size_t n = strlen(j->failure.msg);
			(void)snprintf(j->failure.msg + n, sizeof j->failure.msg - n,
			               ", and it cannot be cut back to its last whole line");
		}
	}
	if (!rc && sync && fdatasync(j->fd) && errno != EINVAL && errno != EROFS)
		rc = err_set(&j->failure, "%s: cannot sync: %s", j->path, strerror(errno));
	if (rc) {
		if (e)
			*e = j->failure;
		return -1;
	}
	if (j->batch.len)
		sha256_add(&j->sha, j->batch.data, j->batch.len);
	j->size += (int64_t)j->batch.len;
	j->batch.len = 0;
	j->written_s = monotonic_s();
	return 0;
}

static void batch_line(struct journal *j, json_t *line)
{
	if (json_record(&j->batch, line, JSON_COMPACT))
		BUG("%s: a line that is not JSON", j->path);
	str_addc(&j->batch, '\n');
	j->lines++;
}

static void batch_point(struct journal *j)
{
	if (!j->point)
		return;
	json_t *line = json_pack("{s:s, s:I, s:o}", "t", "curve", "step", (json_int_t)j->point_step, "values", j->point);
	j->point = NULL;
	batch_line(j, line);
	json_decref(line);
}

static int add_locked(struct journal *j, json_t *line, bool sync, struct err *e)
{
	REQUIRE(line && !j->sealed);
	batch_point(j);
	batch_line(j, line);
	json_decref(line);
	if (!sync && j->batch.len < BATCH_BYTES && monotonic_s() - j->written_s < BATCH_SECONDS && !*j->failure.msg)
		return 0;
	return write_batch(j, sync, e);
}

int journal_add(struct journal *j, json_t *line, bool sync, struct err *e)
{
	(void)pthread_mutex_lock(&j->mutex);
	int rc = add_locked(j, line, sync, e);
	(void)pthread_mutex_unlock(&j->mutex);
	return rc;
}

json_t *journal_number(double x)
{
	return isfinite(x) ? json_real(x) : json_string(isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
}

bool journal_number_value(double *out, const json_t *v)
{
	if (json_is_number(v)) {
		*out = json_number_value(v);
		return true;
	}
	const char *s = json_string_value(v);
	if (!s)
		return false;
	*out = strcmp(s, "inf") == 0 ? INFINITY : strcmp(s, "-inf") == 0 ? -INFINITY : NAN;
	return isinf(*out) || strcmp(s, "nan") == 0;
}

void journal_curve(struct journal *j, const char *name, int64_t step, double value)
{
	(void)pthread_mutex_lock(&j->mutex);
	if (j->point && j->point_step != step)
		batch_point(j);
	if (!j->point)
		j->point = json_object();
	j->point_step = step;
	if (json_object_set_new(j->point, name, journal_number(value)))
		BUG("%s: curve name is not UTF-8", j->path);
	if (j->batch.len >= BATCH_BYTES || monotonic_s() - j->written_s >= BATCH_SECONDS)
		(void)write_batch(j, false, NULL); /* kept in j->failure */
	(void)pthread_mutex_unlock(&j->mutex);
}

/* resumed < 0: nothing is said of it. */
static int beat(struct journal *j, int64_t step, int64_t resumed, struct err *e)
{
	char now[HOST_TIME];
	(void)pthread_mutex_lock(&j->mutex);
	int rc = 0;
	if (!j->sealed) {
		json_t *line = json_pack("{s:s, s:s, s:f, s:I}", "t", "beat", "at", host_now(now), "boot_s", host_boot_s(),
		                         "step", (json_int_t)step);
		if (resumed >= 0)
			(void)json_object_set_new(line, "resumed_step", json_integer(resumed));
		rc = add_locked(j, line, false, e);
		if (!rc)
			rc = write_batch(j, false, e);
	}
	(void)pthread_mutex_unlock(&j->mutex);
	return rc;
}

int journal_beat(struct journal *j, int64_t step, struct err *e)
{
	return beat(j, step, -1, e);
}

int journal_resumed(struct journal *j, int64_t step, struct err *e)
{
	return beat(j, step, step, e);
}

static void set_text(json_t *line, const char *key, const char *text)
{
	if (text && json_object_set_new(line, key, json_string(text)))
		BUG("journal: %s is not UTF-8", key);
}

/* For a person, and so it may name a path. */
static void set_sentence(json_t *line, const char *key, const char *text)
{
	SCOPED(str) struct str hidden = { 0 };
	if (text && hidden_on())
		hidden_text(&hidden, text);
	set_text(line, key, text && hidden_on() ? str_text(&hidden) : text);
}

static void set_int(json_t *line, const char *key, int64_t x)
{
	if (x >= 0)
		(void)json_object_set_new(line, key, json_integer(x));
}

static void set_real(json_t *line, const char *key, double x)
{
	if (isfinite(x))
		(void)json_object_set_new(line, key, json_real(x));
}

int journal_metric(struct journal *j, const struct journal_metric *m, struct err *e)
{
	char hex[64];
	(void)snprintf(hex, sizeof hex, "%a", m->value);
	json_t *line = json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:s}", "t", "metric", "name", m->name, "nfe", m->nfe,
	                         "weights", m->weights, "step", (json_int_t)m->step, "eval_seed", (json_int_t)m->eval_seed,
	                         "protocol", m->protocol);
	set_real(line, "value", m->value);
	set_text(line, "hex", hex);
	set_real(line, "lo", m->lo);
	set_real(line, "hi", m->hi);
	set_int(line, "n", m->n);
	set_text(line, "computed_by", m->computed_by);
	set_text(line, "asked", m->asked);
	set_text(line, "taken_from", m->taken_from);
	return journal_add(j, line, true, e);
}

int journal_file(struct journal *j, const struct journal_file *f, struct err *e)
{
	json_t *line = json_pack("{s:s, s:s, s:s}", "t", "artifact", "hash", f->sha256, "kind", f->kind);
	set_int(line, "bytes", f->bytes);
	set_text(line, "name", f->name);
	set_int(line, "n_items", f->n_items);
	if (journal_add(j, line, false, e))
		return -1;
	line = json_pack("{s:s, s:s}", "t", f->table, "artifact", f->sha256);
	if (f->role)
		set_text(line, "role", f->role);
	else
		set_int(line, "step", f->step);
	set_text(line, "sampling", f->sampling);
	return journal_add(j, line, true, e);
}

int journal_note(struct journal *j, const char *text, struct err *e)
{
	json_t *line = json_pack("{s:s}", "t", "note");
	set_sentence(line, "text", text);
	return journal_add(j, line, false, e);
}

static json_t *attempt_line(const struct journal_head *h)
{
	char now[HOST_TIME], boot[HIDDEN_BOOT];
	json_t *line = json_pack("{s:s, s:i, s:s, s:s, s:I, s:s}", "t", "attempt", "v", 1, "id", h->attempt, "cell",
	                         h->cell, "n", (json_int_t)h->n, "purpose", h->purpose);
	set_text(line, "host", hidden_host());
	set_text(line, "boot_id", hidden_boot(boot));
	set_int(line, "pid", h->pid ? h->pid : getpid());
	set_text(line, "slurm_job", h->slurm_job);
	if (h->slurm_job)
		set_int(line, "slurm_restart", h->slurm_restart);
	set_text(line, "started", host_now(now));
	set_text(line, "heartbeat", now);
	set_real(line, "heartbeat_boot_s", host_boot_s());
	set_text(line, "resumed_from", h->resumed_from);
	set_text(line, "env", h->env_hash);
	set_text(line, "fingerprint", h->fingerprint);
	if (h->generation)
		set_int(line, "generation", h->generation);
	return line;
}

/* The first lines are seen at once, and not synced: until something was computed there is nothing to lose but these
 * lines. */
static int flush(struct journal *j, struct err *e)
{
	(void)pthread_mutex_lock(&j->mutex);
	int rc = write_batch(j, false, e);
	(void)pthread_mutex_unlock(&j->mutex);
	return rc;
}

int journal_create(struct journal **out, const char *path, const struct journal_head *h, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_code(e, EXIT_RECORD, "%s: cannot create: %s", path, strerror(errno));
	struct journal *j = new_journal(fd, path);
	if (take_lock(fd, path, e))
		goto fail;
	if (h->env_hash &&
	    journal_add(j, json_pack("{s:s, s:s, s:s}", "t", "env", "hash", h->env_hash, "json", h->env_json), false, e))
		goto fail;
	if (journal_add(j, json_pack("{s:s, s:s, s:s}", "t", "arm", "hash", h->arm, "config", h->config), false, e) ||
	    journal_add(j,
	                json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "t", "cell", "hash", h->cell, "arm", h->arm, "seed",
	                          (json_int_t)h->seed, "numerics", (json_int_t)h->numerics, "dataset", h->dataset),
	                false, e) ||
	    journal_add(j, attempt_line(h), false, e) || flush(j, e))
		goto fail;
	io_sync_folder_of(path);
	*out = j;
	return 0;
fail:
	journal_close(j);
	return -1;
}

static int nothing(void *ctx, const char *type, json_t *line, struct err *e)
{
	(void)ctx, (void)type, (void)line, (void)e;
	return 0;
}

int journal_adopt(struct journal **out, const char *path, int64_t *torn, struct err *e)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return err_code(e, EXIT_RECORD, "%s: cannot open: %s", path, strerror(errno));
	struct journal *j = new_journal(fd, path);
	struct journal_scan scan = { 0 };
	SCOPED(str) struct str text = { 0 };
	if (take_lock(fd, path, e) || journal_scan_file(&scan, path, nothing, NULL, e) || io_read(&text, path, SIZE_MAX, e))
		goto fail;
	if (scan.sealed) {
		(void)err_code(e, EXIT_RECORD, "%s: sealed", path);
		goto fail;
	}
	if (scan.torn && ftruncate(fd, scan.bytes)) {
		(void)err_code(e, EXIT_RECORD, "%s: cannot cut off its torn last line: %s", path, strerror(errno));
		goto fail;
	}
	sha256_add(&j->sha, text.data, (size_t)scan.bytes);
	j->size = scan.bytes;
	j->lines = scan.lines;
	*torn = scan.torn;
	*out = j;
	return 0;
fail:
	journal_close(j);
	return -1;
}

static json_t *end_line(const struct journal_end *end)
{
	char now[HOST_TIME];
	json_t *line = json_pack("{s:s, s:s}", "t", "end", "state", record_state_name(end->state));
	set_sentence(line, "reason", end->reason);
	set_text(line, "ended", host_now(now));
	set_real(line, "heartbeat_boot_s", host_boot_s());
	set_int(line, "exit_code", end->exit_code);
	set_int(line, "signal", end->signal);
	set_int(line, "step", end->step);
	set_int(line, "resumed_step", end->resumed_step);
	set_real(line, "wall_s", end->wall_s < 0 ? NAN : end->wall_s);
	set_real(line, "cpu_s", end->cpu_s < 0 ? NAN : end->cpu_s);
	set_int(line, "max_rss", end->max_rss);
	return line;
}

/* The seal covers the bytes before it, some of which are still in the batch. */
static int seal_locked(struct journal *j, struct err *e)
{
	char hex[SHA256_HEX];
	if (!*j->failure.msg && was_given_up(j) && become_own_attempt(j, &j->failure)) {
		if (e)
			*e = j->failure;
		return -1;
	}
	struct sha256 sha = j->sha;
	sha256_add(&sha, str_text(&j->batch), j->batch.len);
	sha256_hex(hex, &sha);
	json_t *line = json_pack("{s:s, s:I, s:s}", "t", "seal", "lines", (json_int_t)j->lines, "sha256", hex);
	batch_line(j, line);
	json_decref(line);
	j->sealed = true;
	return write_batch(j, true, e);
}

int journal_seal(struct journal *j, struct err *e)
{
	(void)pthread_mutex_lock(&j->mutex);
	int rc = seal_locked(j, e);
	(void)pthread_mutex_unlock(&j->mutex);
	return rc;
}

int journal_end_for_all(struct journal *j, const struct journal_end *end, struct err *e)
{
	(void)pthread_mutex_lock(&j->mutex);
	batch_point(j);
	json_t *line = end_line(end);
	batch_line(j, line);
	json_decref(line);
	return seal_locked(j, e);
}

int journal_end(struct journal *j, const struct journal_end *end, struct err *e)
{
	int rc = journal_end_for_all(j, end, e);
	(void)pthread_mutex_unlock(&j->mutex);
	return rc;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (!j->sealed) {
		batch_point(j);
		(void)write_batch(j, false, NULL);
	}
	(void)close(j->fd);
	(void)pthread_mutex_destroy(&j->mutex);
	json_decref(j->point);
	str_release(&j->batch);
	free(j->path);
	free(j);
}
