/* slurm_queue.c - see slurm_queue.h. */
#define _GNU_SOURCE
#include "harness/slurm/slurm_queue.h"

#include "harness/record/host.h"
#include "harness/record/matching.h"
#include "harness/slurm/slurm_client.h"
#include "harness/text/json_out.h"
#include "model/base/io.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the database's id ------------------------------------------------------------------------------------------ */

static char *id_file(const char *db)
{
	return xstrfmt("%s-runs/slurm/database.json", db);
}

/* What the file says: its id, and the path that the database had. Heap; NULL where it cannot be read. */
static json_t *read_id(const char *db)
{
	SCOPED(free) char *path = id_file(db);
	SCOPED(str) struct str text = { 0 };
	if (!io_exists(path) || io_read(&text, path, 65536, NULL))
		return NULL;
	json_t *o = json_loadb(text.data, text.len, 0, NULL);
	const char *id = json_string_value(json_object_get(o, "id"));
	if (id && strlen(id) == SLURM_ID - 1 && json_is_string(json_object_get(o, "db")))
		return o;
	json_decref(o);
	return NULL;
}

/* Is this a copy: has the file another path, under which the database with that id still is? */
static bool is_copy(const json_t *o, const char *path)
{
	const char *was = json_string_value(json_object_get(o, "db")), *id = json_string_value(json_object_get(o, "id"));
	if (strcmp(was, path) == 0)
		return false;
	json_t *theirs = read_id(was);
	const char *other = json_string_value(json_object_get(theirs, "id"));
	bool copy = other && strcmp(other, id) == 0;
	json_decref(theirs);
	return copy;
}

/* The path of the run folder, which is there when the database may not be yet, less "-runs". Heap. */
static char *path_of(const char *db)
{
	SCOPED(free) char *runs = xstrfmt("%s-runs", db);
	char real[PATH_MAX];
	if (!realpath(runs, real))
		return xstrdup(db);
	return xstrndup(real, strlen(real) - strlen("-runs"));
}

bool slurm_id_known(char id[SLURM_ID], const char *db)
{
	SCOPED(free) char *path = path_of(db);
	json_t *o = read_id(db);
	bool known = o && !is_copy(o, path);
	(void)snprintf(id, SLURM_ID, "%s", known ? json_string_value(json_object_get(o, "id")) : "");
	json_decref(o);
	return known;
}

int slurm_id(char id[SLURM_ID], const char *db, struct err *e)
{
	char uuid[HOST_UUID];
	SCOPED(free) char *file = id_file(db), *dir = xstrfmt("%s-runs/slurm", db);
	SCOPED(str) struct str text = { 0 };
	if (slurm_id_known(id, db))
		return 0;
	if (io_mkdirs(dir, e))
		return -1;
	(void)snprintf(id, SLURM_ID, "%.8s", host_uuid(uuid));
	SCOPED(free) char *path = path_of(db);
	json_t *o = json_object();
	(void)json_object_set_new(o, "schema", json_integer(1));
	(void)json_object_set_new(o, "id", json_string(id));
	(void)json_object_set_new(o, "db", json_out_text(path));
	int rc = json_record(&text, o, JSON_INDENT(1));
	json_decref(o);
	return rc ? err_set(e, "%s: the path of the database is not UTF-8", db)
	          : io_write_atomic(file, text.data, text.len, e);
}

char *slurm_job_name(const char *id, const char *plan_hash, int base)
{
	return base < 0 ? xstrfmt("ablate-%s-%.12s-merge", id, plan_hash)
	                : xstrfmt("ablate-%s-%.12s-%d", id, plan_hash, base);
}

/* ---- who is in the queue ---------------------------------------------------------------------------------------- */

/* "12|3|R|ablate-0a1b2c3d-0123456789ab-0|None" */
static bool read_line(struct slurm_entry *out, char *line, const char *id, const char **reason)
{
	char *field[5], *save = NULL, prefix[32], *end;
	int n = 0;
	for (char *at = strtok_r(line, "|", &save); at && n < 5; at = strtok_r(NULL, "|", &save))
		field[n++] = at;
	int length = snprintf(prefix, sizeof prefix, "ablate-%s-", id);
	if (n < 4 || strncmp(field[3], prefix, (size_t)length) != 0 || strlen(field[3]) < (size_t)length + SLURM_PLAN)
		return false;
	const char *plan = field[3] + length, *base = plan + SLURM_PLAN;
	(void)snprintf(out->plan, sizeof out->plan, "%s", plan);
	out->base = strcmp(base, "merge") == 0 ? -1 : (int)strtol(base, &end, 10);
	out->job = strtoll(field[0], NULL, 10);
	out->task = (int)strtol(field[1], &end, 10);
	if (end == field[1])
		out->task = -1; /* "N/A" */
	out->state = !strcmp(field[2], "R") || !strcmp(field[2], "CG") ? SLURM_RUNNING
	             : !strcmp(field[2], "PD")                         ? SLURM_PENDING
	                                                               : SLURM_OTHER;
	*reason = n > 4 ? field[4] : "";
	return true;
}

int slurm_queue_read(struct slurm_queue *out, const char *id, struct err *e)
{
	static const char *const argv[] = { "squeue", "--noheader", "--array", "--me", "--format=%F|%K|%t|%j|%r", NULL };
	SCOPED(str) struct str text = { 0 };
	int cap = 0;
	*out = (struct slurm_queue){ 0 };
	if (slurm_call(&text, argv, e))
		return -1;
	char *save = NULL;
	for (char *line = text.data ? strtok_r(text.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		const char *reason;
		struct slurm_entry entry;
		if (!read_line(&entry, line, id, &reason))
			continue;
		if (entry.state == SLURM_PENDING && entry.base >= 0)
			(void)snprintf(out->reason, sizeof out->reason, "%s", reason);
		VEC_PUSH(out->v, out->n, cap) = entry;
	}
	return 0;
}

void slurm_queue_release(struct slurm_queue *q)
{
	free(q->v);
	*q = (struct slurm_queue){ 0 };
}

void scoped_slurm_queue(struct slurm_queue *q)
{
	slurm_queue_release(q);
}

struct slurm_count slurm_queue_count(const struct slurm_queue *q, const char *plan_hash)
{
	struct slurm_count c = { 0 };
	for (int i = 0; i < q->n; i++) {
		if (plan_hash && strncmp(plan_hash, q->v[i].plan, SLURM_PLAN - 1) != 0)
			continue;
		c.running += q->v[i].state == SLURM_RUNNING;
		c.pending += q->v[i].state != SLURM_RUNNING;
		c.tasks += q->v[i].base >= 0;
	}
	return c;
}

/* ---- what they do for a plan ------------------------------------------------------------------------------------ */

/* A plan of the queue, ours or another's. */
struct known_plan {
	char plan[SLURM_PLAN];
	const struct plan *p;
	struct plan *own;
	int *ours;    /* by training of p: that of our plan, or -1 */
	bool *enough; /* by training of p: it does all that our plan asks of it */
	bool same;    /* it is our plan */
};

static int by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Does the one plan ask for every score that the other asks for? */
static bool scores_all(const struct plan *theirs, const struct plan *ours)
{
	SCOPED(free) struct wanted_score *a = NULL;
	SCOPED(free) struct wanted_score *b = NULL;
	int n_a = grid_wanted_scores(&a, theirs->grid), n_b = grid_wanted_scores(&b, ours->grid);
	for (int i = 0; i < n_b; i++) {
		int k = 0;
		while (k < n_a &&
		       !(same_text(a[k].name, b[i].name) && a[k].nfe == b[i].nfe && a[k].eval_seed == b[i].eval_seed &&
		         a[k].n == b[i].n && same_text(a[k].ref, b[i].ref) && same_text(a[k].extractor, b[i].extractor)))
			k++;
		if (k == n_a)
			return false;
	}
	return true;
}

static const char **sorted_cells(const struct plan *p)
{
	const char **list = xcalloc((size_t)p->n_cells + 1, sizeof *list);
	for (int i = 0; i < p->n_cells; i++)
		list[i] = p->cells[i].hash;
	qsort(list, (size_t)p->n_cells, sizeof *list, by_key);
	return list;
}

struct keyed_training {
	const char *key;
	int training;
};

/* Which of our trainings each of theirs is, and whether it does all cells that ours has of it. */
static void relate(struct known_plan *k, const struct plan *ours)
{
	SCOPED(free) struct keyed_training *keys = xcalloc((size_t)ours->n_trainings + 1, sizeof *keys);
	SCOPED(free) const char **cells = sorted_cells(k->p);
	SCOPED(free) bool *all_cells = xcalloc((size_t)ours->n_trainings + 1, sizeof *all_cells);
	bool all_scores = scores_all(k->p, ours);
	for (int i = 0; i < ours->n_trainings; i++) {
		keys[i] = (struct keyed_training){ ours->trainings[i].key, i };
		all_cells[i] = true;
	}
	qsort(keys, (size_t)ours->n_trainings, sizeof *keys, by_key);
	for (int i = 0; i < ours->n_cells; i++) {
		const char *hash = ours->cells[i].hash;
		if (!bsearch(&hash, cells, (size_t)k->p->n_cells, sizeof *cells, by_key))
			all_cells[ours->cells[i].training] = false;
	}
	k->ours = xcalloc((size_t)k->p->n_trainings + 1, sizeof *k->ours);
	k->enough = xcalloc((size_t)k->p->n_trainings + 1, sizeof *k->enough);
	for (int i = 0; i < k->p->n_trainings; i++) {
		const char *key = k->p->trainings[i].key;
		const struct keyed_training *found = bsearch(&key, keys, (size_t)ours->n_trainings, sizeof *keys, by_key);
		k->ours[i] = found ? found->training : -1;
		k->enough[i] = found && all_scores && all_cells[found->training];
	}
}

static int read_plan(struct known_plan *k, const char *db, const struct plan *ours, long long job, struct err *e)
{
	k->same = strncmp(ours->hash, k->plan, SLURM_PLAN - 1) == 0;
	k->p = ours;
	if (!k->same) {
		SCOPED(matching) struct matching files = { 0 };
		SCOPED(free) char *stem = xstrfmt("%s-runs/plans/%s", db, k->plan);
		struct err why = ERR_INIT;
		if (matching_find(&files, stem, "*.plan.json", &why) || files.n != 1 ||
		    plan_read(&k->own, files.n ? files.v[0] : "", NULL, &why))
			return err_code(e, EXIT_RECORD,
			                "job %lld in the queue is of a plan that cannot be read, so it is not known which cells it "
			                "trains: wait for it or `scancel %lld` (%s)",
			                job, job, *why.msg ? why.msg : "its file in the folder plans is gone");
		k->p = k->own;
	}
	relate(k, ours);
	return 0;
}

int slurm_waiting_find(struct slurm_waiting *out, const struct slurm_queue *q, const char *db, const struct plan *p,
                       struct err *e)
{
	struct known_plan *known = NULL;
	int n = 0, cap = 0, rc = 0;
	*out = (struct slurm_waiting){ .covered = xcalloc((size_t)p->n_trainings + 1, sizeof *out->covered),
		                           .behind = xcalloc((size_t)p->n_trainings + 1, sizeof *out->behind) };
	for (int i = 0; i < q->n && !rc; i++) {
		const struct slurm_entry *t = &q->v[i];
		int k = 0;
		if (t->base < 0 || t->task < 0)
			continue;
		while (k < n && strcmp(known[k].plan, t->plan) != 0)
			k++;
		if (k == n) {
			VEC_PUSH(known, n, cap) = (struct known_plan){ 0 };
			memcpy(known[k].plan, t->plan, SLURM_PLAN);
			rc = read_plan(&known[k], db, p, t->job, e);
		}
		int cell = t->base + t->task;
		if (rc || cell < 0 || cell >= known[k].p->n_cells)
			continue;
		int theirs = known[k].p->cells[cell].training, ours = known[k].ours[theirs];
		if (ours >= 0 && known[k].enough[theirs])
			out->covered[ours] = true;
		else if (ours >= 0)
			out->behind[ours] = t->job;
	}
	for (int i = 0; i < n; i++) {
		plan_free(known[i].own);
		free(known[i].ours);
		free(known[i].enough);
	}
	free(known);
	for (int i = 0; i < p->n_trainings; i++)
		out->n_covered += out->covered[i];
	return rc;
}

void scoped_slurm_waiting(struct slurm_waiting *w)
{
	free(w->covered);
	free(w->behind);
	*w = (struct slurm_waiting){ 0 };
}
