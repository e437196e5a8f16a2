/* dataset.h - a training or test set in memory, or mapped from the cache: uint8 images (N,H,W,C) and labels, known by
 * the SHA-256 of its decoded content, so that the same pixels from another container are the same data.
 *
 * Places where a set is looked for, in order: $ABLATE_DATA/NAME, what `ablate data import` made of it (dataset_set.h),
 * the user's cache (data/NAME), and the place of a distribution's package. Nothing is ever downloaded. */
#ifndef ABLATE_DATASET_H
#define ABLATE_DATASET_H

#include "model/base/err.h"
#include "model/base/io.h"
#include "model/data/shapes.h"

#include <stdint.h>

struct safetensors;

struct dataset {
	int64_t n;
	int h, w, c, classes;
	uint8_t *images;  /* (N,H,W,C) */
	uint16_t *labels; /* (N) below classes */
	char sha256[SHA256_HEX];
	struct safetensors *file; /* an imported set: images are in its mapping; else NULL */
};

/* NAME, or NAME@SIDE: the same pictures, each made smaller to SIDE x SIDE by box averages as Pillow's Image.resize
 * computes them (image_resize.h), as the downsampled ImageNet was made (Chrabaszcz et al. 2017).
 *
 * Missing data: an error that names the package to install or the file to provide. */
MUST_CHECK int dataset_open(struct dataset *out, const char *name, enum data_split split, struct err *e);
void dataset_release(struct dataset *d);
void dataset_identify(struct dataset *d); /* fills sha256 from the rest */
/* *out: the pictures of `whole`, which stays as it is, at side x side. */
MUST_CHECK int dataset_smaller(struct dataset *out, const struct dataset *whole, int side, struct err *e);
/* "fashion-mnist", "cifar10-train", "cifar10-test": cuts the split off the name in place, and returns it. */
enum data_split dataset_cut_split(char *name);
/* The identity alone; remembered in the user's cache by path, size and time of the files, so that asking is cheap. */
MUST_CHECK int dataset_sha256(char hex[SHA256_HEX], const char *name, enum data_split split, struct err *e);
/* Reads all of it and compares with its recorded identity: an imported set that is damaged is an error. */
MUST_CHECK int dataset_check(struct dataset *out, const char *name, enum data_split split, struct err *e);
/* Heap text: the folder or file a set is read from, or NULL when there is none (generated sets: "generated"). */
char *dataset_folder(const char *name);

/* dst (H,W,C) float in [-1,1] = image i, mirrored left-right if flip. */
void dataset_image(float *dst, const struct dataset *d, int64_t i, int flip);

#endif
