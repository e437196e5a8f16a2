/* band.h - the second stage of singular.c: a band matrix goes to bidiagonal form. */
#ifndef ABLATE_BAND_H
#define ABLATE_BAND_H

enum {
	BAND = 32
}; /* diagonals above the main one. With fewer, the first stage's products get thin; with more, the second dominates */

/* d (n) and e (n - 1) = the diagonals of a bidiagonal matrix with the singular values of the upper band matrix in the
 * first n rows and columns of a (column-major, columns `ld` apart): element (i, j) is read where i <= j <= i + BAND. */
void band_to_bidiagonal(double *d, double *e, const double *a, int ld, int n);

#endif
