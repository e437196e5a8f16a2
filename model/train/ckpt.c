/* ckpt.c - see ckpt.h. */
#include "model/train/ckpt.h"

#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/formats/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const part_names[N_CKPT_PARTS] = { "student", "teacher", "ema", "m", "v" };

enum { KEEP = 2 };
#define FORMAT "ablate-ckpt-2"

/* "step-00000123.ckpt" -> 123, anything else -> -1 */
static int64_t step_of(const char *file)
{
	int64_t step;
	int end = 0;
	return sscanf(file, "step-%8" SCNd64 ".ckpt%n", &step, &end) == 1 && end > 0 && !file[end] ? step : -1;
}

static int descending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x < y) - (x > y);
}

/* Steps of the checkpoints in dir, newest first; heap. */
static int64_t *list_steps(int *n, const char *dir)
{
	int64_t *steps = NULL;
	int cap = 0;
	*n = 0;
	DIR *d = opendir(dir);
	if (!d)
		return NULL;
	for (struct dirent *entry; (entry = readdir(d));) {
		int64_t step = step_of(entry->d_name);
		if (step >= 0)
			VEC_PUSH(steps, *n, cap) = step;
	}
	(void)closedir(d);
	if (*n)
		qsort(steps, (size_t)*n, sizeof *steps, descending);
	return steps;
}

static char *path_of(const char *dir, int64_t step)
{
	return xstrfmt("%s/step-%08" PRId64 ".ckpt", dir, step);
}

static void drop_old(const char *dir)
{
	int n;
	SCOPED(free) int64_t *steps = list_steps(&n, dir);
	for (int i = KEEP; i < n; i++) {
		SCOPED(free) char *old = path_of(dir, steps[i]);
		(void)unlink(old);
	}
}

/* What a checkpoint's checksum covers: payload, config, seed, step and the point of the loss curve that is under
 * way. */
static void checksum(char hex[SHA256_HEX], const char *payload, const char *config, const char *seed, const char *step,
                     const char *curve)
{
	SCOPED(free) char *all = xstrfmt("%s\n%s\n%s\n%s\n%s", payload, config, seed, step, curve);
	io_sha256(hex, all, strlen(all));
}

int ckpt_save(char **path, char sha256[SHA256_HEX], const char *dir, const struct ckpt_state *s, struct err *e)
{
	int n_params = params_count(s->params), n = 0;
	struct st_tensor *tensors = xcalloc((size_t)n_params * N_CKPT_PARTS, sizeof *tensors);
	struct arena names = { 0 };
	for (int part = 0; part < N_CKPT_PARTS; part++)
		for (int i = 0; s->parts[part] && i < n_params; i++) {
			const struct param *p = params_get(s->params, i);
			struct st_tensor t = { .name = arena_strfmt(&names, "%s.%s", part_names[part], p->name),
				                   .dtype = ST_F32,
				                   .n_dims = p->ndim,
				                   .data = s->parts[part] + p->at };
			for (int j = 0; j < p->ndim; j++)
				t.dims[j] = p->dims[j];
			tensors[n++] = t;
		}
	char payload[SHA256_HEX], check[SHA256_HEX];
	const char *seed = arena_strfmt(&names, "%" PRIu64, s->seed), *step = arena_strfmt(&names, "%" PRId64, s->step);
	const char *curve = arena_strfmt(&names, "%a %" PRId64, s->loss_sum, s->loss_steps);
	safetensors_hash(payload, tensors, (size_t)n);
	checksum(check, payload, s->config, seed, step, curve);
	struct st_meta meta[] = { { "checksum", check }, { "config", s->config }, { "curve", curve },
		                      { "format", FORMAT },  { "seed", seed },        { "step", step } };
	char *file = path_of(dir, s->step);
	int rc = safetensors_write(file, tensors, (size_t)n, meta, sizeof meta / sizeof *meta, NULL, e);
	free(tensors);
	arena_release(&names);
	if (!rc)
		rc = io_sha256_file(sha256, file, e);
	if (rc) {
		free(file);
		return -1;
	}
	drop_old(dir);
	*path = file;
	return 0;
}

/* Opens a checkpoint and checks it against the checksum in its own metadata. */
static int open_checked(struct safetensors **out, const char *path, struct err *e)
{
	struct safetensors *st;
	if (safetensors_open(&st, path, e))
		return -1;
	const char *format = safetensors_meta(st, "format"), *want = safetensors_meta(st, "checksum");
	const char *config = safetensors_meta(st, "config"), *seed = safetensors_meta(st, "seed"),
			   *step = safetensors_meta(st, "step");
	const char *curve = safetensors_meta(st, "curve");
	char payload[SHA256_HEX], have[SHA256_HEX];
	int rc = 0;
	if (!format || strcmp(format, FORMAT) != 0 || !want || !config || !seed || !step || !curve) {
		rc = err_set(e, "%s: not a checkpoint of this program", path);
	} else {
		safetensors_sha256(payload, st);
		checksum(have, payload, config, seed, step, curve);
		if (strcmp(want, have) != 0)
			rc = err_set(e, "%s: damaged: its content does not match its checksum", path);
	}
	if (rc) {
		safetensors_free(st);
		return -1;
	}
	*out = st;
	return 0;
}

static int read_part(float *values, const struct params *params, const char *part, const struct safetensors *st,
                     struct err *e)
{
	for (int i = 0; i < params_count(params); i++) {
		const struct param *p = params_get(params, i);
		const struct st_tensor *t;
		SCOPED(free) char *name = xstrfmt("%s.%s", part, p->name);
		if (safetensors_need(&t, st, name, p->ndim, p->dims, e))
			return -1;
		st_to_f32(values + p->at, t);
	}
	return 0;
}

int ckpt_load_part(float *values, const struct params *p, enum ckpt_part part, const char *path, struct err *e)
{
	struct safetensors *st;
	if (open_checked(&st, path, e))
		return -1;
	SCOPED(free) char *probe = xstrfmt("%s.%s", part_names[part], params_get(p, 0)->name);
	if (part == CKPT_TEACHER && !safetensors_find(st, probe))
		part = CKPT_STUDENT;
	int rc = read_part(values, p, part_names[part], st, e);
	safetensors_free(st);
	return rc;
}

/* Is this the state's own training? */
static bool is_of(const struct ckpt_state *s, const struct safetensors *st)
{
	return config_trains_alike(safetensors_meta(st, "config"), s->config) &&
	       strtoull(safetensors_meta(st, "seed"), NULL, 10) == s->seed;
}

int ckpt_load(struct ckpt_state *s, const char *path, struct err *e)
{
	struct safetensors *st;
	if (open_checked(&st, path, e))
		return -1;
	int rc = is_of(s, st) ? 0 : err_code(e, EXIT_RECORD, "%s: a checkpoint of another config or seed", path);
	for (int part = 0; !rc && part < N_CKPT_PARTS; part++)
		if (s->parts[part])
			rc = read_part(s->parts[part], s->params, part_names[part], st, e);
	if (!rc)
		s->step = strtoll(safetensors_meta(st, "step"), NULL, 10);
	if (!rc) {
		char *end;
		s->loss_sum = strtod(safetensors_meta(st, "curve"), &end);
		s->loss_steps = strtoll(end, NULL, 10);
	}
	safetensors_free(st);
	return rc;
}

int ckpt_resume(struct ckpt_state *s, char **path, const char *dir, void (*say)(void *ctx, const char *line), void *ctx,
                struct err *e)
{
	int n, rc = 0;
	SCOPED(free) int64_t *steps = list_steps(&n, dir);
	for (int i = 0; i < n && rc == 0; i++) {
		SCOPED(free) char *file = path_of(dir, steps[i]);
		struct err why = ERR_INIT;
		if (ckpt_load(s, file, &why) == 0) {
			*path = xstrdup(file);
			rc = 1;
		} else if (why.code == EXIT_RECORD) {
			if (e)
				*e = why;
			rc = -1;
		} else if (say) {
			SCOPED(free)
			char *line = xstrfmt("%s; %s", why.msg,
			                     i + 1 < n ? "using the one before it" : "starting from the beginning");
			say(ctx, line);
		}
	}
	return rc;
}
