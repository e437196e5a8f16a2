/* mutate_safetensors.c - safetensors for fuzz_safetensors.c: a header of JSON with its length, and, three times of
 * four, offsets and payload as the element types and shapes ask for. */
#include "model/formats/safetensors.h"
#include "tests/fuzz/mutate.h"

#include <string.h>

static const char *const words[] = { "F64", "I64", "F32",   "F16",          "BF16",         "U8", "dtype",
	                                 "I8",  "",    "shape", "data_offsets", "__metadata__", "a",  "b" };
enum { PAYLOAD_MAX = 1 << 14 };

static size_t element_bytes(const json_t *dtype)
{
	for (int i = 0; i < ST_N_DTYPES; i++)
		if (json_is_string(dtype) && strcmp(json_string_value(dtype), st_dtype_name((enum st_dtype)i)) == 0)
			return st_dtype_size((enum st_dtype)i);
	return 1;
}

/* Tensors one after the other, each as long as it says; how long all are together. */
static size_t lay_out(json_t *header)
{
	size_t at = 0;
	const char *name;
	json_t *tensor, *extent;
	json_object_foreach(header, name, tensor)
	{
		size_t n = element_bytes(json_object_get(tensor, "dtype")), i;
		if (!json_is_object(tensor) || strcmp(name, "__metadata__") == 0)
			continue;
		json_array_foreach(json_object_get(tensor, "shape"), i, extent) n *= (size_t)json_integer_value(extent);
		if (n > PAYLOAD_MAX - at)
			continue;
		size_t end = at + n;
		(void)json_object_set_new(tensor, "data_offsets", json_pack("[I,I]", (json_int_t)at, (json_int_t)end));
		at = end;
	}
	return at;
}

static void write_file(struct str *out, json_t *header, const uint8_t *payload, size_t n, size_t want)
{
	SCOPED(free) char *text = json_dumps(header, JSON_COMPACT | JSON_ENCODE_ANY);
	uint64_t len = text ? strlen(text) : 0;
	for (int i = 0; i < 8; i++)
		str_addc(out, (char)(uint8_t)(len >> 8 * i));
	str_add(out, text ? text : "");
	str_addn(out, payload, n < want ? n : want);
	for (size_t i = n; i < want; i++)
		str_addc(out, (char)(uint8_t)(i * 37));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct dice d = { seed };
	SCOPED(str) struct str out = { 0 };
	uint64_t len = 0;
	for (size_t i = 8; size >= 8 && i-- > 0;)
		len = len << 8 | data[i];
	json_t *header = size >= 8 && len <= size - 8 ? json_loadb((const char *)data + 8, len, 0, NULL) : NULL;
	if (!header || dice_one_in(&d, 8)) {
		json_decref(header);
		return LLVMFuzzerMutate(data, size, max);
	}
	for (uint32_t i = 0, n = 1 + dice_below(&d, 3); i < n; i++)
		mutate_json(header, &d, WORDS(words));
	size_t have = size - 8 - len, want = dice_one_in(&d, 4) ? have : lay_out(header);
	write_file(&out, header, data + 8 + len, have, want);
	json_decref(header);
	return mutate_give(data, size, max, &out);
}
