/* store.c - see store.h: opening, the run lock. The ledger is in store_ledger.c, attempts are in store_attempt.c. */
#define _GNU_SOURCE
#include "harness/record/store.h"

#include "harness/record/hidden.h"
#include "harness/record/locks.h"
#include "harness/record/host.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char *in_runs(const char *runs, const char *name)
{
	return xstrfmt("%s/%s", runs, name);
}

/* --- the run lock --- */

static json_t *lock_text(const char *path)
{
	SCOPED(str) struct str text = { 0 };
	if (io_read(&text, path, 65536, NULL))
		return NULL;
	json_t *o = json_loadb(text.data, text.len, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return json_object();
	}
	return o;
}

/* Where a file system has no locks, or they do not reach other machines, the text and its age decide. */
static bool text_is_alive(const char *path)
{
	json_t *o = lock_text(path);
	const char *boot = json_string_value(json_object_get(o, "boot_id"));
	bool alive = false;
	if (o && json_object_size(o))
		alive = hidden_is_this_boot(boot) ? host_pid_alive((pid_t)json_integer_value(json_object_get(o, "pid")))
		                                  : host_file_age(path) < STORE_LEASE_S;
	json_decref(o);
	return alive;
}

static bool is_locked(int fd, const char *path)
{
	char why[128];
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && (lock.l_type != F_UNLCK || locks_reach_others(why, path)))
		return lock.l_type != F_UNLCK;
	return text_is_alive(path);
}

const struct json_key lock_keys[] = {
	JSON_KEY("what", "string", "the command that runs on the database"),
	JSON_KEY("pid", "integer", "its process"),
	JSON_KEY("host", "string", "the machine it runs on"),
	JSON_KEY("boot_id", "string", "the boot in which pid means something"),
	JSON_KEY("since", "string", "since when: UTC, ISO 8601"),
	{ 0 },
};

json_t *store_lock_holder(const char *runs)
{
	SCOPED(free) char *path = in_runs(runs, "lock");
	SCOPED(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 && is_locked(fd, path) ? lock_text(path) : NULL;
}

static int lock_taken(const struct store *s, struct err *e)
{
	json_t *o = store_lock_holder(s->runs);
	const char *what = json_string_value(json_object_get(o, "what")),
			   *host = json_string_value(json_object_get(o, "host"));
	const char *since = json_string_value(json_object_get(o, "since"));
	(void)err_code(
		e, EXIT_RECORD, "%s: `%s` (pid %lld on %s, since %s) is running on it; wait for it, or `ablate cancel --db %s`",
		s->path, what ? what : "another ablate run", (long long)json_integer_value(json_object_get(o, "pid")),
		host ? host : "?", since ? since : "?", s->path);
	json_decref(o);
	return -1;
}

int store_lock(struct store *s, const char *what, struct err *e)
{
	SCOPED(free) char *path = in_runs(s->runs, "lock");
	int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_code(e, EXIT_RECORD, "%s: cannot open: %s", path, strerror(errno));
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	bool refused = fcntl(fd, F_OFD_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES);
	bool taken = refused || is_locked(fd, path);
	if (taken) {
		(void)close(fd);
		return lock_taken(s, e);
	}
	char now[HOST_TIME], boot[HIDDEN_BOOT];
	const char *host = hidden_host();
	SCOPED(str) struct str hidden = { 0 };
	if (hidden_on())
		hidden_text(&hidden, what);
	what = hidden_on() ? str_text(&hidden) : what;
	json_t *o = json_pack("{s:s, s:I, s:s, s:s, s:s}", "what", what, "pid", (json_int_t)getpid(), "host",
	                      host ? host : "?", "boot_id", hidden_boot(boot), "since", host_now(now));
	SCOPED(str) struct str text = { 0 };
	int rc = json_record(&text, o, JSON_COMPACT);
	json_decref(o);
	if (rc || ftruncate(fd, 0) || io_write_all(fd, text.data, text.len, path, e)) {
		(void)close(fd);
		return err_code(e, EXIT_RECORD, "%s: cannot write: %s", path, strerror(errno));
	}
	s->lock_fd = fd;
	return 0;
}

void store_unlock(struct store *s)
{
	char why[128];
	if (s->lock_fd >= 0 && !locks_reach_others(why, s->runs))
		(void)!ftruncate(s->lock_fd, 0); /* elsewhere the text stays: the kernel's lock decides */
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	s->lock_fd = -1;
}

void store_touch_lock(struct store *s)
{
	if (s->lock_fd >= 0)
		(void)futimens(s->lock_fd, NULL);
}

/* --- opening --- */

int store_place(const char *db_path, struct err *e)
{
	SCOPED(free) char *copy = xstrdup(db_path);
	const char *folder = dirname(copy);
	return io_exists(folder)
	           ? 0
	           : err_code(e, EXIT_RECORD, "%s: there is no folder %s to make this database in; `mkdir -p %s` makes it",
	                      db_path, folder, folder);
}

static int make_runs(const struct store *s, struct err *e)
{
	if (store_place(s->path, e))
		return -1;
	if (!io_mkdirs(s->runs, e))
		return 0;
	if (e)
		e->code = EXIT_RECORD;
	return -1;
}

int store_open(struct store *out, const char *db_path, enum store_mode mode, const char *what, struct err *e)
{
	struct store s = STORE_INIT;
	s.path = xstrdup(db_path);
	s.runs = xstrfmt("%s-runs", db_path);
	if (mode != STORE_READ && make_runs(&s, e))
		goto fail;
	if ((mode == STORE_RUN && store_lock(&s, what, e)) ||
	    db_open(&s.db, db_path, mode == STORE_READ ? DB_READ : DB_WRITE, e) ||
	    (mode == STORE_RUN && store_take_ledger(&s, e)))
		goto fail;
	*out = s;
	return 0;
fail:
	store_close(&s);
	return -1;
}

void store_close(struct store *s)
{
	db_close(s->db);
	if (s->path)
		store_unlock(s);
	free(s->path);
	free(s->runs);
	for (int i = 0; i < s->n_left; i++)
		free(s->left[i]);
	free(s->left);
	json_decref(s->left_before);
	free(s->news);
	differing_release(&s->differing);
	free(s->waits);
	*s = (struct store)STORE_INIT;
}

void scoped_store(struct store *s)
{
	store_close(s);
}
