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
enum { DATA_NAME_MAX = 256 };
/* "cifar10@16" is cifar10 made smaller (dataset.h): the side 16, and the name of the set itself in base; 0 and the
 * whole name where there is no such ending. */
int data_name_side(char base[DATA_NAME_MAX], const char *name);
/* The row of `name`. Unknown, or a side that the set cannot be brought to: EXIT_USAGE. */
MUST_CHECK int data_shape_find(struct data_shape *out, const char *name, struct err *e);

#endif
