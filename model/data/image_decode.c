/* image_decode.c - see image_decode.h. */
#include "model/data/image_decode.h"

#include "model/data/image_jpeg.h"
#include "model/data/image_png.h"

int image_u8_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	if (n == 0)
		return err_set(e, "%s: empty file, not an image", name);
	if (image_png_is(bytes, n))
		return image_png_decode(im, bytes, n, name, e);
	if (image_jpeg_is(bytes, n))
		return image_jpeg_decode(im, bytes, n, name, e);
	return err_set(e, "%s: neither PNG nor JPEG by its first bytes", name);
}
