/* image_u8.c - see image_u8.h. */
#include "model/data/image_u8.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

void image_u8_release(struct image_u8 *im)
{
	free(im->px);
	*im = (struct image_u8){ 0 };
}

void scoped_image_u8(struct image_u8 *im)
{
	image_u8_release(im);
}

int image_u8_check(int64_t h, int64_t w, const char *name, struct err *e)
{
	if (h < 1 || w < 1)
		return err_set(e, "%s: an image of %lld x %lld pixels", name, (long long)w, (long long)h);
	if (h > IMAGE_MAX_PIXELS || w > IMAGE_MAX_PIXELS || h * w > IMAGE_MAX_PIXELS)
		return err_set(e, "%s: %lld x %lld pixels is over the limit of %d megapixels", name, (long long)w, (long long)h,
		               IMAGE_MAX_PIXELS / 1000000);
	return 0;
}

int image_u8_shape(struct image_u8 *im, int64_t h, int64_t w, int c, const char *name, struct err *e)
{
	if (image_u8_check(h, w, name, e))
		return -1;
	size_t need = (size_t)h * (size_t)w * (size_t)c;
	if (need > im->cap) {
		free(im->px);
		im->px = xmalloc(need);
		im->cap = need;
	}
	im->h = (int)h;
	im->w = (int)w;
	im->c = c;
	return 0;
}

void image_u8_to_grey(struct image_u8 *im)
{
	if (im->c == 1)
		return;
	size_t n = (size_t)im->h * (size_t)im->w;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = im->px + 3 * i;
		im->px[i] = (uint8_t)((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
	}
	im->c = 1;
}

void image_u8_to_rgb(struct image_u8 *im)
{
	if (im->c == 3)
		return;
	size_t n = (size_t)im->h * (size_t)im->w;
	if (im->cap < 3 * n) {
		im->px = xrealloc(im->px, 3 * n, 1);
		im->cap = 3 * n;
	}
	for (size_t i = n; i-- > 0;)
		im->px[3 * i] = im->px[3 * i + 1] = im->px[3 * i + 2] = im->px[i];
	im->c = 3;
}
