/* shapes.h - the data sets by name: image shape, class count and where the data comes from. The one table that config
 * checking, `ablate data list` and the loaders share. */
#ifndef ABLATE_DATA_SHAPES_H
#define ABLATE_DATA_SHAPES_H

#include "model/base/err.h"

enum data_split { SPLIT_TRAIN, SPLIT_TEST };

struct data_shape {
	const char *name;
	int h, w, c, classes;
	int n_train, n_test; /* 0 = as many as there are */
	const char *licence, *origin;
	const char *url, *sha256; /* of the published archive, if it may be fetched without asking; else NULL */
	const char *package;      /* Debian package that has it; else NULL */
};

const struct data_shape *data_shapes(int *n);
/* The row of `name`. Unknown: EXIT_USAGE with near names. */
MUST_CHECK int data_shape_find(struct data_shape *out, const char *name, struct err *e);

#endif
