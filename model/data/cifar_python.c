/* cifar_python.c - a batch of CIFAR-10's Python version (cifar.h): a pickle of a dict whose `data` is uint8 [n, 3072],
 * planes in the order red, green, blue, and whose `labels` is a list. It becomes the records of the binary version. */
#include "model/data/cifar.h"

#include "model/base/mem.h"
#include "model/formats/pickle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool cifar_is_pickle(const uint8_t *bytes, size_t n)
{
	return n >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5;
}

static int to_records(uint8_t **out, int64_t *size, const struct pk_value *batch, const char *name, struct err *e)
{
	const struct pk_value *data = pickle_get(batch, "data"), *labels = pickle_get(batch, "labels");
	if (!data || !labels || data->kind != PK_ARRAY || !data->array.data || labels->kind != PK_LIST)
		return err_set(e, "%s: a pickle without an array data and a list labels: not CIFAR-10's Python version", name);
	const struct npy_info *info = &data->array.dtype.info;
	char text[128];
	if (info->kind != NPY_UINT || info->item != 1 || info->n_dims != 2 || info->dims[1] != CIFAR_PIXELS ||
	    info->fortran)
		return err_set(e, "%s: data is %s; CIFAR-10 has uint8 (n, %d)", name, npy_describe(text, info), CIFAR_PIXELS);
	if (!info->count || labels->seq.n != (uint64_t)info->dims[0])
		return err_set(e, "%s: %zu labels for %" PRId64 " pictures", name, labels->seq.n, info->dims[0]);
	uint8_t *records = xmalloc((size_t)info->dims[0] * CIFAR_RECORD);
	for (int64_t i = 0; i < info->dims[0]; i++) {
		const struct pk_value *label = labels->seq.v[i];
		if (label->kind != PK_INT || label->i < 0 || label->i >= CIFAR_CLASSES) {
			free(records);
			return err_set(e, "%s: label %" PRId64 " is not one of 0 to %d", name, i, CIFAR_CLASSES - 1);
		}
		records[i * CIFAR_RECORD] = (uint8_t)label->i;
		memcpy(records + i * CIFAR_RECORD + 1, data->array.data + i * CIFAR_PIXELS, CIFAR_PIXELS);
	}
	*out = records;
	*size = info->dims[0] * CIFAR_RECORD;
	return 0;
}

int cifar_from_pickle(uint8_t **out, int64_t *size, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	struct arena arena = { 0 };
	struct pk_value *batch;
	size_t used;
	int rc = pickle_load_numpy(&batch, &used, &arena, bytes, n, name, e);
	if (!rc)
		rc = to_records(out, size, batch, name, e);
	arena_release(&arena);
	return rc;
}
