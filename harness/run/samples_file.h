/* samples_file.h - the samples of a cell as a file that numpy reads, so that scores that are asked for later need not
 * make them again: .npy, uint8 (n, h, w, c). */
#ifndef ABLATE_SAMPLES_FILE_H
#define ABLATE_SAMPLES_FILE_H

#include "model/base/io.h"

#include <stdint.h>

struct samples_shape {
	int64_t n;
	int h, w, c;
};

/* Whole or not at all; sha256: of the file. */
MUST_CHECK int samples_file_write(char sha256[SHA256_HEX], const char *path, const uint8_t *px,
                                  const struct samples_shape *s, struct err *e);
/* The first s->n images into px, or as many as there are: *got; *in_file: how many those are. A file with another
 * SHA-256 than the one given, or of another shape, is an error that says so. */
MUST_CHECK int samples_file_read(uint8_t *px, int64_t *got, int64_t *in_file, const char *path, const char *sha256,
                                 const struct samples_shape *s, struct err *e);

#endif
