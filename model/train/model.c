/* model.c - see model.h. */
#include "model/train/model.h"

#include <malloc.h>
#include <omp.h>

void model_init(int threads)
{
	if (threads > 0)
		omp_set_num_threads(threads);
	(void)mallopt(M_MMAP_THRESHOLD, 1 << 30); /* planned blocks are reused: no page faults per step */
	(void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

int model_threads(void)
{
	return omp_get_max_threads();
}
