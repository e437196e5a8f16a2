/* shapes.c - see shapes.h. */
#include "model/data/shapes.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <string.h>

static const struct data_shape rows[] = {
	{ "fashion-mnist", 28, 28, 1, 10, 60000, 10000, "MIT", "Debian package dataset-fashion-mnist" },
	{ "cifar10", 32, 32, 3, 10, 50000, 10000, "unknown (research use)", "binary version, cs.toronto.edu/~kriz/cifar.html" },
	{ "imagenet64", 64, 64, 3, 1000, 1281167, 50000, "research use only", "downsampled ImageNet, image-net.org" },
	{ "shapes8", 8, 8, 1, 4, 4096, 1024, "generated", "drawn in-tree: disc, square, cross, bar" },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const struct data_shape *data_shapes(int *n)
{
	*n = N_ROWS;
	return rows;
}

int data_shape_find(struct data_shape *out, const char *name, struct err *e)
{
	const char *names[N_ROWS];
	for (int i = 0; i < N_ROWS; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			*out = rows[i];
			return 0;
		}
		names[i] = rows[i].name;
	}
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, name, names, N_ROWS);
	return err_code(e, EXIT_USAGE, "unknown data set '%s'%s", name, *str_text(&near) ? str_text(&near) : " (`ablate data list` names all)");
}
