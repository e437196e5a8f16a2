/* cifar.h - CIFAR-10 in its binary form: records of one label byte and 3 x 32 x 32 bytes, planes in the order
 * red, green, blue. Records are read one at a time, so a file costs no memory. */
#ifndef ABLATE_CIFAR_H
#define ABLATE_CIFAR_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CIFAR_SIDE = 32, CIFAR_PIXELS = 3 * 32 * 32, CIFAR_RECORD = 1 + CIFAR_PIXELS };

struct cifar { FILE *f; char *path; int64_t n; };

/* A file of whole records whose first label is below 10? */
bool cifar_is(const char *path);
MUST_CHECK int cifar_open(struct cifar *out, const char *path, struct err *e);
/* Record i as 32 x 32 x 3 in H,W,C, and its label (may be NULL). */
MUST_CHECK int cifar_read(struct cifar *c, int64_t i, uint8_t px[CIFAR_PIXELS], int *label, struct err *e);
void cifar_release(struct cifar *c);
/* Planes to H,W,C. */
void cifar_interleave(uint8_t px[CIFAR_PIXELS], const uint8_t planes[CIFAR_PIXELS]);

#endif
