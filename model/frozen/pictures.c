/* pictures.c - see pictures.h. */
#include "model/frozen/pictures.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

void picture_values(float *dst, int side, const struct image_u8 *im, enum resize_kind kind, enum picture_scale scale)
{
	resize_u8(dst, side, side, im->px, im->h, im->w, im->c, kind);
	size_t n = (size_t)side * (size_t)side * 3;
	for (size_t k = 0; k < n; k++)
		dst[k] = scale == PICTURE_UNIT     ? (float)(dst[k] / 255.0)
		         : scale == PICTURE_SIGNED ? (float)(dst[k] * (2.0 / 255) - 1)
		                                   : (dst[k] - 128) / 128;
}

bool pictures_alike(const struct image_u8 *images, int n)
{
	for (int i = 1; i < n; i++)
		if (images[i].h != images[0].h || images[i].w != images[0].w || images[i].c != images[0].c)
			return false;
	return true;
}

struct picture_feed {
	struct backend *b;
	int side;
	uint8_t *bytes, *staged; /* on the device, on the host */
	size_t room;
	void *tables; /* on the device: what job points to */
	struct picture_job job;
	enum resize_kind kind;
};

struct picture_feed *picture_feed_new(struct backend *b, int side)
{
	struct picture_feed *f = xcalloc(1, sizeof *f);
	REQUIRE(b->ops->scores);
	f->b = b;
	f->side = side;
	return f;
}

static void forget(struct picture_feed *f, void *p)
{
	if (p)
		f->b->ops->memory.release(f->b, p);
}

void picture_feed_free(struct picture_feed *f)
{
	if (!f)
		return;
	forget(f, f->bytes);
	forget(f, f->tables);
	free(f->staged);
	free(f);
}

/* Where an axis is in the tables, from `at` on: weights, then positions. Returns the end. */
static size_t place_axis(struct picture_axis *out, char *on_device, char *staged, size_t at,
                         const struct resize_axis *ax)
{
	size_t n = (size_t)ax->out, weights = n * (size_t)ax->most * sizeof *ax->w, positions = n * sizeof *ax->from;
	memcpy(staged + at, ax->w, weights);
	memcpy(staged + at + weights, ax->from, positions);
	memcpy(staged + at + weights + positions, ax->n, positions);
	char *first = on_device + at, *from = first + weights, *count = from + positions;
	*out = (struct picture_axis){ (const int *)(const void *)from, (const int *)(const void *)count,
		                          (const double *)(const void *)first, ax->most };
	return (at + weights + 2 * positions + 7) / 8 * 8;
}

static size_t axis_bytes(const struct resize_axis *ax)
{
	return ((size_t)ax->out * ((size_t)ax->most * sizeof *ax->w + 2 * sizeof *ax->from) + 7) / 8 * 8;
}

static int set_tables(struct picture_feed *f, const struct image_u8 *im, enum resize_kind kind, struct err *e)
{
	if (f->tables && f->job.h == im->h && f->job.w == im->w && f->kind == kind)
		return 0;
	struct resize_axis rows, columns;
	resize_axis_make(&rows, f->side, im->h, kind);
	resize_axis_make(&columns, f->side, im->w, kind);
	size_t bytes = axis_bytes(&rows) + axis_bytes(&columns);
	char *staged = xcalloc(bytes, 1);
	forget(f, f->tables);
	f->tables = f->b->ops->memory.alloc(f->b, bytes, e);
	if (f->tables) {
		size_t at = place_axis(&f->job.rows, f->tables, staged, 0, &rows);
		(void)place_axis(&f->job.columns, f->tables, staged, at, &columns);
		f->b->ops->memory.upload(f->b, f->tables, staged, bytes);
		f->job.h = im->h;
		f->job.w = im->w;
		f->kind = kind;
	}
	free(staged);
	resize_axis_release(&rows);
	resize_axis_release(&columns);
	return f->tables ? 0 : -1;
}

static int make_room(struct picture_feed *f, size_t bytes, struct err *e)
{
	if (bytes <= f->room)
		return 0;
	forget(f, f->bytes);
	f->room = 0;
	f->bytes = f->b->ops->memory.alloc(f->b, bytes, e);
	if (!f->bytes)
		return -1;
	f->staged = xrealloc(f->staged, bytes, 1);
	f->room = bytes;
	return 0;
}

int picture_feed_run(struct picture_feed *f, void *dst, bool low, const struct image_u8 *images, int n,
                     enum resize_kind kind, enum picture_scale scale, struct err *e)
{
	size_t each = (size_t)images->h * (size_t)images->w * (size_t)images->c;
	REQUIRE(pictures_alike(images, n));
	if (set_tables(f, images, kind, e) || make_room(f, each * (size_t)n, e))
		return -1;
	for (int i = 0; i < n; i++)
		memcpy(f->staged + (size_t)i * each, images[i].px, each);
	f->b->ops->memory.upload(f->b, f->bytes, f->staged, each * (size_t)n);
	f->job.bytes = f->bytes;
	f->job.n = n;
	f->job.c = images->c;
	f->job.side = f->side;
	f->job.clean = kind == RESIZE_CLEAN;
	f->job.scale = (int)scale;
	f->job.dst = dst;
	f->job.low = low;
	f->b->ops->scores->pictures(f->b, &f->job);
	return 0;
}
