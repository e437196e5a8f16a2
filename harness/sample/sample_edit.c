/* sample_edit.c - see sample_edit.h. Pictures go through in chunks, so memory does not grow with their number. */
#include "harness/sample/sample_edit.h"

#include "model/data/png_grid.h"
#include "metrics/sources/sources.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/image_png.h"
#include "model/consistency/edit.h"
#include "model/consistency/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 50, LEVELS_MAX = 256, USUAL_LEVELS = 18, MASK_BYTES_MAX = 64 << 20 };

/* ---- references ------------------------------------------------------------------------------------------------- */

/* Picture i in [-1, 1] in the model's form. A grey picture in a file of three channels is still grey. */
static int reference_read(double *dst, struct source *refs, const struct data_shape *s, int64_t i, struct err *e)
{
	struct image_u8 im = { 0 };
	SCOPED(free) char *name = source_item(refs, i);
	if (source_read(refs, i, &im, e))
		return -1;
	int rc = im.h == s->h && im.w == s->w
	             ? 0
	             : err_code(e, EXIT_USAGE, "%s: %d x %d pixels; the model makes %d x %d", name, im.h, im.w, s->h, s->w);
	for (int p = 0; !rc && p < s->h * s->w; p++)
		for (int k = 0; k < s->c && !rc; k++) {
			const uint8_t *px = im.px + (size_t)p * (size_t)im.c;
			if (s->c == 1 && im.c == 3 && (px[0] != px[1] || px[0] != px[2]))
				rc = err_code(e, EXIT_USAGE, "%s: a colour picture; the model makes grey ones", name);
			dst[p * s->c + k] = px[im.c == s->c ? k : 0] / 127.5 - 1;
		}
	image_u8_release(&im);
	return rc;
}

/* ---- masks and levels ------------------------------------------------------------------------------------------- */

static int mask_of_file(uint8_t *made, const char *path, const struct data_shape *s, struct err *e)
{
	SCOPED(str) struct str bytes = { 0 };
	struct image_u8 im = { 0 };
	if (io_read(&bytes, path, MASK_BYTES_MAX, e) ||
	    image_png_decode(&im, (const uint8_t *)str_text(&bytes), bytes.len, path, e))
		return -1;
	int rc = im.h == s->h && im.w == s->w
	             ? 0
	             : err_code(e, EXIT_USAGE, "%s: a mask of %d x %d pixels for pictures of %d x %d", path, im.h, im.w,
	                        s->h, s->w);
	for (int p = 0; !rc && p < s->h * s->w; p++)
		memset(made + p * s->c, im.px[(size_t)p * (size_t)im.c] >= 128, (size_t)s->c);
	image_u8_release(&im);
	return rc;
}

static int make_mask(uint8_t *made, const struct sample_edit *ask, const struct data_shape *s, struct err *e)
{
	static const char *const names[] = { "center", "border", "left", "right", "top", "bottom" };
	int n = sizeof names / sizeof *names, kind = 0;
	if (ask->kind == SAMPLE_COLORIZE) {
		for (int i = 0; i < s->h * s->w * s->c; i++)
			made[i] = i % s->c != 0;
		return 0;
	}
	while (kind < n && strcmp(names[kind], ask->mask) != 0)
		kind++;
	if (kind == n && !io_exists(ask->mask))
		return err_code(e, EXIT_USAGE, "--mask %s: must be center, border, left, right, top, bottom or a PNG file",
		                ask->mask);
	if (kind == n)
		return mask_of_file(made, ask->mask, s, e);
	for (int y = 0; y < s->h; y++)
		for (int x = 0; x < s->w; x++) {
			bool middle = 4 * y >= s->h && 4 * y < 3 * s->h && 4 * x >= s->w && 4 * x < 3 * s->w;
			bool made_here[] = { middle, !middle, 2 * x < s->w, 2 * x >= s->w, 2 * y < s->h, 2 * y >= s->h };
			memset(made + (y * s->w + x) * s->c, made_here[kind], (size_t)s->c);
		}
	return 0;
}

/* The given list; else those of the paper's stroke drawings (5.38, 2.24); else the training grid from its largest level
 * down; of MeanFlow, whose largest level has no end, equal steps of its time. */
static int make_levels(double *sigma, int *n, const struct sample_edit *ask, const struct run_config *c, struct err *e)
{
	*n = 0;
	for (const char *p = ask->sigmas; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		char *end;
		if (*n == LEVELS_MAX)
			return err_code(e, EXIT_USAGE, "--sigmas: more than %d noise levels", LEVELS_MAX);
		sigma[(*n)++] = strtod(p, &end);
		if (end == p || (*end && *end != ','))
			return err_code(e, EXIT_USAGE, "--sigmas %s: must be numbers separated by commas, such as 80,24.4,5.84",
			                ask->sigmas);
	}
	if (*n)
		return 0;
	if (ask->kind == SAMPLE_STROKE && !ask->nfe) {
		sigma[(*n)++] = 5.38;
		sigma[(*n)++] = 2.24;
		return 0;
	}
	*n = ask->nfe ? ask->nfe : USUAL_LEVELS;
	double from = ask->kind == SAMPLE_STROKE ? 5.38 : c->sigma.max;
	edit_levels(sigma, *n, from, c->sigma.min, c->sigma.rho);
	for (int k = 0; c->method.kind == METHOD_MEANFLOW && k < *n; k++)
		sigma[k] = flow_level(from, *n - k, *n);
	return 0;
}

/* ---- the model, for edits ------------------------------------------------------------------------------- */

struct model {
	struct sampler *s;
	const struct data_shape *shape;
	uint64_t seed;
	int64_t base;
	size_t per;
	float *in, *out;
	int64_t numbers[CHUNK];
};

static int answer(void *ctx, double *dst, const double *x, int64_t first, int64_t n, double sigma, struct err *e)
{
	struct model *m = ctx;
	(void)first; /* pictures of a chunk are computed together */
	for (size_t j = 0; j < (size_t)n * m->per; j++)
		m->in[j] = (float)x[j];
	if (sampler_denoise(m->s, m->out, m->in, m->numbers, n, sigma, m->seed, e))
		return -1;
	for (size_t j = 0; j < (size_t)n * m->per; j++)
		dst[j] = (double)m->out[j];
	return 0;
}

static void noise(void *ctx, double *dst, int64_t i, int round)
{
	struct model *m = ctx;
	sampler_latent(m->in, m->s, m->seed, round, m->base + i);
	for (size_t j = 0; j < m->per; j++)
		dst[j] = (double)m->in[j];
}

static int add_tile(struct png_grid *g, const struct model *m, const double *x, struct err *e)
{
	SCOPED(free) uint8_t *px = xmalloc(m->per);
	for (size_t j = 0; j < m->per; j++)
		px[j] = sampler_pixel(m->s, x[j]);
	return png_grid_add(g, px, e);
}

/* ---- edits ------------------------------------------------------------------------------------------------------ */

static int edit_chunk(struct png_grid *g, struct model *m, struct source *refs, const struct edit *edit, bool stroke,
                      int64_t at, int64_t n, struct err *e)
{
	size_t per = m->per;
	SCOPED(free) double *y = xcalloc(CHUNK * per, sizeof *y);
	SCOPED(free) double *made = xcalloc(CHUNK * per, sizeof *made);
	SCOPED(free) double *known = xcalloc(per, sizeof *known);
	m->base = at;
	for (int64_t i = 0; i < n; i++) {
		m->numbers[i] = at + i;
		if (reference_read(y + (size_t)i * per, refs, m->shape, at + i, e))
			return -1;
	}
	if (edit_run(made, y, n, edit, &(struct edit_model){ m, answer, noise }, e))
		return -1;
	for (int64_t i = 0; i < n; i++) {
		const double *mine = y + (size_t)i * per;
		edit_known(known, mine, edit);
		if (add_tile(g, m, stroke ? mine : known, e) || add_tile(g, m, made + (size_t)i * per, e) ||
		    (!stroke && add_tile(g, m, mine, e)))
			return -1;
	}
	return 0;
}

static int run_edit(int64_t *pictures, struct model *m, const struct run_config *c, const struct data_shape *shape,
                    const struct sample_edit *ask, struct err *e)
{
	struct source *refs = ask->source;
	double sigma[LEVELS_MAX];
	SCOPED(free) uint8_t *made = xcalloc(m->per, 1);
	bool stroke = ask->kind == SAMPLE_STROKE;
	struct edit edit = { .h = shape->h,
		                 .w = shape->w,
		                 .c = shape->c,
		                 .space = ask->kind == SAMPLE_COLORIZE ? EDIT_BRIGHTNESS : EDIT_PIXELS,
		                 .made = stroke ? NULL : made,
		                 .from_reference = stroke,
		                 .sigma = sigma,
		                 .eps = c->sigma.min };
	if (make_levels(sigma, &edit.n_sigma, ask, c, e) || edit_check(&edit, e) ||
	    (!stroke && make_mask(made, ask, shape, e)))
		return -1;
	struct png_grid *g = NULL;
	int64_t n = ask->n < refs->n ? ask->n : refs->n, each = stroke ? 2 : 3,
			across = (int64_t)ceil(sqrt((double)n / (double)each));
	int rc = png_grid_open(&g, ask->output, (int)(across * each), (int)((n + across - 1) / across), shape->w, shape->h,
	                       shape->c, 2, e);
	for (int64_t at = 0; !rc && at < n; at += CHUNK)
		rc = edit_chunk(g, m, refs, &edit, stroke, at, n - at < CHUNK ? n - at : CHUNK, e);
	if (rc) {
		png_grid_free(g);
		return -1;
	}
	*pictures = n * each;
	return png_grid_close(g, e);
}

/* ---- from one latent to another -------------------------------------------------------------------------------- */

/* One row: latents 2r and 2r + 1 of the seed and the points between; later rounds add the same noise to the whole
 * row. */
static int walk(struct png_grid *g, struct model *m, const struct run_config *c, const struct sample_edit *ask,
                int64_t row, struct err *e)
{
	size_t per = m->per;
	SCOPED(free) double *a = xcalloc(per, sizeof *a);
	SCOPED(free) double *b = xcalloc(per, sizeof *b);
	SCOPED(free) double *x = xcalloc(CHUNK * per, sizeof *x);
	double lo = c->sigma.min, mid = c->sample.sigma_mid;
	m->base = 0;
	for (int at = 0; at < ask->steps; at += CHUNK) {
		int n = ask->steps - at < CHUNK ? ask->steps - at : CHUNK;
		for (int i = 0; i < n; i++)
			m->numbers[i] = 2 * row;
		for (int round = 0; round < (ask->nfe ? ask->nfe : 1); round++) {
			noise(m, a, 2 * row, round);
			if (!round)
				noise(m, b, 2 * row + 1, 0);
			for (int i = 0; i < n; i++) {
				double *to = x + (size_t)i * per, spread = round ? sqrt(fmax(mid * mid - lo * lo, 0)) : c->sigma.max;
				if (!round)
					edit_between(to, a, b, (int64_t)per, (double)(at + i) / (ask->steps - 1));
				for (size_t j = 0; j < per; j++)
					to[j] = round ? to[j] + spread * a[j] : spread * to[j];
			}
			if (answer(m, x, x, 0, n, round ? mid : c->sigma.max, e))
				return -1;
		}
		for (int i = 0; i < n; i++)
			if (add_tile(g, m, x + (size_t)i * per, e))
				return -1;
	}
	return 0;
}

static int run_walks(int64_t *pictures, struct model *m, const struct run_config *c, const struct data_shape *shape,
                     const struct sample_edit *ask, struct err *e)
{
	struct png_grid *g;
	if (png_grid_open(&g, ask->output, ask->steps, (int)ask->n, shape->w, shape->h, shape->c, 2, e))
		return -1;
	for (int64_t row = 0; row < ask->n; row++)
		if (walk(g, m, c, ask, row, e)) {
			png_grid_free(g);
			return -1;
		}
	*pictures = ask->n * ask->steps;
	return png_grid_close(g, e);
}

int sample_edit(int64_t *pictures, struct sampler *s, const struct run_config *c, const struct data_shape *shape,
                const struct sample_edit *ask, struct err *e)
{
	if (c->multistep.segments > 1) /* sampler_run alone goes from segment to segment */
		return err_code(e, EXIT_USAGE,
		                "edits take a picture from one answer: a model of multistep.segments = %d has none",
		                c->multistep.segments);
	if (c->method.kind == METHOD_TCM)
		return err_code(
			e, EXIT_USAGE,
			"edits go down to little noise: a model of method.kind = \"tcm\" has no answer below tcm.split = %g",
			c->tcm.split);
	if (c->method.kind == METHOD_MEANFLOW && ask->kind == SAMPLE_INTERPOLATE && ask->nfe > 1)
		return err_code(e, EXIT_USAGE,
		                "--interpolate takes further steps at sample.sigma_mid, which a model of method.kind = "
		                "\"meanflow\" does not return to: leave --nfe at 1");
	struct model m = { .s = s, .shape = shape, .seed = ask->seed, .per = (size_t)(shape->h * shape->w * shape->c) };
	SCOPED(free) float *in = xcalloc(CHUNK * m.per, sizeof *in);
	SCOPED(free) float *out = xcalloc(CHUNK * m.per, sizeof *out);
	m.in = in;
	m.out = out;
	return ask->kind == SAMPLE_INTERPOLATE ? run_walks(pictures, &m, c, shape, ask, e)
	                                       : run_edit(pictures, &m, c, shape, ask, e);
}
