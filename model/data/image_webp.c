/* image_webp.c - see image_webp.h. A file is RIFF: "RIFF", its size, "WEBP", chunks (RFC 9649). */
#include "model/data/image_webp.h"

#include <string.h>

#ifdef ABLATE_WEBP
#include <webp/decode.h>
#endif

bool image_webp_is(const uint8_t *bytes, size_t n)
{
	return n >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

#ifdef ABLATE_WEBP

static int failed(VP8StatusCode code, const char *name, struct err *e)
{
	if (code == VP8_STATUS_NOT_ENOUGH_DATA)
		return err_set(e, "%s: truncated WebP", name);
	return err_set(e, "%s: damaged WebP", name);
}

int image_webp_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	WebPDecoderConfig c;
	if (!WebPInitDecoderConfig(&c))
		BUG("libwebp is of another version than its header");
	VP8StatusCode code = WebPGetFeatures(bytes, n, &c.input);
	if (code != VP8_STATUS_OK)
		return failed(code, name, e);
	if (c.input.has_animation)
		return err_set(e, "%s: an animated WebP, and which of its pictures is meant is not known; save one as PNG",
		               name);
	if (image_u8_shape(im, c.input.height, c.input.width, 3, name, e))
		return -1;
	c.output.colorspace = MODE_RGB;
	c.output.is_external_memory = 1;
	c.output.u.RGBA.rgba = im->px;
	c.output.u.RGBA.stride = 3 * im->w;
	c.output.u.RGBA.size = (size_t)im->h * (size_t)im->w * 3;
	code = WebPDecode(bytes, n, &c);
	WebPFreeDecBuffer(&c.output);
	return code == VP8_STATUS_OK ? 0 : failed(code, name, e);
}

bool image_webp_built(void)
{
	return true;
}

#else

int image_webp_decode(struct image_u8 *im, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	(void)im;
	(void)bytes;
	(void)n;
	return err_set(e, "%s: a WebP picture, which this program was built without libwebp to read; convert it to PNG",
	               name);
}

bool image_webp_built(void)
{
	return false;
}

#endif
