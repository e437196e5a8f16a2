/* numerics.c - see numerics.h. The values alone, so that a test can link others. */
#include "harness/record/numerics.h"

#include "generated/numerics_build.h"

const char *numerics_build(void)
{
	return NUMERICS_BUILD;
}

const char *numerics_kernels(void)
{
	return NUMERICS_KERNELS;
}
