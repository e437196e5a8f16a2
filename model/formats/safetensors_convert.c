/* safetensors_convert.c - element types to float and double, 16-bit formats included. Sources may be
 * unaligned, so elements are fetched with memcpy, which the compiler turns into plain loads. */
#include "model/formats/safetensors.h"

#include "model/base/mem.h"

#include <string.h>

static float from_bits(uint32_t bits)
{
	float x;
	memcpy(&x, &bits, sizeof x);
	return x;
}

static uint32_t bits_of(float x)
{
	uint32_t bits;
	memcpy(&bits, &x, sizeof bits);
	return bits;
}

float st_bf16_to_f32(uint16_t h)
{
	return from_bits((uint32_t)h << 16);
}

/* The half's exponent and mantissa, moved up by 13 bits, are a float that is 2^112 too small; multiplying is exact and
 * also renormalises subnormals. Infinity and NaN get the float's own top exponent. */
float st_f16_to_f32(uint16_t h)
{
	uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
	uint32_t scaled = bits_of(from_bits(magnitude) * 0x1p112f);
	uint32_t special = (h & 0x7c00) == 0x7c00 ? magnitude | 0x7f800000u : scaled;
	return from_bits(special | (uint32_t)(h & 0x8000) << 16);
}

#define EACH(type, expr) \
	for (size_t i = 0; i < n; i++) { \
		type v; \
		memcpy(&v, src + i * sizeof v, sizeof v); \
		dst[i] = expr; \
	}

void st_to_f32(float *dst, const struct st_tensor *t)
{
	const unsigned char *src = t->data;
	size_t n = st_count(t);
	switch (t->dtype) {
	case ST_F64: EACH(double, (float)v) return;
	case ST_I64: EACH(int64_t, (float)v) return;
	case ST_F32:
		if (n)
			memcpy(dst, src, n * sizeof *dst);
		return;
	case ST_F16: EACH(uint16_t, st_f16_to_f32(v)) return;
	case ST_BF16: EACH(uint16_t, st_bf16_to_f32(v)) return;
	case ST_U8: EACH(uint8_t, (float)v) return;
	case ST_N_DTYPES: break;
	}
	BUG("%s: dtype %d", t->name, (int)t->dtype);
}

void st_to_f64(double *dst, const struct st_tensor *t)
{
	const unsigned char *src = t->data;
	size_t n = st_count(t);
	switch (t->dtype) {
	case ST_F64:
		if (n)
			memcpy(dst, src, n * sizeof *dst);
		return;
	case ST_I64: EACH(int64_t, (double)v) return;
	case ST_F32: EACH(float, (double)v) return;
	case ST_F16: EACH(uint16_t, (double)st_f16_to_f32(v)) return;
	case ST_BF16: EACH(uint16_t, (double)st_bf16_to_f32(v)) return;
	case ST_U8: EACH(uint8_t, (double)v) return;
	case ST_N_DTYPES: break;
	}
	BUG("%s: dtype %d", t->name, (int)t->dtype);
}
