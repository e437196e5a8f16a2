/* winograd_kernels.c - the inner loops for AVX-512, with and without bf16, and for AVX2, from one text
 * (winograd_kernel.h). */
#include "model/cpu/winograd_private.h"

#include "model/base/cpu.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#ifdef __clang__ /* which keeps vectors as wide as they are written */
#define WIDEST "arch=x86-64-v4"
#else
#define WIDEST "arch=x86-64-v4,prefer-vector-width=512"
#endif
#define NAME(x) x##_v4
#define TARGET  __attribute__((target(WIDEST)))
#define PAIR    1
#define LANES   16
#define NV_MAX  4
#include "model/cpu/winograd_kernel.h"
#define NAME(x) x##_bf16
#define TARGET  __attribute__((target(WIDEST ",avx512bf16")))
#define PAIR    2
#define LANES   16
#define NV_MAX  4
#include "model/cpu/winograd_kernel.h"
#define NAME(x) x##_v3
#define TARGET  __attribute__((target("arch=x86-64-v3")))
#define PAIR    1
#define LANES   8
#define NV_MAX  2
#include "model/cpu/winograd_kernel.h"

static bool has_v4(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512cd");
}

const struct kernels *winograd_kernels(void)
{
	if (has_v4())
		return &kernels_v4;
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")
	           ? &kernels_v3
	           : NULL;
}

const struct kernels *winograd_kernels_bf16(void)
{
	return has_v4() && __builtin_cpu_supports("avx512bf16") ? &kernels_bf16 : NULL;
}
#else
const struct kernels *winograd_kernels(void)
{
	return NULL;
}

const struct kernels *winograd_kernels_bf16(void)
{
	return NULL;
}
#endif
