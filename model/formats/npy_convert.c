/* npy_convert.c - a whole array as doubles or floats (npy.h), from wherever its bytes come in order. */
#include "model/formats/npy.h"

#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* data [cols][rows] becomes [rows][cols]. */
static void turn(char **data, int64_t rows, int64_t cols, size_t size)
{
	char *turned = xmalloc((size_t)(rows * cols) * size + 1);
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < cols; j++)
			memcpy(turned + (size_t)(i * cols + j) * size, *data + (size_t)(j * rows + i) * size, size);
	free(*data);
	*data = turned;
}

int npy_convert(void **out, const struct npy_info *info, int64_t max_count, size_t size,
                int (*more)(void *ctx, void *buf, size_t n, struct err *e), void *ctx, const char *name, struct err *e)
{
	char text[128];
	if (info->fortran && info->n_dims > 2)
		return err_set(e, "%s: %s in Fortran order; save it with numpy.ascontiguousarray", name,
		               npy_describe(text, info));
	if (info->kind == NPY_BYTES)
		return err_set(e, "%s: %s: expected numbers", name, npy_describe(text, info));
	if (info->count > max_count)
		return err_set(e, "%s: %s: more than %lld elements", name, npy_describe(text, info), (long long)max_count);
	enum { CHUNK = 1 << 16 };
	SCOPED(free) uint8_t *raw = xmalloc(CHUNK * 8);
	SCOPED(free) char *data = xmalloc(info->count ? (size_t)info->count * size : 1);
	for (int64_t at = 0; at < info->count; at += CHUNK) {
		int64_t n = info->count - at < CHUNK ? info->count - at : CHUNK;
		if (more(ctx, raw, (size_t)(n * info->item), e))
			return -1;
		if (size == sizeof(double))
			npy_to_double((double *)(void *)data + at, info, raw, 0, n);
		else
			npy_to_float((float *)(void *)data + at, info, raw, 0, n);
	}
	if (info->fortran && info->count) /* of no elements one extent may be anything */
		turn(&data, info->dims[0], info->dims[1], size);
	*out = data;
	data = NULL;
	return 0;
}
