/* test_draw.c - the pictures of a batch, paired with their noise by optimal transport: the same pictures as without, in
 * the order with the least sum of squared distances, whatever part of the batch is asked for. */
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/train/draw.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 7, PICTURES = 23, SIDE = 3, CHANNELS = 3, VALUES = SIDE * SIDE * CHANNELS, SEED = 5, STEP = 4 };

static uint8_t images[PICTURES * VALUES];
static uint16_t labels[PICTURES];

/* Each row falls off to the left or to the right, so that a mirrored picture is nearly its negative. */
static struct dataset pictures(void)
{
	for (int i = 0; i < PICTURES * VALUES; i++) {
		int row = i / (SIDE * CHANNELS), x = i / CHANNELS % SIDE;
		images[i] = (uint8_t)(rng_uniform(1, RNG_SYNTHETIC, 0, (uint64_t)row) * (x == 0 ? 200 : 0) +
		                      rng_uniform(1, RNG_SYNTHETIC, 1, (uint64_t)row) * (x == SIDE - 1 ? 55 : 0));
	}
	for (int i = 0; i < PICTURES; i++)
		labels[i] = (uint16_t)(100 + i);
	return (struct dataset){
		.n = PICTURES, .h = SIDE, .w = SIDE, .c = CHANNELS, .classes = 200, .images = images, .labels = labels
	};
}

static struct run_config settings(const char *pairing)
{
	struct run_config c;
	struct err e = ERR_INIT;
	config_defaults(&c);
	c.train.batch = BATCH;
	cr_assert_eq(config_set_text(&c, "noise.pairing", pairing, &e), 0, "%s", e.msg);
	return c;
}

static void draw(struct sample_draw *out, const struct run_config *c, const struct dataset *data, int first, int n)
{
	struct draws d = { .c = c, .data = data, .seed = SEED };
	draw_images(out, &d, STEP, first, n);
	draws_release(&d);
}

/* ||x - z||^2 of a drawn picture and the noise of a place in the batch, from the bytes. */
static double distance(const struct sample_draw *d, int place)
{
	float z[VALUES];
	double sum = 0;
	rng_normal(z, VALUES, SEED, RNG_NOISE, STEP, (uint64_t)(place * ((VALUES + 3) / 4 * 4)));
	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			for (int c = 0; c < CHANNELS; c++) {
				int from = d->flip ? SIDE - 1 - x : x;
				double v = images[d->image * VALUES + (y * SIDE + from) * CHANNELS + c] / 127.5 - 1;
				double far = v - z[(y * SIDE + x) * CHANNELS + c];
				sum += far * far;
			}
	return sum;
}

static double least(const struct sample_draw *d, int place, unsigned taken)
{
	double best = INFINITY;
	if (place == BATCH)
		return 0;
	for (int i = 0; i < BATCH; i++)
		if (!(taken & (1u << i)))
			best = fmin(best, distance(&d[i], place) + least(d, place + 1, taken | (1u << i)));
	return best;
}

static bool same(const struct sample_draw *a, const struct sample_draw *b)
{
	return a->image == b->image && a->flip == b->flip && a->label == b->label;
}

Test(draw, pairs_have_the_least_sum_of_squared_distances)
{
	struct dataset data = pictures();
	struct run_config any = settings("independent"), paired = settings("transport");
	struct sample_draw a[BATCH], b[BATCH];
	double before = 0, after = 0;
	bool mirrored = false;
	draw(a, &any, &data, 0, BATCH);
	draw(b, &paired, &data, 0, BATCH);
	for (int i = 0; i < BATCH; i++) {
		int times = 0;
		for (int j = 0; j < BATCH; j++)
			times += same(&a[i], &b[j]);
		cr_expect_eq(times, 1, "the picture of place %d", i);
		cr_expect_eq(a[i].label, 100 + a[i].image);
		mirrored = mirrored || a[i].flip;
		before += distance(&a[i], i);
		after += distance(&b[i], i);
	}
	cr_expect(mirrored, "no picture is mirrored: a flip that is left out would not show");
	cr_expect_float_eq(after, least(a, 0, 0), 1e-9 * after);
	cr_expect_lt(after, before);
}

/* Micro-batches and processes ask for parts of a batch, and every one of them pairs the whole. */
Test(draw, a_part_of_a_batch_is_that_of_the_whole)
{
	struct dataset data = pictures();
	struct run_config c = settings("transport");
	struct sample_draw whole[BATCH], part[BATCH];
	draw(whole, &c, &data, 0, BATCH);
	for (int n = 1; n < BATCH; n++)
		for (int first = 0; first + n <= BATCH; first++) {
			draw(part, &c, &data, first, n);
			for (int i = 0; i < n; i++)
				cr_assert(same(&part[i], &whole[first + i]), "%d from %d on", n, first);
		}
}

/* What is kept between the parts of a step is not kept beyond it. */
Test(draw, every_step_is_paired_anew)
{
	struct dataset data = pictures();
	struct run_config c = settings("transport");
	struct draws d = { .c = &c, .data = &data, .seed = SEED };
	struct sample_draw alone[BATCH], after[BATCH];
	draw(alone, &c, &data, 0, BATCH);
	draw_images(after, &d, STEP - 1, 0, BATCH);
	draw_images(after, &d, STEP, 0, BATCH);
	for (int i = 0; i < BATCH; i++)
		cr_assert(same(&alone[i], &after[i]), "place %d", i);
	draws_release(&d);
}
