/* bench_features.c - see bench_features.h. */
#include "harness/bench/bench_features.h"

#include "harness/bench/bench_noise.h"
#include "harness/bench/bench_rounds.h"
#include "harness/bench/bench_weights.h"
#include "model/base/mem.h"
#include "model/base/progress.h"
#include "model/cpu/devices.h"
#include "model/frozen/inception.h"
#include "model/frozen/resize.h"
#include "model/frozen/vit.h"
#include "model/train/model.h"

#include <math.h>
#include <stdlib.h>

enum { PICTURES = 4, MAX_CONFIGS = 2 };

/* What both networks need. */
struct desk {
	const struct bench_features *ask;
	struct bench_folder folder;
	struct bench_rates peer;
	struct safetensors weights;
	struct arena arena;
	struct backend *b;
	bool host;
	int batch, dim;
	uint8_t pixels[PICTURES][BENCH_NOISE_BYTES];
	struct image_u8 *images; /* of a batch */
	float *features;
	struct bench_entry configs[MAX_CONFIGS];
	double open_s[MAX_CONFIGS];
	int n;
};

static int desk_open(struct desk *d, const struct bench_features *ask, int batch, int dim, struct err *e)
{
	d->ask = ask;
	d->batch = ask->batch > 0 ? ask->batch : batch;
	d->dim = dim;
	int n = d->batch > PICTURES ? d->batch : PICTURES;
	d->images = xcalloc((size_t)n, sizeof *d->images);
	d->features = xmalloc((size_t)n * (size_t)dim * sizeof *d->features);
	for (int i = 0; i < PICTURES; i++)
		bench_noise(d->pixels[i], i, 256);
	for (int i = 0; i < n; i++)
		d->images[i] =
			(struct image_u8){ .h = BENCH_NOISE_SIDE, .w = BENCH_NOISE_SIDE, .c = 3, .px = d->pixels[i % PICTURES] };
	if (backend_open(&d->b, ask->target.device, ask->target.dtype, e))
		return -1;
	d->host = d->b->ops->host_memory;
	return ask->peer && !d->host ? err_code(e, EXIT_USAGE, "--peer is for the CPU") : 0;
}

static void desk_release(struct desk *d)
{
	bench_folder_remove(&d->folder);
	bench_weights_release(&d->weights);
	arena_release(&d->arena);
	backend_free(d->b);
	free(d->images);
	free(d->features);
}

static struct bench_entry *desk_add(struct desk *d, double since)
{
	REQUIRE(d->n < MAX_CONFIGS);
	d->open_s[d->n] = monotonic_s() - since;
	struct bench_entry *c = &d->configs[d->n++];
	*c = (struct bench_entry){ .in0 = d->images, .out = d->features };
	return c;
}

/* The peer's weights and pictures. */
static int desk_peer(struct desk *d, const char *network, struct err *e)
{
	static const char *const subs[] = { "pictures", NULL };
	if (!d->ask->peer)
		return 0;
	if (bench_folder_make(&d->folder, subs, e))
		return -1;
	const char *folder = d->folder.path, *weights = arena_strfmt(&d->arena, "%s/weights.safetensors", folder);
	d->peer = (struct bench_rates){ .peer = { d->ask->peer, model_threads(), folder, weights },
		                            .network = network,
		                            .pictures = arena_strfmt(&d->arena, "%s/pictures", folder) };
	return bench_noise_write(d->peer.pictures, PICTURES, 256, e) ||
	               safetensors_write(weights, d->weights.tensors, d->weights.n_tensors, NULL, 0, NULL, e)
	           ? -1
	           : 0;
}

/* The rounds, when all configurations are open. */
static int desk_measure(json_t *out, struct desk *d, struct err *e)
{
	double ceiling = d->host ? bench_gemm_ceiling() : bench_device_ceiling(d->b, e);
	if (!(ceiling > 0))
		return err_in(e, "the matrix product beside it");
	d->configs[0].run(&d->configs[0], PICTURES);
	for (int i = 0; i < PICTURES * d->dim; i++)
		d->peer.mean_abs += fabs((double)d->features[i]) / (PICTURES * d->dim);
	struct bench_rounds r = { .unit = "images",
		                      .batch = d->batch,
		                      .rounds = d->ask->rounds > 0 ? d->ask->rounds : BENCH_ROUNDS,
		                      .seconds = d->ask->seconds,
		                      .ceiling = ceiling,
		                      .peer = d->ask->peer ? &d->peer : NULL };
	size_t before = json_array_size(out);
	if (bench_rounds(out, d->configs, d->n, &r, e))
		return -1;
	for (int i = 0; i < d->n; i++)
		(void)json_object_set_new(json_array_get(out, before + (size_t)i), "open_s", json_real(d->open_s[i]));
	return 0;
}

/* ---- Inception ---- */

static void run_inception(struct bench_entry *c, int n)
{
	struct err e = ERR_INIT;
	struct inception_out out = { .d2048 = c->out };
	if (inception_run_pictures(c->net, &out, c->in0, n, RESIZE_TORCH_BILINEAR, &e))
		BUG("%s", e.msg);
}

static int open_inception(struct desk *d, bool bf16, double gflop, struct err *e)
{
	struct inception *net;
	struct device_moments *moments; /* a FID's, in addition to the features */
	double start = monotonic_s();
	if (d->host ? inception_open(&net, INCEPTION_2015, &d->weights, bf16, e)
	            : inception_open_on(&net, INCEPTION_2015, &d->weights, d->b, d->batch, e))
		return -1;
	struct bench_entry *c = desk_add(d, start);
	c->name = arena_strfmt(&d->arena, "inception-2015 %s", dtype_name(bf16 ? DTYPE_BF16 : d->ask->target.dtype));
	c->net = net;
	c->run = run_inception;
	c->gflop = gflop;
	return inception_count(&moments, net, e);
}

static double inception_gflop(void)
{
	struct cnn table = { 0 };
	struct inception_taps taps;
	inception_describe(&table, &taps, INCEPTION_2015);
	double gflop = cnn_flops(&table) / 1e9;
	cnn_release(&table);
	return gflop;
}

int bench_features(json_t *out, const struct bench_features *o, struct err *e)
{
	struct desk d = { 0 };
	int rc = desk_open(&d, o, 8, 2048, e);
	if (rc == 0) {
		double gflop = inception_gflop();
		bench_weights_inception(&d.weights, &d.arena);
		rc = desk_peer(&d, "inception", e) || open_inception(&d, false, gflop, e) ||
		             (d.host && cnn_bf16_available() && open_inception(&d, true, gflop, e)) || desk_measure(out, &d, e)
		         ? -1
		         : 0;
	}
	for (int i = 0; i < d.n; i++)
		inception_free(d.configs[i].net);
	desk_release(&d);
	return rc;
}

/* ---- DINOv2 ---- */

static void run_vit(struct bench_entry *c, int n)
{
	struct err e = ERR_INIT;
	if (vit_run(c->net, c->out, c->in0, n, &e))
		BUG("%s", e.msg);
}

static bool vit_list(const void *ctx, int i, char name[96], int *n_dims, int64_t dims[ST_MAX_DIMS])
{
	return vit_weight(ctx, i, name, n_dims, dims);
}

/* Its products and attention, of a picture. */
static double vit_gflop(const struct vit_spec *s)
{
	double grid = s->side / s->patch, t = 1 + grid * grid, w = s->width;
	double block = 2 * t * w * (4 * w + 2 * s->mlp) + 4 * t * t * w;
	return (s->blocks * block + 2 * grid * grid * 3 * s->patch * s->patch * w) / 1e9;
}

int bench_dinov2(json_t *out, const struct bench_features *o, struct err *e)
{
	const struct vit_spec *s = &vit_dinov2_l14;
	struct desk d = { 0 };
	struct vit *net = NULL;
	int rc = desk_open(&d, o, 8, s->dim, e);
	if (rc == 0) {
		bench_weights_make(&d.weights, &d.arena, vit_list, s);
		double start = monotonic_s();
		rc = desk_peer(&d, "dinov2", e) || vit_open(&net, s, &d.weights, d.b, d.batch, e) ? -1 : 0;
		if (rc == 0) {
			struct bench_entry *c = desk_add(&d, start);
			c->name = arena_strfmt(&d.arena, "dinov2 %s", dtype_name(o->target.dtype));
			c->net = net;
			c->run = run_vit;
			c->gflop = vit_gflop(s);
			rc = desk_measure(out, &d, e);
		}
	}
	vit_free(net);
	desk_release(&d);
	return rc;
}
