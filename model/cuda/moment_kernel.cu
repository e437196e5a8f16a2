/* moment_kernel.cu - struct fold_job of backend.h. A block makes one tile of the upper triangle from all rows, in their
 * order, so the bits depend only on the vectors and how they were split into folds. */
#include "model/cuda/moment_kernel.h"

#include "model/cuda/kernel.cuh"

enum {
	TILE = 64,
	DEPTH = 16,
	SIDE_THREADS = 16,
	EACH = TILE / SIDE_THREADS
}; /* BLOCK threads as a square, EACH x EACH sums in each */

/* fresh = the mean of the rows: a thread sums a column. */
static __global__ void row_mean_kernel(struct fold_job j)
{
	int64_t column = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (column >= j.d)
		return;
	double sum = 0;
	for (int64_t i = 0; i < j.n; i++)
		sum += (double)j.rows[i * j.d + column];
	j.fresh[column] = sum / (double)j.n;
}

/* DEPTH rows from `row` on, TILE columns from `column` on, centred; zeros beyond the ends. */
__device__ static inline void stage(double *out, struct fold_job j, int64_t row, int column)
{
	for (unsigned k = threadIdx.x; k < DEPTH * TILE; k += BLOCK) {
		int64_t r = row + k / TILE;
		int c = column + (int)(k % TILE);
		out[k] = r < j.n && c < j.d ? (double)j.rows[r * j.d + c] - j.fresh[c] : 0;
	}
}

static __global__ void scatter_kernel(struct fold_job j, int tiles, double between)
{
	SHARED(double, down, DEPTH *TILE);
	SHARED(double, across, DEPTH *TILE);
	int top = (int)blockIdx.x / tiles * TILE, left = (int)blockIdx.x % tiles * TILE;
	int y = (int)threadIdx.x / SIDE_THREADS, x = (int)threadIdx.x % SIDE_THREADS;
	double sum[EACH][EACH] = { { 0 } };
	if (top > left)
		return;
	for (int64_t row = 0; row < j.n; row += DEPTH) {
		stage(down, j, row, top);
		stage(across, j, row, left);
		__syncthreads();
		for (int k = 0; k < DEPTH; k++)
			for (int a = 0; a < EACH; a++)
				for (int b = 0; b < EACH; b++)
					sum[a][b] += down[k * TILE + y + a * SIDE_THREADS] * across[k * TILE + x + b * SIDE_THREADS];
		__syncthreads(); /* before the next rows overwrite them */
	}
	for (int a = 0; a < EACH; a++)
		for (int b = 0; b < EACH; b++) {
			int r = top + y + a * SIDE_THREADS, c = left + x + b * SIDE_THREADS;
			if (r <= c && c < j.d)
				j.scatter[(int64_t)r * j.d + c] += sum[a][b] +
				                                   between * (j.fresh[r] - j.mean[r]) * (j.fresh[c] - j.mean[c]);
		}
}

static __global__ void take_in_kernel(struct fold_job j, double share)
{
	int64_t column = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	if (column < j.d)
		j.mean[column] += (j.fresh[column] - j.mean[column]) * share;
}

void cuda_fold(struct backend *b, const struct fold_job *job)
{
	struct cuda *cu = (struct cuda *)b;
	int tiles = (job->d + TILE - 1) / TILE;
	unsigned columns = blocks_for((size_t)job->d, BLOCK);
	double share = (double)job->n / (double)(job->n_folded + job->n);
	LAUNCH(cu, row_mean_kernel, columns, BLOCK, 0, *job);
	LAUNCH(cu, scatter_kernel, (unsigned)tiles * (unsigned)tiles, BLOCK, 0, *job, tiles, (double)job->n_folded * share);
	LAUNCH(cu, take_in_kernel, columns, BLOCK, 0, *job, share);
}
