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

#define AVERAGE "ema@"
enum { DECAY_TEXT = 32 };

/* Of the average with another decay than the config's: "ema@0.99/". */
static char *average_prefix(double decay)
{
	char text[DECAY_TEXT];
	return xstrfmt(AVERAGE "%s/", str_double(text, decay));
}

struct part_list {
	struct st_tensor *v;
	int n;
	struct arena names;
};

/* All tensors of a part, each named by prefix and parameter. */
static void add_part(struct part_list *list, const char *prefix, const struct params *params, const float *values)
{
	for (int i = 0; i < params_count(params); i++) {
		const struct param *p = params_get(params, i);
		struct st_tensor t = { .name = arena_strfmt(&list->names, "%s%s", prefix, p->name),
			                   .dtype = ST_F32,
			                   .n_dims = p->ndim,
			                   .data = values + p->at };
		for (int j = 0; j < p->ndim; j++)
			t.dims[j] = p->dims[j];
		list->v[list->n++] = t;
	}
}

static char *part_prefix(enum ckpt_part part)
{
	return xstrfmt("%s.", part_names[part]);
}

int ckpt_save(char **path, char sha256[SHA256_HEX], const char *dir, const struct ckpt_state *s, struct err *e)
{
	struct part_list list = { .v = xcalloc((size_t)params_count(s->params) * (size_t)(N_CKPT_PARTS + s->n_more),
		                                   sizeof *list.v) };
	for (int part = 0; part < N_CKPT_PARTS; part++) {
		SCOPED(free) char *prefix = part_prefix((enum ckpt_part)part);
		if (s->parts[part])
			add_part(&list, prefix, s->params, s->parts[part]);
	}
	for (int i = 0; i < s->n_more; i++) {
		SCOPED(free) char *prefix = average_prefix(s->more[i].decay);
		add_part(&list, prefix, s->params, s->more[i].values);
	}
	char payload[SHA256_HEX], check[SHA256_HEX];
	const char *seed = arena_strfmt(&list.names, "%" PRIu64, s->seed),
			   *step = arena_strfmt(&list.names, "%" PRId64, s->step);
	const char *curve = arena_strfmt(&list.names, "%a %" PRId64, s->loss_sum, s->loss_steps);
	safetensors_hash(payload, list.v, (size_t)list.n);
	checksum(check, payload, s->config, seed, step, curve);
	struct st_meta meta[] = { { "checksum", check }, { "config", s->config }, { "curve", curve },
		                      { "format", FORMAT },  { "seed", seed },        { "step", step } };
	char *file = path_of(dir, s->step);
	int rc = safetensors_write(file, list.v, (size_t)list.n, meta, sizeof meta / sizeof *meta, NULL, e);
	free(list.v);
	arena_release(&list.names);
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

static int read_part(float *values, const struct params *params, const char *prefix, const struct safetensors *st,
                     struct err *e)
{
	for (int i = 0; i < params_count(params); i++) {
		const struct param *p = params_get(params, i);
		const struct st_tensor *t;
		SCOPED(free) char *name = xstrfmt("%s%s", prefix, p->name);
		if (safetensors_need(&t, st, name, p->ndim, p->dims, e))
			return -1;
		st_to_f32(values + p->at, t);
	}
	return 0;
}

/* ---- averages -------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Those of a file, the first of which is the config's; heap. */
static int decays_of(double **out, int *n, const struct safetensors *st, struct err *e)
{
	struct run_config c;
	const char *config = safetensors_meta(st, "config");
	double *all = NULL;
	int cap = 0;
	*n = 0;
	if (!config)
		return err_set(e, "%s: not a checkpoint of this program", st->path);
	if (config_from_json(&c, config, e))
		return err_in(e, "%s", st->path);
	VEC_PUSH(all, *n, cap) = c.ema.decay;
	for (size_t i = 0; i < st->n_tensors; i++) {
		const char *name = st->tensors[i].name;
		char *end;
		if (strncmp(name, AVERAGE, strlen(AVERAGE)) != 0)
			continue;
		double decay = strtod(name + strlen(AVERAGE), &end);
		if (*end == '/' && ascending(&all[*n - 1], &decay) != 0) /* tensors are in order of name */
			VEC_PUSH(all, *n, cap) = decay;
	}
	*out = all;
	return 0;
}

int ckpt_decays(double **out, int *n, const char *path, struct err *e)
{
	struct safetensors *st;
	if (safetensors_open(&st, path, e))
		return -1;
	int rc = decays_of(out, n, st, e);
	safetensors_free(st);
	if (!rc)
		qsort(*out, (size_t)*n, sizeof **out, ascending);
	return rc;
}

int ckpt_has_decays(bool *has, const char *path, const double *decays, int n, struct err *e)
{
	SCOPED(free) double *in = NULL;
	int n_in;
	if (ckpt_decays(&in, &n_in, path, e))
		return -1;
	*has = true;
	for (int i = 0; i < n; i++)
		*has &= bsearch(&decays[i], in, (size_t)n_in, sizeof *in, ascending) != NULL;
	return 0;
}

/* The prefix of the average with this decay; heap. NULL with e (EXIT_RECORD) where the file has none. */
static char *find_average(const struct safetensors *st, double decay, struct err *e)
{
	SCOPED(free) double *in = NULL;
	SCOPED(str) struct str there = { 0 };
	char text[DECAY_TEXT];
	int n;
	if (decays_of(&in, &n, st, e))
		return NULL;
	for (int i = 0; i < n; i++) {
		if (ascending(&in[i], &decay) == 0)
			return i ? average_prefix(decay) : part_prefix(CKPT_EMA);
		str_addf(&there, "%s%s", !i ? "" : i + 1 < n ? ", " : " and ", str_double(text, in[i]));
	}
	(void)err_code(e, EXIT_RECORD, "%s: has no average with ema.decay = %s; it has %s", st->path,
	               str_double(text, decay), str_text(&there));
	return NULL;
}

static int read_average(float *values, const struct params *params, double decay, const struct safetensors *st,
                        struct err *e)
{
	SCOPED(free) char *prefix = find_average(st, decay, e);
	return prefix ? read_part(values, params, prefix, st, e) : -1;
}

int ckpt_load_part(float *values, const struct params *p, enum ckpt_part part, double decay, const char *path,
                   struct err *e)
{
	struct safetensors *st;
	if (open_checked(&st, path, e))
		return -1;
	SCOPED(free) char *probe = xstrfmt("%s.%s", part_names[part], params_get(p, 0)->name);
	if (part == CKPT_TEACHER && !safetensors_find(st, probe))
		part = CKPT_STUDENT;
	SCOPED(free) char *prefix = part == CKPT_EMA ? find_average(st, decay, e) : part_prefix(part);
	int rc = prefix ? read_part(values, p, prefix, st, e) : -1;
	safetensors_free(st);
	return rc;
}

/* Is this of the state's own training and seed? */
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
	for (int part = 0; !rc && part < N_CKPT_PARTS; part++) {
		SCOPED(free) char *prefix = part_prefix((enum ckpt_part)part);
		if (s->parts[part] && part != CKPT_EMA)
			rc = read_part(s->parts[part], s->params, prefix, st, e);
	}
	if (!rc && s->parts[CKPT_EMA])
		rc = read_average(s->parts[CKPT_EMA], s->params, s->decay, st, e);
	for (int i = 0; !rc && i < s->n_more; i++)
		rc = read_average(s->more[i].values, s->params, s->more[i].decay, st, e);
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
