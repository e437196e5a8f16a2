/* earlier.c - see earlier.h. */
#define _GNU_SOURCE
#include "harness/run/earlier.h"

#include "harness/record/query.h"
#include "harness/record/query_stage.h"
#include "harness/record/store.h"
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/train/ckpt.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t step_of(const char *name)
{
	int64_t step;
	int n = 0;
	return sscanf(name, "step-%ld.ckpt%n", &step, &n) == 1 && n && !name[n] ? step : -1;
}

/* Calls fn for each recorded checkpoint file in the attempt's folder. */
typedef int ckpt_fn(void *ctx, const char *dir, const char *name, int64_t step, struct err *e);
static int each_checkpoint(struct db *db, const char *dir, const char *attempt, ckpt_fn *fn, void *ctx, struct err *e)
{
	DIR *d = opendir(dir);
	int rc = 0;
	for (struct dirent *entry; d && !rc && (entry = readdir(d));) {
		int64_t step = step_of(entry->d_name);
		bool recorded = false;
		if (step >= 0 && !(rc = query_has_checkpoint(&recorded, db, attempt, step, e)) && recorded)
			rc = fn(ctx, dir, entry->d_name, step, e);
	}
	if (d)
		(void)closedir(d);
	return rc;
}

static int take_newest(void *ctx, const char *dir, const char *name, int64_t step, struct err *e)
{
	(void)dir, (void)name, (void)e;
	int64_t *best = ctx;
	*best = step > *best ? step : *best;
	return 0;
}

static int copy_file(const char *from, const char *to, struct err *e)
{
	SCOPED(str) struct str bytes = { 0 };
	return io_read(&bytes, from, (size_t)1 << 40, e) ? -1 : io_write_atomic(to, bytes.data, bytes.len, e);
}

static int share(void *ctx, const char *dir, const char *name, int64_t step, struct err *e)
{
	const char *to = ctx;
	(void)step;
	SCOPED(free) char *a = xstrfmt("%s/%s", dir, name);
	SCOPED(free) char *b = xstrfmt("%s/%s", to, name);
	return link(a, b) && errno != EEXIST ? copy_file(a, b, e) : 0;
}

/* --- averages --- */

static double decay_of(const json_t *config)
{
	const json_t *v = json_object_get(config, "ema.decay");
	return json_is_number(v) ? json_number_value(v) : -1;
}

/* The averages in a checkpoint; heap. One that cannot be read counts as having that of its config: who begins with it
 * passes over it and says so. */
static double *averages_in(int *n, const char *dir, int64_t step, const char *config)
{
	SCOPED(free) char *path = xstrfmt("%s/step-%08lld.ckpt", dir, (long long)step);
	double *decays = NULL;
	if (!ckpt_decays(&decays, n, path, NULL))
		return decays;
	json_t *o = json_loads(config, 0, NULL);
	decays = xmalloc(sizeof *decays);
	*decays = decay_of(o);
	*n = 1;
	json_decref(o);
	return decays;
}

static bool has_average(const double *decays, int n, double decay)
{
	for (int i = 0; i < n; i++)
		if (decays[i] >= decay && decays[i] <= decay)
			return true;
	return false;
}

int earlier_find(struct earlier *out, struct db *db, const char *runs, const struct earlier_want *want, struct err *e)
{
	struct db_rows rows;
	struct training_row r;
	struct earlier best = { .step = -1 };
	json_t *config = json_loads(want->config, 0, NULL);
	double decay = decay_of(config);
	json_decref(config);
	if (query_training(&rows, db, want->training ? want->training : "", want->cell, e))
		return -1;
	int rc = 0;
	while (!rc && query_training_next(&r, &rows)) {
		int64_t step = -1;
		bool ours = true;
		if (want->builds && (rc = builds_made_it(&ours, want->builds, db, r.attempt, e)))
			break;
		if (strlen(r.attempt) >= HOST_UUID || strlen(r.cell) >= SHA256_HEX || !ours)
			continue;
		SCOPED(free) char *dir = store_dir_of(runs, r.cell, r.attempt);
		rc = each_checkpoint(db, dir, r.attempt, take_newest, &step, e);
		if (step < 0 || step < best.step)
			continue;
		int n = 0;
		double *decays = averages_in(&n, dir, step, r.config);
		if (!has_average(decays, n, decay)) {
			free(decays);
			continue;
		}
		free(best.ema);
		best.ema = decays;
		best.n_ema = n;
		best.step = step;
		best.seed = r.seed;
		memcpy(best.attempt, r.attempt, strlen(r.attempt) + 1);
		memcpy(best.cell, r.cell, strlen(r.cell) + 1);
		(void)snprintf(best.label, sizeof best.label, "%s", r.label);
	}
	if (db_done(&rows, rc ? NULL : e) || rc) {
		earlier_release(&best);
		return -1;
	}
	*out = best;
	return 0;
}

void earlier_release(struct earlier *f)
{
	free(f->ema);
	*f = (struct earlier){ .step = -1 };
}

void scoped_earlier(struct earlier *f)
{
	earlier_release(f);
}

int earlier_share(const struct earlier *f, struct db *db, const char *runs, const char *dir, struct err *e)
{
	SCOPED(free) char *from = store_dir_of(runs, f->cell, f->attempt);
	char *to = (char *)dir; /* read only */
	return each_checkpoint(db, from, f->attempt, share, to, e);
}
