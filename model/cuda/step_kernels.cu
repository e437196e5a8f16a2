/* step_kernels.cu - see step_kernels.h. The data set is in device memory as bytes; a batch is gathered, mirrored and
 * given its noise in one launch. The optimizer goes once over the flat stores: per parameter it reads p, g, m, v, ema
 * (and the teacher) and writes all but g, 36 (44) bytes in all, and 2 (4) more where products read bf16, so memory
 * bandwidth is the ceiling; a thread takes four floats. */
#include "model/cuda/step_kernels.h"

#include "model/cuda/kernel.cuh"
#include "model/cuda/philox.cuh"

enum { THREADS = 256 };

/* ---- batch ----------------------------------------------------------------------------------- */

/* a * b + c rounded twice, as the host does it. */
__device__ static inline float twice_rounded(float a, float b, float c)
{
#ifdef __CUDA_ARCH__
	return __fadd_rn(__fmul_rn(a, b), c);
#else
	return a * b + c;
#endif
}

/* A thread makes values 4q .. 4q+3 of sample i: of its picture and of its noise, one Philox block. */
static __global__ void batch_kernel(struct batch_job j, int64_t quads)
{
	int64_t at = (int64_t)blockIdx.x * THREADS + (int64_t)threadIdx.x, per = (int64_t)j.h * j.w * j.c,
			row = (int64_t)j.w * j.c;
	if (at >= j.batch * quads)
		return;
	int64_t i = at / quads, q = at % quads;
	struct sample_draw d = j.draws[i];
	const uint8_t *image = j.images + d.image * per;
	float normal[4];
	if (j.z)
		philox_normals(normal, philox_at(&j.control->scalars, RNG_NOISE,
		                                 (uint64_t)((int64_t)j.control->scalars.first * quads + at)));
	for (int k = 0; k < 4 && 4 * q + k < per; k++) {
		int64_t to = 4 * q + k, y = to / row, x = to % row / j.c, c = to % j.c;
		int64_t from = y * row + (d.flip ? j.w - 1 - x : x) * j.c + c;
		j.x0[i * per + to] = twice_rounded((float)image[from], 2.0f / 255.0f, -1.0f);
		if (j.z)
			j.z[i * per + to] = normal[k];
	}
}

static __global__ void label_kernel(struct batch_job j)
{
	int64_t at = (int64_t)blockIdx.x * THREADS + (int64_t)threadIdx.x;
	if (at < j.batch * j.classes)
		j.labels[at] = j.draws[at / j.classes].label == at % j.classes ? 1.0f : 0.0f;
}

void cuda_batch(struct backend *b, const struct batch_job *job)
{
	struct cuda *cu = (struct cuda *)b;
	int64_t quads = ((int64_t)job->h * job->w * job->c + 3) / 4;
	LAUNCH(cu, batch_kernel, blocks_for((size_t)(job->batch * quads), THREADS), THREADS, 0, *job, quads);
	if (job->labels)
		LAUNCH(cu, label_kernel, blocks_for((size_t)(job->batch * job->classes), THREADS), THREADS, 0, *job);
}

/* ---- micro-batches --------------------------------------------------------------------------- */

/* A thread adds one element, so that its sum is in the order of the parts. */
static __global__ void add_part_kernel(struct part_job j)
{
	size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
	if (i < j.n)
		j.sum[i] = j.control->part == 0 ? j.part[i] : j.sum[i] + j.part[i];
}

void cuda_add_part(struct backend *b, const struct part_job *job)
{
	struct cuda *cu = (struct cuda *)b;
	LAUNCH(cu, add_part_kernel, blocks_for(job->n, THREADS), THREADS, 0, *job);
}

/* ---- update ---------------------------------------------------------------------------------- */

/* One thread: did this step's loss come out finite? */
static __global__ void settle_kernel(struct step_status *s, const float *loss)
{
	s->loss = *loss;
	if (!isfinite(*loss))
		s->diverged = 1;
	if (s->diverged)
		return;
	s->loss_sum += (double)*loss;
	s->loss_steps++;
	s->done++;
}

__device__ static inline float average(float old, float p, struct average a)
{
	return a.keep * old + a.rest * p;
}

/* Neighbours of a store: four in one access, or one. */
template <int WIDTH> struct some {
	float x[WIDTH];
};

__device__ static inline struct some<4> some_at(const struct some<4> *p) {
	float4 v = *(const float4 *)(const void *)p;
	struct some<4> s = {
		{
			v.x, v.y, v.z, v.w
		}
	};
	return s;
}

__device__ static inline void
some_put(struct some<4> *p, const struct some<4> &s)
{
	*(float4 *)(void *)p = make_float4(s.x[0], s.x[1], s.x[2], s.x[3]);
}

__device__ static inline struct some<1> some_at(const struct some<1> *p) {
	return *p;
} __device__ static inline void some_put(struct some<1> *p, const struct some<1> &s)
{
	*p = s;
}

/* The same as bf16. */
__device__ static inline void low_put(void *low, size_t i, const struct some<4> &s)
{
	unsigned a = (unsigned)to_low(s.x[0]) | (unsigned)to_low(s.x[1]) << 16,
			 b = (unsigned)to_low(s.x[2]) | (unsigned)to_low(s.x[3]) << 16;
	*(uint2 *)(void *)((unsigned short *)low + i) = make_uint2(a, b);
}

__device__ static inline void low_put(void *low, size_t i, const struct some<1> &s)
{
	((unsigned short *)low)[i] = to_low(s.x[0]);
}

template <int WIDTH>
__device__ static inline struct some<WIDTH> follow(float *to, const struct some<WIDTH> &p, struct average a) {
	struct some<WIDTH> *at = (struct some<WIDTH> *)(void *)to, s = some_at(at);
#pragma unroll
	for (int k = 0; k < WIDTH; k++)
		s.x[k] = average(s.x[k], p.x[k], a);
	some_put(at, s);
	return s;
}

template <int WIDTH>
__device__ static inline void update_some(const struct update_job &j, const struct optim_step &s, size_t i)
{
	typedef struct some<WIDTH> some;
	some p = some_at((some *)(void *)(j.p + i)), g = some_at((const some *)(const void *)(j.grad + i)),
		 m = some_at((some *)(void *)(j.m + i)), v = some_at((some *)(void *)(j.v + i));
#pragma unroll
	for (int k = 0; k < WIDTH; k++) {
		float grad = g.x[k] + s.weight_decay * p.x[k];
		m.x[k] = s.beta1 * m.x[k] + s.rest1 * grad;
		v.x[k] = s.beta2 * v.x[k] + s.rest2 * grad * grad;
		p.x[k] -= s.step * m.x[k] / (s.adaptive ? sqrtf(v.x[k]) * s.root_scale + s.eps : 1.0f);
	}
	some_put((some *)(void *)(j.m + i), m);
	some_put((some *)(void *)(j.v + i), v);
	some_put((some *)(void *)(j.p + i), p);
	if (j.ema)
		(void)follow<WIDTH>(j.ema + i, p, j.control->ema);
	if (j.low)
		low_put(j.low, i, p);
	if (!j.teacher)
		return;
	some teacher = follow<WIDTH>(j.teacher + i, p, j.control->teacher);
	if (j.low_teacher)
		low_put(j.low_teacher, i, teacher);
}

/* wide: all stores are aligned to 16 bytes. */
static __global__ void update_kernel(struct update_job j, bool wide)
{
	size_t first = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;
	if (first >= j.n || j.status->diverged)
		return;
	struct optim_step s = j.control->optim;
	if (wide && first + 4 <= j.n) {
		update_some<4>(j, s, first);
		return;
	}
	for (size_t i = first; i < first + 4 && i < j.n; i++)
		update_some<1>(j, s, i);
}

static __global__ void follow_kernel(struct follow_job j, bool wide)
{
	size_t first = ((size_t)blockIdx.x * THREADS + threadIdx.x) * 4;
	if (first >= j.n || j.status->diverged)
		return;
	if (wide && first + 4 <= j.n) {
		(void)follow<4>(j.to + first, some_at((const struct some<4> *)(const void *)(j.p + first)), j.of);
		return;
	}
	for (size_t i = first; i < first + 4 && i < j.n; i++)
		(void)follow<1>(j.to + i, some_at((const struct some<1> *)(const void *)(j.p + i)), j.of);
}

const void *cuda_a_kernel(void)
{
	return (const void *)settle_kernel;
}

void cuda_settle(struct backend *b, struct step_status *status, const float *loss)
{
	struct cuda *cu = (struct cuda *)b;
	LAUNCH(cu, settle_kernel, 1, 1, 0, status, loss);
}

void cuda_update(struct backend *b, const struct update_job *job)
{
	struct cuda *cu = (struct cuda *)b;
	const void *const stores[] = {
		job->grad, job->p, job->m, job->v, job->ema, job->teacher, job->low, job->low_teacher
	};
	uintptr_t any = 0;
	for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
		any |= (uintptr_t)stores[i];
	LAUNCH(cu, update_kernel, blocks_for(job->n, 4 * THREADS), THREADS, 0, *job, any % 16 == 0);
}

void cuda_follow(struct backend *b, const struct follow_job *job)
{
	struct cuda *cu = (struct cuda *)b;
	bool wide = ((uintptr_t)job->p | (uintptr_t)job->to) % 16 == 0;
	LAUNCH(cu, follow_kernel, blocks_for(job->n, 4 * THREADS), THREADS, 0, *job, wide);
}

void cuda_round(struct backend *b, void *low, const float *values, size_t n)
{
	convert((struct cuda *)b, val_at(low, TENSOR_BF16), val_at(values, TENSOR_F32), n);
}
