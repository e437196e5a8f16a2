/* numerics.h - what of this program decides numbers: two hashes, made by numerics.cmake, which says what is in them. A
 * program for tests links others. */
#ifndef ABLATE_NUMERICS_H
#define ABLATE_NUMERICS_H

/* 64 hex digits: sources, compiler and flags of this program. */
const char *numerics_build(void);
/* 64 hex digits: the CUDA sources that this program was built beside. */
const char *numerics_kernels(void);

#endif
