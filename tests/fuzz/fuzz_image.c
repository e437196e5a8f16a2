/* fuzz_image.c - any bytes as a picture (PNG, JPEG, WebP, TIFF): decoded whole or refused with a message that names the
 * file. */
#include "model/data/image_decode.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPED(image_u8) struct image_u8 im = { 0 };
	struct err e = ERR_INIT;
	/* Large sizes are legal and slow; here they would only hide the parser. PNG: big-endian width and height at 16. */
	if (size >= 24 && data[0] == 0x89 && (data[16] || data[17] || data[18] > 7 || data[20] || data[21] || data[22] > 7))
		return 0;
	if (image_u8_decode(&im, data, size, "fuzz", &e)) {
		REQUIRE(strncmp(e.msg, "fuzz: ", 6) == 0);
		return 0;
	}
	unsigned sum = 0;
	for (size_t i = 0; i < (size_t)im.h * (size_t)im.w * (size_t)im.c; i++)
		sum += im.px[i];
	image_u8_to_grey(&im);
	return sum == 0x7fffffff;
}
