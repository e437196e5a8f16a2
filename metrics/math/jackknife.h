/* jackknife.h - the spread of a score over its own sample: the delete-block jackknife. */
#ifndef ABLATE_JACKKNIFE_H
#define ABLATE_JACKKNIFE_H

#include <stdint.h>

enum { JACKKNIFE_BLOCKS = 20, JACKKNIFE_MAX_BLOCKS = 30 };

/* The block of element i where elements are dealt: each run of `blocks` elements gives one to every block, beginning at
 * some other block each time. So a set that is sorted by class, or has its classes in turn, loses some of each class
 * with a block, not most of one. */
int jackknife_dealt(int64_t i, int blocks);
/* How many of n elements are dealt to a block. */
int64_t jackknife_dealt_to(int64_t n, int blocks, int block);
/* Heap: the block of each element, [n]. */
int *jackknife_blocks(int64_t n, int blocks);
/* The 97.5 % point of Student's t with df degrees of freedom, 1 to JACKKNIFE_MAX_BLOCKS - 1: estimate +- this times the
 * standard error is a 95 % interval. */
double jackknife_t975(int df);
/* Half-width of the 95 % interval, from the scores without each of the blocks: Student's t of blocks - 1 degrees times
 * the jackknife standard error. blocks from 2 to JACKKNIFE_MAX_BLOCKS. */
double jackknife_half_width(const double *without, int blocks);

#endif
