/* bench_process.c - see bench_process.h. */
#define _GNU_SOURCE
#include "harness/bench/bench_process.h"

#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 1 << 20, LINE_MAX_SHOWN = 200 };

static bool to_file(const char *path, int fd)
{
	SCOPED(fd) int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return file >= 0 && dup2(file, fd) == fd;
}

static _Noreturn void become(const char *const *words, int threads, const char *out, const char *log, pid_t parent)
{
	static const char *const counts[] = { "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS" };
	char count[16];
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)snprintf(count, sizeof count, "%d", threads);
	if (getppid() != parent || !to_file(out, STDOUT_FILENO) || !to_file(log, STDERR_FILENO))
		_exit(127);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		(void)setenv(counts[i], count, 1);
	(void)execvp(words[0], (char *const *)(size_t)words);
	(void)dprintf(STDERR_FILENO, "%s: %s\n", words[0], strerror(errno));
	_exit(127);
}

const char *bench_last_line(struct str *s)
{
	while (s->len && strchr(" \t\r\n", s->data[s->len - 1]))
		s->data[--s->len] = '\0';
	const char *line = strrchr(str_text(s), '\n');
	return line ? line + 1 : str_text(s);
}

static int failed(const char *what, int status, const char *log, struct err *e)
{
	SCOPED(str) struct str said = { 0 };
	struct err unread = ERR_INIT;
	const char *line = io_read(&said, log, SAID_MAX, &unread) ? "" : bench_last_line(&said);
	line = *line ? line : "nothing";
	if (WIFSIGNALED(status))
		return err_set(e, "%s: ended by signal %d; it said: %.*s", what, WTERMSIG(status), LINE_MAX_SHOWN, line);
	return err_set(e, "%s: ended with exit code %d; it said: %.*s", what, WEXITSTATUS(status), LINE_MAX_SHOWN, line);
}

int bench_process_run(struct bench_process *p, const char *what, const char *const *words, int threads,
                      const char *folder, struct err *e)
{
	SCOPED(free) char *out = xstrfmt("%s/out", folder), *log = xstrfmt("%s/log", folder);
	struct rusage use;
	int status;
	double start = monotonic_s();
	pid_t parent = getpid(), pid = fork();
	if (pid == 0)
		become(words, threads, out, log, parent);
	if (pid < 0)
		return err_set(e, "cannot start a process: %s", strerror(errno));
	while (wait4(pid, &status, 0, &use) < 0)
		if (errno != EINTR)
			return err_set(e, "%s: cannot wait for it: %s", what, strerror(errno));
	*p = (struct bench_process){ .seconds = monotonic_s() - start, .peak_bytes = (int64_t)use.ru_maxrss * 1024 };
	return status ? failed(what, status, log, e) : io_read(&p->out, out, SAID_MAX, e);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remember(struct bench_folder *f, const char *path)
{
	f->kept[f->n_kept++] = temporary_remember(path);
}

int bench_folder_make(struct bench_folder *f, const char *const *subs, struct err *e)
{
	const char *base = env_get(ENV_TMPDIR);
	f->path = xstrfmt("%s/ablate-bench-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(f->path)) {
		(void)err_set(e, "%s: cannot create: %s", f->path, strerror(errno));
		free(f->path);
		f->path = NULL;
		return -1;
	}
	for (; subs && *subs && f->n_kept < 3; subs++) { /* a signal removes them in this order: the inner ones first */
		SCOPED(free) char *sub = xstrfmt("%s/%s", f->path, *subs);
		if (mkdir(sub, 0700))
			return err_set(e, "%s: cannot create: %s", sub, strerror(errno));
		remember(f, sub);
	}
	remember(f, f->path);
	return 0;
}

void bench_folder_remove(struct bench_folder *f)
{
	if (f->path)
		(void)nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	while (f->n_kept > 0)
		temporary_forget(f->kept[--f->n_kept]);
	free(f->path);
	f->path = NULL;
}

void scoped_bench_folder(struct bench_folder *f)
{
	bench_folder_remove(f);
}
