/* bench_store.c - see bench_store.h. */
#define _GNU_SOURCE
#include "harness/bench/bench_store.h"

#include "harness/bench/bench_median.h"
#include "harness/bench/bench_process.h"
#include "harness/record/host.h"
#include "harness/record/record_fill.h"
#include "harness/record/ingest.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "harness/plan/plan.h"
#include "harness/run/runner.h"
#include "harness/record/store.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char arm[] = "0000000000000000000000000000000000000000000000000000000000000000";

struct writer {
	pid_t pid;
	char id[HOST_UUID], cell[SHA256_HEX], *path;
	struct journal_scan scan;
};

static int write_points(const struct writer *w, int points)
{
	struct journal_head head = { .attempt = w->id,
		                         .cell = w->cell,
		                         .arm = arm,
		                         .config = "{}",
		                         .dataset = "none",
		                         .seed = w->cell[0],
		                         .numerics = 1,
		                         .n = 1,
		                         .purpose = "run" };
	struct journal *j;
	struct journal_end end = JOURNAL_END_INIT;
	end.state = RECORD_DONE;
	if (journal_create(&j, w->path, &head, NULL))
		return 1;
	for (int i = 0; i < points / 2; i++) {
		journal_curve(j, "loss", i, 1.0 / (i + 1));
		journal_curve(j, "grad_norm", i, sqrt(i));
	}
	int rc = journal_end(j, &end, NULL);
	journal_close(j);
	return rc ? 1 : 0;
}

/* N processes write while this one takes in, as a supervisor does. */
static int measure_ingest(json_t *out, struct store *s, const struct bench_store *size, struct err *e)
{
	struct writer *w = xcalloc((size_t)size->workers, sizeof *w);
	int rc = 0, open = size->workers;
	int64_t before, after;
	if (record_fill_points(&before, s->db, e)) {
		free(w);
		return -1;
	}
	double start = monotonic_s();
	for (int i = 0; i < size->workers; i++) {
		(void)host_uuid(w[i].id);
		io_sha256(w[i].cell, w[i].id, sizeof w[i].id);
		w[i].cell[0] = (char)('0' + i);
		SCOPED(free) char *dir = store_attempt_dir(s, w[i].cell, w[i].id);
		w[i].path = store_journal(s, w[i].cell, w[i].id);
		if ((rc = io_mkdirs(dir, e)))
			break;
		if ((w[i].pid = fork()) == 0)
			_exit(write_points(&w[i], size->points_per_worker));
	}
	while (!rc && open) {
		open = 0;
		for (int i = 0; i < size->workers && !rc; i++)
			if (!w[i].scan.sealed) {
				open++;
				if (io_exists(w[i].path))
					rc = store_take_journal(s, &w[i].scan, w[i].id, w[i].path, NULL, e);
				else
					(void)usleep(1000);
			}
	}
	double seconds = monotonic_s() - start;
	for (int i = 0; i < size->workers; i++) {
		int status = 0;
		if (w[i].pid > 0 && waitpid(w[i].pid, &status, 0) == w[i].pid && status && !rc)
			rc = err_set(e, "a writing process failed");
		free(w[i].path);
	}
	if (!rc)
		rc = record_fill_points(&after, s->db, e);
	if (!rc) {
		int64_t want = (int64_t)size->workers * (size->points_per_worker / 2) * 2;
		(void)json_object_set_new(out, "ingest",
		                          json_pack("{s:i, s:I, s:f, s:f, s:I, s:i}", "workers", size->workers, "rows",
		                                    (json_int_t)(after - before), "seconds", seconds, "rows_per_s",
		                                    (double)(after - before) / seconds, "lost",
		                                    (json_int_t)(want - (after - before)), "min_rows_per_s", 20000));
	}
	free(w);
	return rc;
}

/* ---- whole commands over a full database ------------------------------------------------------------------------ */

/* A grid of that many arms, one seed each: no two cells share a configuration, the most that a plan can have to do. */
static struct plan *full_plan(struct str *toml, int arms, struct err *e)
{
	struct grid *g = NULL;
	struct plan *p = NULL;
	str_addf(toml,
	         "schema = 1\n[grid]\nname = \"bench\"\nseeds = { train = [1] }\n[base]\npreset = \"ict-shapes8-ci\"\n"
	         "[[axis]]\nkey = \"train.steps\"\nrange = { start = 1, stop = %d, step = 1 }\n"
	         "[[metric]]\nname = \"fid\"\nsamples = 1000\nnfe = [1]\n",
	         arms);
	struct grid_source source = { .path = "bench.toml", .text = str_text(toml), .n = toml->len };
	if (!grid_parse(&g, &source, 1, e) && plan_expand(&p, g, NULL, e))
		grid_free(g);
	return p;
}

static int fill_cell(struct store *s, const struct bench_store *size, const struct plan *p, int i, const char *now,
                     struct err *e)
{
	char id[HOST_UUID];
	const struct plan_arm *a = &p->arms[p->cells[i].arm];
	const struct filled_cell c = { .id = id,
		                           .cell = p->cells[i].hash,
		                           .arm = a->hash,
		                           .config = a->json,
		                           .grid = p->hash,
		                           .label = p->rows[a->rows[0]].label,
		                           .when = now,
		                           .seed = p->cells[i].seed,
		                           .numerics = NUMERICS_VERSION,
		                           .ordinal = i,
		                           .points = size->points_per_attempt };
	(void)host_uuid(id);
	return record_fill_cell(s->db, &c, e);
}

static int fill(struct store *s, const struct bench_store *size, const char *toml_path, struct err *e)
{
	char now[HOST_TIME];
	SCOPED(str) struct str toml = { 0 };
	SCOPED(plan) struct plan *p = full_plan(&toml, size->attempts, e);
	(void)host_now(now);
	int rc = !p || io_write_atomic(toml_path, str_text(&toml), toml.len, e) || db_begin(s->db, e) ||
	                 record_fill_grid(s->db, p->hash, str_text(&toml), now, e)
	             ? -1
	             : 0;
	for (int i = 0; !rc && i < p->n_cells; i++)
		rc = fill_cell(s, size, p, i, now, e);
	if (!rc)
		return db_commit(s->db, e);
	db_rollback(s->db);
	return -1;
}

static double cpu_of(int who)
{
	struct rusage u;
	(void)getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double cpu_of_all(void)
{
	return cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
}

/* Runs the program with its output thrown away. */
static int call(const struct bench_store *size, const char *db, const char *command, const char *arg, struct err *e)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		int null_fd = open("/dev/null", O_RDWR);
		if (null_fd < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
			_exit(127);
		const char *program = size->program ? size->program : "/proc/self/exe";
		(void)execl(program, "ablate", command, "--db", db, "--quiet", arg, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return err_set(e, "cannot start a process: %s", strerror(errno));
	return status ? err_set(e, "`ablate %s` failed", command) : 0;
}

static int time_command(json_t *out, const struct bench_store *size, const char *db, const char *command,
                        const char *arg, double max_s, struct err *e)
{
	double seconds = INFINITY, cpu = INFINITY;
	for (int i = 0; i < 3; i++) {
		double start = monotonic_s(), used = cpu_of(RUSAGE_CHILDREN);
		if (call(size, db, command, arg, e))
			return -1;
		seconds = fmin(seconds, monotonic_s() - start);
		cpu = fmin(cpu, cpu_of(RUSAGE_CHILDREN) - used);
	}
	(void)json_object_set_new(out, command,
	                          json_pack("{s:i, s:i, s:f, s:f, s:f}", "cells", size->attempts, "points",
	                                    size->points_per_attempt, "seconds", seconds, "cpu_s", cpu, "max_s", max_s));
	return 0;
}

static int measure_commands(json_t *out, struct store *s, const struct bench_store *size, const char *dir,
                            struct err *e)
{
	SCOPED(free) char *toml = xstrfmt("%s/bench.toml", dir);
	return fill(s, size, toml, e) || time_command(out, size, s->path, "plan", toml, 0.5, e) ||
	               time_command(out, size, s->path, "status", NULL, 0.3, e) ||
	               time_command(out, size, s->path, "table", toml, 0.3, e)
	           ? -1
	           : 0;
}

/* ---- what a cell costs besides its work -------------------------------------------------------------------------- */

/* The runner's worker is `#!PROGRAM bench-cell`: the usual process, whose training takes no time. PROGRAM is a link in
 * `dir`: such a line ends at a blank and after 255 bytes. */
static int measure_overhead(json_t *out, const struct bench_store *size, const char *dir, struct err *e)
{
	char exe[4096] = "";
	if (!size->program && readlink("/proc/self/exe", exe, sizeof exe - 1) < 0)
		return err_set(e, "/proc/self/exe: %s", strerror(errno));
	SCOPED(free)
	char *script = xstrfmt("%s/worker", dir), *db = xstrfmt("%s/cells.db", dir), *link = xstrfmt("%s/ablate", dir);
	SCOPED(free) char *text = xstrfmt("#!%s bench-cell\n", link);
	if (symlink(size->program ? size->program : exe, link))
		return err_set(e, "%s: %s", link, strerror(errno));
	if (io_write_atomic(script, text, strlen(text), e) || chmod(script, 0700))
		return -1;
	int n = size->cells;
	SCOPED(free) struct run_cell *cells = xcalloc((size_t)n + 1, sizeof *cells);
	SCOPED(free) struct run_row *rows = xcalloc((size_t)n + 1, sizeof *rows);
	SCOPED(free) char(*hashes)[SHA256_HEX] = xcalloc((size_t)n + 1, sizeof *hashes);
	for (int i = 0; i < n; i++) {
		io_sha256(hashes[i], &i, sizeof i);
		cells[i] = (struct run_cell){ .cell = hashes[i],
			                          .arm = arm,
			                          .config = "{}",
			                          .dataset = "none",
			                          .seed = i,
			                          .numerics = 1,
			                          .label = "x",
			                          .steps = 1 };
		rows[i] = (struct run_row){ .cell = i, .chain = "", .label = "x", .ordinal = i };
	}
	struct run_plan plan = {
		.hash = "bench", .name = "bench", .toml = "", .cells = cells, .rows = rows, .n_cells = n, .n_rows = n
	};
	struct run_options o = { .db = db, .what = "ablate bench store", .program = script, .jobs = 1, .threads = 1 };
	struct run_result r;
	double start = monotonic_s(), used = cpu_of_all();
	if (runner_run(&r, &plan, &o, e))
		return -1;
	double seconds = (monotonic_s() - start) / n, cpu = (cpu_of_all() - used) / n;
	if (r.done != n)
		return err_set(e, "%d of %d empty cells done", r.done, n);
	(void)json_object_set_new(
		out, "overhead",
		json_pack("{s:i, s:f, s:f, s:f}", "cells", n, "seconds", seconds, "cpu_s", cpu, "max_s", 0.02));
	return 0;
}

static int measure_sync(json_t *out, struct store *s, struct err *e)
{
	enum { N = 9 };
	double seconds[N];
	for (int i = 0; i < N; i++) {
		SCOPED(free) char *value = xstrfmt("%d", i);
		double start = monotonic_s();
		if (record_fill_commit(s->db, value, e))
			return -1;
		seconds[i] = monotonic_s() - start;
	}
	(void)json_object_set_new(out, "sync", json_pack("{s:f}", "commit_s", bench_median(seconds, N)));
	return 0;
}

int bench_store(json_t **out, const struct bench_store *size, struct err *e)
{
	SCOPED(bench_folder) struct bench_folder folder = { 0 };
	if (bench_folder_make(&folder, NULL, e))
		return -1;
	const char *dir = folder.path;
	SCOPED(free) char *path = xstrfmt("%s/bench.db", dir);
	struct store s;
	json_t *o = json_object();
	int rc = store_open(&s, path, STORE_RUN, "ablate bench store", e);
	if (!rc) {
		rc = measure_sync(o, &s, e) || measure_ingest(o, &s, size, e) || measure_commands(o, &s, size, dir, e) ||
		             measure_overhead(o, size, dir, e)
		         ? -1
		         : 0;
		store_close(&s);
	}
	if (rc) {
		json_decref(o);
		return -1;
	}
	*out = o;
	return 0;
}
