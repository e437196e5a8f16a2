/* vit_picture.c - see vit_picture.h. */
#include "model/frozen/vit_picture.h"

#include "model/base/mem.h"
#include "model/data/image_resize.h"

static const struct {
	const char *name;
	bool square;
	float mean[3], sd[3];
} rules[VIT_FAMILIES] = {
	[VIT_DINOV2] = { "pillow-bicubic", false, { 0.485f, 0.456f, 0.406f }, { 0.229f, 0.224f, 0.225f } },
	[VIT_CLIP] = { "square-pillow-bicubic",
	               true,
	               { 0.48145466f, 0.4578275f, 0.40821073f },
	               { 0.26862954f, 0.26130258f, 0.27577711f } },
};

const char *vit_picture_name(enum vit_family family)
{
	return rules[family].name;
}

/* An RGB copy of the picture, or of its largest centred square. */
static int take(struct image_u8 *out, const struct image_u8 *im, bool square, struct err *e)
{
	int side = im->h < im->w ? im->h : im->w, h = square ? side : im->h, w = square ? side : im->w;
	int top = (im->h - h) / 2, left = (im->w - w) / 2;
	if (image_u8_shape(out, h, w, 3, "a picture", e))
		return -1;
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
			for (int k = 0; k < 3; k++)
				out->px[((size_t)y * (size_t)w + (size_t)x) * 3 + (size_t)k] =
					im->px[((size_t)(top + y) * (size_t)im->w + (size_t)(left + x)) * (size_t)im->c +
				           (size_t)(im->c == 1 ? 0 : k)];
	return 0;
}

int vit_picture(float *dst, const struct vit_spec *s, const struct image_u8 *im, struct err *e)
{
	SCOPED(image_u8) struct image_u8 own = { 0 };
	if (take(&own, im, rules[s->family].square, e) ||
	    image_u8_resize(&own, s->side, s->side, FILTER_BICUBIC, "a picture", e))
		return -1;
	for (int i = 0; i < s->side * s->side * 3; i++)
		dst[i] = ((float)own.px[i] / 255.0f - rules[s->family].mean[i % 3]) / rules[s->family].sd[i % 3];
	return 0;
}
