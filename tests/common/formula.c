/* formula.c - see formula.h. Compiled without contraction of a*b+c, so that each line rounds as it is written. */
#include "tests/common/formula.h"

#include "model/base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t formula_fnv(const char *s)
{
	uint64_t h = 0xCBF29CE484222325u;
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001B3u;
	return h;
}

uint64_t formula_splitmix(uint64_t x)
{
	x += 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
	x = (x ^ x >> 27) * 0x94D049BB133111EBu;
	return x ^ x >> 31;
}

uint64_t formula_hash(const char *s, uint64_t i)
{
	return formula_splitmix(formula_fnv(s) + i);
}

static double unit(uint64_t h)
{
	return (double)(h >> 40) / 8388608.0 - 1.0;
}

double formula_u(const char *s, uint64_t i)
{
	return unit(formula_hash(s, i));
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);
	return n >= k && strcmp(s + n - k, end) == 0;
}

void formula_weight(float *out, const char *key, const int64_t *dims, int n_dims)
{
	size_t n = 1;
	for (int i = 0; i < n_dims; i++)
		n *= (size_t)dims[i];
	uint64_t base = formula_fnv(key);
	double fan_in = n_dims >= 2 ? (double)dims[1] : 1.0;
	if (n_dims == 4)
		fan_in = (double)(dims[1] * dims[2] * dims[3]);
	double scale = 0.1, shift = 0;
	if (strstr(key, ".bn.")) {
		bool var = ends_with(key, ".running_var");
		shift = var || ends_with(key, ".weight") ? 1.0 : 0.0;
		scale = var ? 0.5 : 0.1;
	} else if (n_dims == 4) {
		scale = sqrt(3.0) * sqrt(2.0) / sqrt(fan_in);
	} else if (n_dims == 2) {
		scale = sqrt(3.0) * 1.0 / sqrt(fan_in);
	}
	for (size_t i = 0; i < n; i++) {
		double v = scale * unit(formula_splitmix(base + i));
		out[i] = (float)(shift + v);
	}
}

static const struct formula_kind kinds[] = {
	{ "A32", 300, 32, 32, 2, { 0, 0, 0 }, 10 },       { "B32", 300, 32, 32, 3, { 10, -6, 4 }, 20 },
	{ "C64", 40, 64, 64, 4, { 0, 0, 0 }, 12 },        { "D75x53", 16, 75, 53, 3, { 0, 0, 0 }, 12 },
	{ "E401x350", 4, 401, 350, 12, { 0, 0, 0 }, 16 },
};

const struct formula_kind *formula_kind(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

/* What one of the four waves of a picture adds to one channel at (x, y). */
static int64_t wave(uint64_t b, int k, int c, const struct formula_kind *kind, int x, int y)
{
	uint64_t hk = formula_splitmix(b + 8 + (uint64_t)k), g = formula_splitmix(b + 16 + 3 * (uint64_t)k + (uint64_t)c);
	int64_t span = 2 * kind->freq + 1;
	int64_t fx = (int64_t)(hk & 0xffff) % span - kind->freq, fy = (int64_t)(hk >> 16 & 0xffff) % span - kind->freq;
	int64_t phase = (int64_t)(hk >> 32 & 0xffff) + (int64_t)(g & 0x3fff);
	int64_t p = (phase + fx * (65536 * x / kind->w) + fy * (65536 * y / kind->h)) & 0xffff;
	int64_t t = p & 0x7fff, s = (t * (32768 - t)) >> 13;
	return (int64_t)(g >> 58) * (p & 0x8000 ? -s : s);
}

void formula_image(uint8_t *out, const struct formula_kind *kind, const char *seed, int n)
{
	uint64_t b = formula_splitmix(formula_fnv(seed) + (uint64_t)n);
	for (int y = 0; y < kind->h; y++)
		for (int x = 0; x < kind->w; x++)
			for (int c = 0; c < 3; c++) {
				int64_t acc = 0, at = ((int64_t)y * kind->w + x) * 3 + c;
				for (int k = 0; k < 4; k++)
					acc += wave(b, k, c, kind, x, y);
				int64_t base = 72 + 2 * (int64_t)(formula_splitmix(b + (uint64_t)c) >> 58) + kind->bias[c];
				int64_t noise = (int64_t)(formula_splitmix(b + 1024 + (uint64_t)at) >> 56) - 128;
				int64_t v = base + (acc >> 16) + (noise * kind->noise >> 7);
				out[at] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
			}
}

uint8_t *formula_image_named(const char *name, int *h, int *w)
{
	const char *slash = strchr(name, '/');
	char seed[32], kind_name[32], *end;
	if (!slash || slash - name < 2 || (size_t)(slash - name) >= sizeof seed)
		return NULL;
	size_t n = (size_t)(slash - name);
	memcpy(seed, name, n);
	seed[n] = '\0';
	memcpy(kind_name, name, n - 1);
	kind_name[n - 1] = '\0';
	const struct formula_kind *kind = formula_kind(kind_name);
	long at = strtol(slash + 1, &end, 10);
	if (!kind || *end || end == slash + 1 || at < 0)
		return NULL;
	uint8_t *px = xmalloc((size_t)kind->h * (size_t)kind->w * 3);
	formula_image(px, kind, seed, (int)at);
	*h = kind->h;
	*w = kind->w;
	return px;
}

uint64_t formula_wsum_u8(const uint8_t *a, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += formula_splitmix(i ^ (uint64_t)a[i] << 32);
	return sum;
}

uint64_t formula_wsum_f32(const float *a, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		memcpy(&bits, &a[i], sizeof bits);
		sum += formula_splitmix(i ^ (uint64_t)bits << 32);
	}
	return sum;
}

void formula_ih12(double *out, const char *name, int64_t n, int64_t d)
{
	uint64_t base = formula_fnv(name);
	for (int64_t i = 0; i < n * d; i++) {
		double sum = 0;
		for (int q = 0; q < 12; q++)
			sum += unit(formula_splitmix(base + (uint64_t)i * 12 + (uint64_t)q));
		out[i] = 0.5 * sum;
	}
}

void formula_lower(double *out, const char *name, int64_t d)
{
	for (int64_t i = 0; i < d; i++)
		for (int64_t j = 0; j < d; j++) {
			double u = formula_u(name, (uint64_t)(i * d + j));
			out[i * d + j] = j > i ? 0 : j == i ? 0.5 + 0.4 * fabs(u) : 0.6 * u / sqrt((double)(i + 1));
		}
}

void formula_set(double *out, const char *tag, int64_t n, int64_t d)
{
	SCOPED(free) char *mean = xstrfmt("%s.mean", tag);
	SCOPED(free) char *lower = xstrfmt("%s.L", tag);
	SCOPED(free) char *normal = xstrfmt("%s.g", tag);
	SCOPED(free) double *g = xmalloc((size_t)(n * d) * sizeof *g);
	SCOPED(free) double *l = xmalloc((size_t)(d * d) * sizeof *l);
	formula_ih12(g, normal, n, d);
	formula_lower(l, lower, d);
	for (int64_t i = 0; i < n; i++)
		for (int64_t r = 0; r < d; r++) {
			double sum = 0;
			for (int64_t c = 0; c <= r; c++)
				sum += l[r * d + c] * g[i * d + c];
			out[i * d + r] = formula_u(mean, (uint64_t)r) + sum;
		}
}
