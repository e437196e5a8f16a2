/* engine_slurm.c - submission of a plan's cells as a Slurm array. See engine_slurm.h. */
#define _GNU_SOURCE
#include "harness/slurm/engine_slurm.h"

#include "harness/record/host.h"
#include "harness/record/matching.h"
#include "harness/record/query.h"
#include "harness/text/json_out.h"
#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A job gets this environment and nothing else of the submitter's. */
static const enum env passed_on[] = { ENV_PATH,
	                                  ENV_HOME,
	                                  ENV_USER,
	                                  ENV_LANG,
	                                  ENV_LD_LIBRARY_PATH,
	                                  ENV_TMPDIR,
	                                  ENV_ABLATE_DATA,
	                                  ENV_ABLATE_CACHE,
	                                  ENV_XDG_CACHE_HOME,
	                                  ENV_OPENBLAS_CORETYPE,
	                                  ENV_SLURM_CONF,
	                                  ENV_CUDA_HOME,
	                                  ENV_ABLATE_NVIDIA,
	                                  ENV_VIRTUAL_ENV,
	                                  ENV_ABLATE_CUDNN_TUNE,
	                                  ENV_ABLATE_KEY,
	                                  ENV_ABLATE_NO_IDENTITY,
	                                  ENV_XDG_CONFIG_HOME };

char *slurm_dir(const char *db, const char *plan_hash)
{
	return xstrfmt("%s-runs/slurm/%.12s", db, plan_hash);
}

char *slurm_shard(const char *db, const char *plan_hash, const char *cell)
{
	return xstrfmt("%s-runs/slurm/%.12s/%.12s.db", db, plan_hash, cell);
}

void slurm_jobs_release(struct slurm_jobs *j)
{
	free(j->array);
	free(j->merge);
	*j = (struct slurm_jobs){ 0 };
}

/* Inside single quotes of a shell. */
static void quote(struct str *s, const char *text)
{
	str_addc(s, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			str_add(s, "'\\''");
		else
			str_addc(s, *text);
	}
	str_addc(s, '\'');
}

/* `exec`, so that Slurm's signals reach the program itself. */
static int write_script(const char *path, const char *command, const char *plan, int base,
                        const struct slurm_options *o, struct err *e)
{
	SCOPED(str) struct str s = { 0 };
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n <= 0)
		return err_set(e, "/proc/self/exe: cannot read: the program does not know where it is installed");
	exe[n] = '\0';
	str_add(&s, "#!/bin/sh\n");
	for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++) {
		const char *value = env_get(passed_on[i]);
		if (!value)
			continue;
		str_addf(&s, "export %s=", env_row(passed_on[i])->name);
		quote(&s, value);
		str_addc(&s, '\n');
	}
	str_add(&s, "exec ");
	quote(&s, exe);
	str_addf(&s, " %s ", command);
	quote(&s, plan);
	str_add(&s, " --db ");
	quote(&s, o->db);
	if (strcmp(command, "slurm-task") == 0) {
		str_addf(&s, " --base %d --device ", base);
		quote(&s, o->device);
		if (o->threads > 0)
			str_addf(&s, " --threads %d", o->threads);
		if (o->microbatch) {
			str_add(&s, " --microbatch ");
			quote(&s, o->microbatch);
		}
	}
	str_addc(&s, '\n');
	return io_write_atomic(path, s.data, s.len, e);
}

struct command {
	const char **argv;
	int n, cap;
};

static void word(struct command *c, const char *text)
{
	VEC_PUSH(c->argv, c->n, c->cap) = text;
}

/* Runs sbatch; *id is the job's number. */
static int sbatch(char **id, const char *name, const char *log, const char *array, const char *dependency,
                  const char *script, const struct slurm_options *o, struct err *e)
{
	char cwd[PATH_MAX];
	SCOPED(str) struct str text = { 0 };
	if (!getcwd(cwd, sizeof cwd))
		return err_set(e, "the working directory has no path");
	SCOPED(free)
	char *job_name = xstrfmt("--job-name=%s", name), *output = xstrfmt("--output=%s", log),
		 *chdir_to = xstrfmt("--chdir=%s", cwd);
	SCOPED(free) char *cpus = xstrfmt("--cpus-per-task=%d", o->threads);
	struct command c = { 0 };
	static const char *const always[] = { "sbatch",
		                                  "--parsable",
		                                  "--requeue",
		                                  "--open-mode=append",
		                                  "--signal=B:TERM@120",
		                                  "--export=NIL",
		                                  "--kill-on-invalid-dep=yes",
		                                  "--ntasks=1" };
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		word(&c, always[i]);
	word(&c, job_name);
	word(&c, output);
	word(&c, chdir_to);
	if (array)
		word(&c, array);
	if (array && o->threads > 0)
		word(&c, cpus);
	if (dependency)
		word(&c, dependency);
	for (int i = 0; i < o->n_extra; i++)
		word(&c, o->extra[i]);
	word(&c, script);
	word(&c, NULL);
	int rc = slurm_call(&text, c.argv, e);
	free(c.argv);
	if (rc)
		return -1;
	size_t n = strspn(str_text(&text), "0123456789");
	if (!n)
		return err_code(e, EXIT_USAGE, "sbatch answered '%.100s' instead of a job's number", str_text(&text));
	*id = xstrndup(text.data, n);
	return 0;
}

/* A dependency on a job that does not exist is not a dependency: Slurm would start the merge at once. */
static int check_known(const char *id, struct err *e)
{
	const char *const argv[] = { "scontrol", "-o", "show", "job", id, NULL };
	SCOPED(str) struct str text = { 0 };
	return slurm_call(&text, argv, e)
	           ? err_in(e, "job %s was accepted but is no longer known to Slurm; submit again", id)
	           : 0;
}

static int submit_arrays(struct slurm_jobs *out, struct str *dependency, const char *dir, const char *plan,
                         const char *plan_hash, const int *index, int n, int max, const struct slurm_options *o,
                         struct err *e)
{
	SCOPED(free) char *name = xstrfmt("ablate-%.12s", plan_hash), *log = xstrfmt("%s/log/%%A_%%a.out", dir);
	struct str ids = { 0 };
	int rc = 0;
	for (int first = 0, last; first < n && !rc; first = last) {
		int base = index[first];
		char *id = NULL;
		SCOPED(str) struct str array = { 0 };
		for (last = first; last < n && index[last] - base < max - 1; last++)
			;
		SCOPED(free) char *script = xstrfmt("%s/task-%d.sh", dir, base);
		str_add(&array, "--array=");
		slurm_array_text(&array, index + first, last - first, base);
		if (o->jobs > 0)
			str_addf(&array, "%%%d", o->jobs);
		rc = write_script(script, "slurm-task", plan, base, o, e) ||
		             sbatch(&id, name, log, array.data, NULL, script, o, e) || check_known(id, e)
		         ? -1
		         : 0;
		if (!rc) {
			str_addf(&ids, "%s%s", ids.len ? " " : "", id);
			str_addf(dependency, ":%s", id);
			out->tasks += last - first;
		}
		free(id);
	}
	out->array = str_detach(&ids);
	return rc;
}

static int write_note(const char *dir, const char *plan_hash, const struct slurm_jobs *jobs, struct err *e)
{
	char now[HOST_TIME];
	SCOPED(free) char *path = xstrfmt("%s/submitted.json", dir);
	json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:i, s:s}", "schema", 1, "plan", plan_hash, "array", jobs->array,
	                      "merge", jobs->merge, "cells", jobs->tasks, "submitted", host_now(now));
	SCOPED(str) struct str text = { 0 };
	int rc = json_record(&text, o, JSON_INDENT(1));
	json_decref(o);
	return rc ? err_set(e, "%s: a text in it is not UTF-8", path) : io_write_atomic(path, text.data, text.len, e);
}

int slurm_submit(struct slurm_jobs *out, const char *plan_hash, const int *index, int n, const struct slurm_options *o,
                 struct err *e)
{
	static const char *const ask[] = { "scontrol", "show", "config", NULL };
	SCOPED(free) char *dir = slurm_dir(o->db, plan_hash);
	SCOPED(free)
	char *logs = xstrfmt("%s/log", dir), *merge = xstrfmt("%s/merge.sh", dir), *log = xstrfmt("%s/merge-%%j.out", logs);
	SCOPED(free)
	char *plan = xstrfmt("%s-runs/plans/%s.plan.json", o->db, plan_hash),
		 *name = xstrfmt("ablate-%.12s-merge", plan_hash);
	SCOPED(str) struct str config = { 0 }, dependency = { 0 };
	struct slurm_queue q;
	struct slurm_jobs jobs = { 0 };
	str_add(&dependency, "--dependency=afterany");
	if (slurm_queue(&q, plan_hash, e) || slurm_call(&config, ask, e))
		return -1;
	*out = (struct slurm_jobs){ .already = q.running + q.pending + q.other > 0 };
	if (out->already)
		return 0;
	if (io_mkdirs(logs, e) || write_script(merge, "slurm-merge", plan, 0, o, e))
		return -1;
	if (submit_arrays(&jobs, &dependency, dir, plan, plan_hash, index, n, slurm_max_array(str_text(&config)), o, e)) {
		if (jobs.tasks)
			(void)err_in(e, "job %s runs %d cell%s; the rest was not accepted", jobs.array, jobs.tasks,
			             str_plural(jobs.tasks));
		slurm_jobs_release(&jobs);
		return -1;
	}
	if (sbatch(&jobs.merge, name, log, NULL, dependency.data, merge, o, e)) {
		(void)err_in(e, "job %s runs, but its merge was not accepted; run the same command again when it is done",
		             jobs.array);
		slurm_jobs_release(&jobs);
		return -1;
	}
	if (write_note(dir, plan_hash, &jobs, e)) {
		slurm_jobs_release(&jobs);
		return -1;
	}
	*out = jobs;
	return 0;
}

/* Shards of a submission in which the cell is done. */
static int shards_done(const char *db, const char *plan)
{
	SCOPED(free) char *dir = slurm_dir(db, plan);
	SCOPED(matching) struct matching shards = { 0 };
	int n = 0;
	(void)matching_find(&shards, dir, "/*.db", NULL);
	for (int i = 0; i < shards.n; i++) {
		SCOPED(db) struct db *shard = NULL;
		int64_t done = 0;
		n += !db_open(&shard, shards.v[i], DB_READ, NULL) && !query_count_in_state(&done, shard, RECORD_DONE, NULL) &&
		     done;
	}
	return n;
}

int slurm_cancel(int *cancelled, const char *db, struct err *e)
{
	json_t *list = slurm_status(db), *o;
	size_t i;
	int rc = 0;
	*cancelled = 0;
	json_array_foreach(list, i, o)
	{
		const char *plan = json_string_value(json_object_get(o, "plan")),
				   *error = json_string_value(json_object_get(o, "error"));
		SCOPED(free)
		char *array = xstrfmt("--name=ablate-%.12s", plan), *merge = xstrfmt("--name=ablate-%.12s-merge", plan);
		const char *const first[] = { "scancel", "--me", merge, NULL }, *const second[] = { "scancel", "--me", array,
			                                                                                NULL };
		SCOPED(str) struct str answer = { 0 };
		if (rc)
			continue;
		rc = error                                                             ? err_code(e, EXIT_USAGE, "%s", error)
		     : slurm_call(&answer, first, e) || slurm_call(&answer, second, e) ? -1
		                                                                       : 0;
		*cancelled += !rc;
	}
	json_decref(list);
	return rc;
}

json_t *slurm_status(const char *db)
{
	SCOPED(free) char *root = xstrfmt("%s-runs/slurm", db);
	struct dirent **entries = NULL;
	int n = scandir(root, &entries, NULL, alphasort);
	json_t *list = json_array();
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *path = xstrfmt("%s/%s/submitted.json", root, entries[i]->d_name);
		SCOPED(str) struct str text = { 0 };
		json_t *o = io_exists(path) && !io_read(&text, path, (size_t)1 << 20, NULL)
		                ? json_loadb(text.data, text.len, 0, NULL)
		                : NULL;
		const char *plan = json_string_value(json_object_get(o, "plan"));
		struct slurm_queue q;
		struct err e = ERR_INIT;
		free(entries[i]);
		if (plan && slurm_queue(&q, plan, &e))
			(void)json_object_set_new(o, "error", json_string(e.msg));
		else if (plan && q.running + q.pending + q.other) {
			(void)json_object_set_new(o, "running", json_integer(q.running));
			(void)json_object_set_new(o, "pending", json_integer(q.pending + q.other));
			(void)json_object_set_new(o, "reason", json_string(q.reason));
		} else {
			json_decref(o); /* over */
			continue;
		}
		(void)json_object_set_new(o, "done", json_integer(shards_done(db, plan)));
		(void)json_array_append_new(list, o);
	}
	free(entries);
	return list;
}
