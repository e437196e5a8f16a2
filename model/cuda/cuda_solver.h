/* cuda_solver.h - singular values by cuSOLVER, opened at run time where a machine has it. See
 * backend_scores.singular. */
#ifndef ABLATE_CUDA_SOLVER_H
#define ABLATE_CUDA_SOLVER_H

#include "model/cuda/cuda.h"

int cuda_singular(struct backend *b, double *values, char by[SINGULAR_TEXT], const double *a, int m, int n,
                  struct err *e);

#endif
