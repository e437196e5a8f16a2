/* cmd-lpips.c - `ablate lpips`: the learned perceptual distance of pictures, pair by pair. */
#include "harness/cli/cmd.h"
#include "harness/cli/device_option.h"
#include "harness/commands/score_cli.h"
#include "harness/text/escape.h"
#include "harness/text/json_out.h"
#include "harness/text/terminal.h"
#include "model/cpu/devices.h"

#include "metrics/sources/sources.h"
#include "metrics/weights/weights.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/base/str.h"
#include "model/data/image_decode.h"
#include "model/frozen/lpips.h"
#include "model/frozen/resize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16, PIXELS_MAX = 4 << 20 };

/* One side: a source, or a single picture. */
struct side {
	struct source *source;
	struct source_ahead *ahead;
	struct image_u8 one;
	const char *path;
	int64_t n;
};

static void side_release(struct side *s)
{
	source_ahead_free(s->ahead);
	source_free(s->source);
	image_u8_release(&s->one);
}

static int side_open(struct side *s, const struct cli *c, const char *path, struct err *e)
{
	SCOPED(str) struct str file = { 0 };
	struct err ignored = ERR_INIT;
	s->path = path;
	s->n = 1;
	if (io_is_dir(path) || io_is_special(path) || io_read(&file, path, SOURCE_MAX_FILE, &ignored) ||
	    !image_format_of((const uint8_t *)file.data, file.len)) {
		if (source_find(&s->source, path, SPLIT_TRAIN, e))
			return -1;
		cli_warn_lines(c, str_text(&s->source->notes));
		s->n = s->source->n;
		return 0;
	}
	return image_u8_decode(&s->one, (const uint8_t *)file.data, file.len, path, e);
}

static char *side_item(const struct side *s, int64_t i)
{
	return s->source ? source_item(s->source, i) : xstrdup(s->path);
}

/* The next batch. */
static int side_next(struct side *s, const struct image_u8 **images, struct err *e)
{
	int n;
	if (s->source && !s->ahead)
		s->ahead = source_ahead_new(s->source, s->n, BATCH);
	*images = &s->one;
	if (s->source && source_ahead_next(s->ahead, images, &n, e))
		return -1;
	if ((int64_t)(*images)->h * (*images)->w > PIXELS_MAX) /* those of a source all have one size */
		return err_set(e, "%s: %d x %d pixels; LPIPS takes pictures up to 4 megapixels", s->path, (*images)->h,
		               (*images)->w);
	return 0;
}

/* In [-1, 1]; side: resampled to side x side by then, 0 as it is. */
static void to_floats(float *dst, const struct image_u8 *im, int side)
{
	SCOPED(free) float *whole = side ? xmalloc(sizeof *whole * (size_t)im->h * (size_t)im->w * 3) : NULL;
	float *at = side ? whole : dst;
	for (int i = 0; i < im->h * im->w; i++)
		for (int k = 0; k < 3; k++)
			*at++ = (float)im->px[im->c == 3 ? 3 * i + k : i] / 127.5f - 1;
	if (side)
		resize_f32(dst, side, side, whole, im->h, im->w, 3, RESIZE_TORCH_BILINEAR);
}

struct run {
	struct cli *c;
	struct side a, b;
	int resize; /* both sides, before the network: 0 = as they are */
	struct lpips_options o;
	struct backend *device;
	struct lpips *l;
	struct {
		char sha256[SHA256_HEX];
		bool published;
	} weights[2];              /* backbone, heads */
	float *in0, *in1;          /* a batch */
	double *distance, *layers; /* [n], [n][taps] */
};

static int open_network(struct run *r, int h, int w, struct err *e)
{
	const char *name = lpips_net_name(r->o.net);
	SCOPED(free) char *backbone_name = xstrfmt("lpips-%s-backbone", name), *heads_name = xstrfmt("lpips-%s", name);
	SCOPED(weights) struct weights *backbone = NULL, *heads = NULL;
	if (weights_open(&backbone, backbone_name, cli_string(r->c, "backbone", NULL), e) ||
	    weights_open(&heads, heads_name, cli_string(r->c, "heads", NULL), e))
		return -1;
	const struct weights *used[] = { backbone, heads };
	for (int i = 0; i < 2; i++) {
		memcpy(r->weights[i].sha256, used[i]->sha256, SHA256_HEX);
		r->weights[i].published = used[i]->published;
	}
	r->o.h = h;
	r->o.w = w;
	return lpips_open_on(&r->l, &r->o, backbone->st, heads->st, r->device, BATCH, e) ? err_in(e, "%s", r->a.path) : 0;
}

/* Of a first picture's size. */
static int prepare(struct run *r, const struct image_u8 *first, struct err *e)
{
	int h = r->resize ? r->resize : first->h, w = r->resize ? r->resize : first->w;
	size_t n = (size_t)r->a.n, per = (size_t)h * (size_t)w * 3;
	if (open_network(r, h, w, e))
		return -1;
	r->distance = xcalloc(n, sizeof *r->distance);
	r->layers = xcalloc(n * (size_t)lpips_taps(r->l), sizeof *r->layers);
	r->in0 = xmalloc(BATCH * per * sizeof *r->in0);
	r->in1 = xmalloc(BATCH * per * sizeof *r->in1);
	return 0;
}

/* Pairs [first, first + n) through the network, which is opened when the first size is known. */
static int run_batch(struct run *r, int64_t first, int n, struct err *e)
{
	const struct image_u8 *a, *b;
	if (side_next(&r->a, &a, e) || (first == 0 && prepare(r, a, e)) || side_next(&r->b, &b, e))
		return -1;
	if (!r->resize && (a->h != r->o.h || a->w != r->o.w || b->h != r->o.h || b->w != r->o.w)) {
		SCOPED(free) char *left = side_item(&r->a, first), *right = side_item(&r->b, first);
		return err_set(e,
		               "%s is %d x %d pixels and %s is %d x %d: LPIPS compares pictures of one size; --resize N "
		               "makes them so",
		               left, a->w, a->h, right, b->w, b->h);
	}
	size_t per = (size_t)r->o.h * (size_t)r->o.w * 3, taps = (size_t)lpips_taps(r->l);
	for (int k = 0; k < n; k++) {
		to_floats(r->in0 + (size_t)k * per, &a[k], r->resize);
		to_floats(r->in1 + (size_t)k * per, &b[k], r->resize);
	}
	return lpips_run(r->l, r->distance + first, r->layers + (size_t)first * taps, NULL, r->in0, r->in1, n, e);
}

static int run_all(struct run *r, struct err *e)
{
	struct progress p = { .quiet = r->c->quiet };
	terminal_progress(&p, "lpips", "pairs", r->a.n);
	int rc = 0;
	for (int64_t i = 0; rc == 0 && i < r->a.n; i += BATCH) {
		rc = run_batch(r, i, r->a.n - i < BATCH ? (int)(r->a.n - i) : BATCH, e);
		progress_step(&p, i + BATCH < r->a.n ? i + BATCH : r->a.n);
	}
	progress_end(&p);
	return rc;
}

/* "lpips:v0.1:alex:u8:n300"; other weights than the published ones carry the backbone's hash and the heads'. */
static char *protocol(const struct run *r)
{
	SCOPED(str) struct str s = { 0 };
	str_addf(&s, "lpips:v0.1:%s", lpips_net_name(r->o.net));
	for (int i = 0; i < 2; i++)
		if (!r->weights[i].published)
			str_addf(&s, "%s%.8s", i ? "+heads@" : "@", r->weights[i].sha256);
	if (r->o.average)
		str_add(&s, ":average-pool");
	if (r->resize)
		str_addf(&s, ":resize%d", r->resize);
	str_addf(&s, ":u8:n%lld", (long long)r->a.n);
	return str_detach(&s);
}

static void moments(double *mean, double *deviation, const double *x, int64_t n, int64_t stride)
{
	*mean = *deviation = 0;
	for (int64_t i = 0; i < n; i++)
		*mean += x[i * stride] / (double)n;
	for (int64_t i = 0; i < n && n > 1; i++)
		*deviation += (x[i * stride] - *mean) * (x[i * stride] - *mean) / (double)(n - 1);
	*deviation = sqrt(*deviation);
}

static int tell_json(const struct run *r, double mean, double deviation, const char *text)
{
	json_t *layers = json_array(), *pairs = json_array(), *names = json_array();
	int taps = lpips_taps(r->l);
	for (int k = 0; k < taps; k++) {
		double m, d;
		moments(&m, &d, r->layers + k, r->a.n, taps);
		(void)json_array_append_new(layers, json_real(m));
	}
	for (int64_t i = 0; i < r->a.n; i++) {
		SCOPED(free) char *a = side_item(&r->a, i), *b = side_item(&r->b, i);
		(void)json_array_append_new(pairs, json_real(r->distance[i]));
		(void)json_array_append_new(names, json_pack("[o, o]", json_out_text(a), json_out_text(b)));
	}
	return cli_print_json(r->c, json_pack("{s:f, s:f, s:I, s:o, s:o, s:o, s:s}", "lpips", mean, "deviation", deviation,
	                                      "n", (json_int_t)r->a.n, "layers", layers, "pairs", pairs, "names", names,
	                                      "protocol", text));
}

static int tell(const struct run *r)
{
	double mean, deviation;
	SCOPED(free) char *text = protocol(r);
	moments(&mean, &deviation, r->distance, r->a.n, 1);
	if (r->c->json)
		return tell_json(r, mean, deviation, text);
	if (cli_flag(r->c, "each"))
		for (int64_t i = 0; i < r->a.n; i++) {
			SCOPED(free) char *a = side_item(&r->a, i), *b = side_item(&r->b, i);
			SCOPED(str) struct str line = { 0 };
			escape_plain(&line, a);
			str_add(&line, "  ");
			escape_plain(&line, b);
			printf("%.9f  %s\n", r->distance[i], str_text(&line));
		}
	if (r->a.n == 1)
		printf("lpips %.6f  %s\n", mean, text);
	else
		printf("lpips %.6f, deviation %.6f over %lld pair%s  %s\n", mean, deviation, (long long)r->a.n,
		       str_plural(r->a.n), text);
	return EXIT_OK;
}

/* By name where both sides have names. */
static int pair_up(struct run *r, struct err *e)
{
	bool named;
	if (r->a.source && r->b.source && !cli_flag(r->c, "by-order"))
		return source_pair(r->a.source, &r->b.source, &named, e);
	return r->a.n == r->b.n ? 0
	                        : err_set(e, "%s has %lld pictures and %s %lld: LPIPS compares pairs", r->a.path,
	                                  (long long)r->a.n, r->b.path, (long long)r->b.n);
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	struct run r = { .c = c,
		             .resize = (int)cli_int(c, "resize", 0),
		             .o = { .average = cli_flag(c, "average-pool") > 0 } };
	device_warn(c, "auto");
	int rc = lpips_net_by_name(&r.o.net, cli_string(c, "net", "alex"), &e) ||
	                 backend_open(&r.device, cli_string(c, "device", "auto"), DTYPE_FP32, &e) ||
	                 side_open(&r.a, c, c->args[0], &e) || side_open(&r.b, c, c->args[1], &e)
	             ? -1
	             : 0;
	rc = rc || pair_up(&r, &e) || run_all(&r, &e) ? cli_fail(c, &e) : tell(&r);
	lpips_free(r.l);
	backend_free(r.device);
	free(r.in0);
	free(r.in1);
	free(r.distance);
	free(r.layers);
	side_release(&r.a);
	side_release(&r.b);
	return rc;
}

static const struct opt options[] = {
	{ .name = "net", .kind = OPT_STRING, .arg = "alex|vgg|squeeze", .help = "backbone (alex)" },
	{ .name = "backbone", .kind = OPT_STRING, .arg = "FILE", .help = "its weights, instead of those in the cache" },
	{ .name = "heads",
	  .kind = OPT_STRING,
	  .arg = "FILE",
	  .help = "weights of the linear heads, instead of those in the cache" },
	{ .name = "average-pool",
	  .kind = OPT_FLAG,
	  .help = "average pools instead of maximum pools, as in the training of consistency_models" },
	{ .name = "resize",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 16,
	  .max = 2048,
	  .help = "resample all to N x N first (bilinear, without antialias)" },
	{ .name = "by-order", .kind = OPT_FLAG, .help = "pair pictures in their order, whatever their names" },
	{ .name = "device", .kind = OPT_STRING, .arg = "D", .help = "auto, cpu, cuda or cuda:N (default auto)" },
	{ .name = "each", .kind = OPT_FLAG, .help = "also one line per pair, with both names" },
	{ 0 },
};

static const struct json_key json_keys[] = {
	JSON_KEY("lpips", "number", "mean distance of the pairs"),
	JSON_KEY("deviation", "number", "its standard deviation over them"),
	JSON_KEY("n", "integer", "pairs"),
	JSON_KEY("layers", "number[]", "mean contribution of each layer of the backbone"),
	JSON_KEY("pairs", "number[]", "distance of each pair"),
	JSON_KEY("names", "string[][]", "the two images of each pair"),
	JSON_KEY("protocol", "string", "all that a comparable value has to share"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("", json_keys, .unseen = "weights of LPIPS (tests/harness/commands/test_cmd_lpips.c)"), { 0 }
};

const struct cmd cmd_lpips = {
	.name = "lpips",
	.args = "A B",
	.summary = "learned perceptual distance of images A and B, pair by pair",
	.help =
		"LPIPS v0.1. A and B are two pictures, or two sources with as many pictures each. Files pair by their names, "
		"whatever the endings; pictures without names (arrays, data sets) by their order. Needs the weights of a "
		"backbone and its heads: `ablate weights list`.",
	.options = options,
	.computes = true,
	.json = json,
	.run = run,
};
