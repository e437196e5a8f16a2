/* jackknife.c - see jackknife.h. */
#include "metrics/math/jackknife.h"

#include "model/base/err.h"
#include "model/base/mem.h"

#include <math.h>

/* Where a run begins: a hash, as any regular step would meet some number of classes in turn. */
static int first_block(int64_t run, int blocks)
{
	uint64_t x = (uint64_t)run * 0x9e3779b97f4a7c15U;
	x = (x ^ x >> 32) * 0xd6e8feb86659fd93U;
	return (int)((x >> 33) * (uint64_t)blocks >> 31);
}

int jackknife_dealt(int64_t i, int blocks)
{
	return (int)((i + first_block(i / blocks, blocks)) % blocks);
}

int64_t jackknife_dealt_to(int64_t n, int blocks, int block)
{
	int place = (block + blocks - first_block(n / blocks, blocks)) % blocks;
	return n / blocks + (place < n % blocks);
}

int *jackknife_blocks(int64_t n, int blocks)
{
	int *block = xcalloc((size_t)n, sizeof *block);
	for (int64_t i = 0; i < n; i++)
		block[i] = jackknife_dealt(i, blocks);
	return block;
}

double jackknife_t975(int df)
{
	/* 97.5 % points of Student's t for 1 to 29 degrees of freedom. */
	static const double t975[] = { 12.7062, 4.30265, 3.18245, 2.77645, 2.57058, 2.44691, 2.36462, 2.30600,
		                           2.26216, 2.22814, 2.20099, 2.17881, 2.16037, 2.14479, 2.13145, 2.11991,
		                           2.10982, 2.10092, 2.09302, 2.08596, 2.07961, 2.07387, 2.06866, 2.06390,
		                           2.05954, 2.05553, 2.05183, 2.04841, 2.04523 };
	REQUIRE(df >= 1 && df < JACKKNIFE_MAX_BLOCKS);
	return t975[df - 1];
}

double jackknife_half_width(const double *without, int blocks)
{
	REQUIRE(blocks >= 2 && blocks <= JACKKNIFE_MAX_BLOCKS);
	double mean = 0, sum = 0;
	for (int b = 0; b < blocks; b++)
		mean += without[b] / blocks;
	for (int b = 0; b < blocks; b++)
		sum += (without[b] - mean) * (without[b] - mean);
	return jackknife_t975(blocks - 1) * sqrt(sum * (blocks - 1) / blocks);
}
