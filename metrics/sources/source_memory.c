/* source_memory.c - pictures that are in memory already: self points at n x h x w x c bytes, which stay the
 * caller's. */
#include "metrics/sources/sources.h"

#include <string.h>

static int memory_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	size_t per = (size_t)s->h * (size_t)s->w * (size_t)s->c;
	if (image_u8_shape(im, s->h, s->w, s->c, s->path, e))
		return -1;
	memcpy(im->px, (const uint8_t *)s->self + (size_t)i * per, per);
	return 0;
}

const struct source_kind source_memory = {
	.name = "memory", .text = "pictures in memory", .read = memory_read, .item = source_item_of_array
};
