/* worker_samples.c - see worker_score_private.h. */
#define _GNU_SOURCE
#include "harness/run/worker_score_private.h"

#include "harness/run/samples_file.h"
#include "model/base/mem.h"
#include "model/data/png_grid.h"
#include "model/train/sample.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 500 }; /* samples between two checks for a stop */

/* Images `first` and on. */
static int make_samples(struct samples *out, int64_t first, struct scorer *s, bool *stopped, const char *checkpoint,
                        struct err *e)
{
	struct sampler *sampler;
	size_t per = (size_t)out->h * (size_t)out->w * (size_t)out->c;
	if (sampler_open(&sampler, s->config, checkpoint, worker_job(s->w)->device, e))
		return -1;
	int rc = 0;
	for (int64_t at = first; at < out->n && !rc && !(*stopped = worker_should_stop(s->w)); at += CHUNK) {
		int64_t count = out->n - at < CHUNK ? out->n - at : CHUNK;
		char note[48];
		(void)snprintf(note, sizeof note, "sampling %lld of %lld", (long long)at, (long long)out->n);
		worker_say(s->w, s->config->train.steps, note);
		rc = sampler_run(sampler, out->px + (size_t)at * per, at, count, (uint64_t)out->seed, out->nfe, NULL, e);
	}
	sampler_free(sampler);
	return rc;
}

static int note(struct worker *w, const char *line, struct err *e)
{
	(void)fprintf(stderr, "%s\n", line); /* into DIR/log */
	return journal_note(worker_journal(w), line, e);
}

static int record_samples(struct scorer *s, const struct samples *m, const char *path, const char *sha256,
                          int64_t items, struct err *e)
{
	SCOPED(free) char *role = xstrfmt("samples@%d/%lld", m->nfe, (long long)m->seed);
	return journal_file(worker_journal(s->w),
	                    &(struct journal_file){ .table = "output",
	                                            .role = role,
	                                            .kind = "samples",
	                                            .name = strrchr(path, '/') + 1,
	                                            .sha256 = sha256,
	                                            .sampling = m->key,
	                                            .bytes = -1,
	                                            .n_items = items },
	                    e);
}

static char *samples_path(const struct scorer *s, const struct samples *m)
{
	return xstrfmt("%s/samples-%d-%lld.npy", worker_dir(s->w), m->nfe, (long long)m->seed);
}

/* The samples of an earlier attempt; *got: how many, 0 = none that can be used. Where they are all that is wanted, the
 * file is this attempt's, too: what one of them loses the other keeps. */
static int take_samples(struct samples *m, int64_t *got, struct scorer *s, struct err *e)
{
	const struct job *job = worker_job(s->w);
	const struct samples_shape shape = { m->n, m->h, m->w, m->c };
	*got = 0;
	for (int i = 0; i < job->n_samplings && *got < m->n && strcmp(job->purpose, "run") == 0; i++) {
		const struct job_sampling *f = &job->samplings[i];
		struct err why = ERR_INIT;
		int64_t n = 0, in_file = 0;
		if (strcmp(f->key, m->key) != 0 || (f->n < m->n && f->n <= *got))
			continue;
		if (samples_file_read(m->px, &n, &in_file, f->path, f->sha256, &shape, &why)) {
			SCOPED(free) char *line = xstrfmt("%s; these samples are not used", why.msg);
			*got = 0; /* some of the images may have been overwritten */
			if (note(s->w, line, e))
				return -1;
			continue;
		}
		*got = n;
		SCOPED(free) char *from = f->attempt ? xstrfmt(" of attempt %s", f->attempt) : xstrdup("");
		SCOPED(free)
		char *line = xstrfmt("samples@%d, seed %lld: %lld of %lld are those%s", m->nfe, (long long)m->seed,
		                     (long long)n, (long long)m->n, from);
		SCOPED(free) char *own = samples_path(s, m);
		if (note(s->w, line, e) ||
		    (n == m->n && link(f->path, own) == 0 && record_samples(s, m, own, f->sha256, in_file, e)))
			return -1;
	}
	return 0;
}

/* For whoever wants other scores of them. A disk that has no room for them costs no score. */
static int keep_samples(struct scorer *s, const struct samples *m, struct err *e)
{
	char sha256[SHA256_HEX];
	struct err why = ERR_INIT;
	SCOPED(free) char *path = samples_path(s, m);
	if (strcmp(worker_job(s->w)->purpose, "run") != 0)
		return 0;
	if (samples_file_write(sha256, path, m->px, &(struct samples_shape){ m->n, m->h, m->w, m->c }, &why)) {
		SCOPED(free) char *line = xstrfmt("%s; the samples are not kept", why.msg);
		return note(s->w, line, e);
	}
	return record_samples(s, m, path, sha256, m->n, e);
}

int scorer_record_file(struct worker *w, const char *table, const char *role, const char *kind, const char *path,
                       int64_t items, struct err *e)
{
	char sha256[SHA256_HEX];
	const char *name = strrchr(path, '/');
	if (io_sha256_file(sha256, path, e))
		return -1;
	return journal_file(worker_journal(w),
	                    &(struct journal_file){ .table = table,
	                                            .role = role,
	                                            .kind = kind,
	                                            .name = name ? name + 1 : path,
	                                            .sha256 = sha256,
	                                            .bytes = -1,
	                                            .n_items = items },
	                    e);
}

int samples_make(struct samples *m, struct scorer *s, bool *stopped, const char *checkpoint, struct err *e)
{
	return make_samples(m, 0, s, stopped, checkpoint, e);
}

int samples_draw(struct scorer *s, const struct samples *m, int64_t step, struct err *e)
{
	const char *dir = worker_dir(s->w);
	SCOPED(free)
	char *path = step < 0 ? xstrfmt("%s/samples@%d.png", dir, m->nfe)
	                      : xstrfmt("%s/during@%d-%08lld.png", dir, m->nfe, (long long)step);
	SCOPED(free)
	char *role = step < 0 ? xstrfmt("picture@%d", m->nfe) : xstrfmt("during@%d/%lld", m->nfe, (long long)step);
	struct png_grid *g;
	size_t per = (size_t)m->h * (size_t)m->w * (size_t)m->c;
	int64_t n = m->n < PICTURE_SIDE * PICTURE_SIDE ? m->n : PICTURE_SIDE * PICTURE_SIDE;
	if (png_grid_open(&g, path, PICTURE_SIDE, PICTURE_SIDE, m->w, m->h, m->c, 2, e))
		return -1;
	for (int64_t i = 0; i < n; i++)
		if (png_grid_add(g, m->px + (size_t)i * per, e)) {
			png_grid_free(g);
			return -1;
		}
	return png_grid_close(g, e) || scorer_record_file(s->w, "output", role, "picture", path, n, e) ? -1 : 0;
}

int samples_get(struct samples *m, int64_t *got, struct scorer *s, bool *stopped, const char *checkpoint, bool make,
                struct err *e)
{
	if (take_samples(m, got, s, e))
		return -1;
	if (*got == m->n || !make)
		return 0;
	if (make_samples(m, *got, s, stopped, checkpoint, e))
		return -1;
	*got = m->n;
	return *stopped ? 0 : keep_samples(s, m, e);
}
