/* cpu.h - what the CPU paths of ops share: loops cut over threads, functions compiled for several instruction sets, and
 * an exponential that vectorizes.
 *
 * A CPU_KERNEL is compiled for AVX-512, AVX2 and the baseline, and the loader picks one. Which one is part of a run's
 * provenance: other instruction sets round differently. Kernels hold no OpenMP; a parallel loop calls them per
 * range. */
#ifndef ABLATE_CPU_H
#define ABLATE_CPU_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(ABLATE_SANITIZED)
#define CPU_KERNEL __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CPU_KERNEL
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Before a loop whose turns are apart, though one pointer may be another: gcc would take a slow path where they are. */
#ifdef __clang__
#define CPU_TURNS_APART _Pragma("clang loop vectorize(assume_safety)")
#else
#define CPU_TURNS_APART _Pragma("GCC ivdep")
#endif

/* x, about which the compiler forgets what it knows: else gcc makes paths of the clamps below, one a case, where two
 * instructions do for a vector. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_assoc_barrier)
#define CPU_OPAQUE(x) __builtin_assoc_barrier(x)
#endif
#endif
#ifndef CPU_OPAQUE
#define CPU_OPAQUE(x) (x)
#endif

/* exp(x) = 2^n exp(r), |r| <= log(2) / 2, of |x| <= 88: sets r, returns 2^n. Cody-Waite. */
ALWAYS_INLINE float exp_reduced(float *r, float x)
{
	float n = x * 1.44269504088896341f + 12582912.0f; /* 1.5 * 2^23: rounds to the nearest integer */
	int32_t bits;
	memcpy(&bits, &n, sizeof bits);
	n -= 12582912.0f;
	*r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
	int32_t scale = (int32_t)((uint32_t)(bits - 0x4B400000 + 127) << 23);
	float s;
	memcpy(&s, &scale, sizeof s);
	return s;
}

/* (exp(r) - 1) / r of a reduced r, degree 5. */
ALWAYS_INLINE float exp_slope(float r)
{
	float p = 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	return p * r + 1.0f;
}

/* exp(x) of |x| <= 87, about 2 ulp. */
ALWAYS_INLINE float exp_within(float x)
{
	float r, s = exp_reduced(&r, x);
	return (exp_slope(r) * r + 1.0f) * s;
}

/* exp(x) - 1 of |x| <= 87, about 5 ulp of however small a result. */
ALWAYS_INLINE float expm1_within(float x)
{
	float r, s = exp_reduced(&r, x);
	return exp_slope(r) * r * s + (s - 1.0f);
}

/* exp(x) for finite x, about 2 ulp; saturates below -87 and above 88. */
ALWAYS_INLINE float exp_approx(float x)
{
	x = CPU_OPAQUE(x < -87.0f ? -87.0f : x);
	x = CPU_OPAQUE(x > 88.0f ? 88.0f : x);
	return exp_within(x);
}

ALWAYS_INLINE float sigmoid_approx(float x)
{
	return 1.0f / (1.0f + exp_approx(-x));
}

/* Calls body(ctx, first, last) on ranges that split [0, n), of about at_least or more each, over the
 * threads: a thread takes the next range when it is done with one, so no result may depend on who takes which, nor on
 * where they are cut. One range, on this thread, where that is all. */
void cpu_split(int64_t n, int64_t at_least, void (*body)(void *ctx, int64_t first, int64_t last), void *ctx);
int cpu_threads(void);
/* In a body: which of the cpu_threads() this is, for scratch of its own; 0 outside. */
int cpu_thread(void);
void cpu_set_threads(int n); /* of what this thread starts from now on */

#endif
