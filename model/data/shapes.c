/* shapes.c - see shapes.h. */
#include "model/data/shapes.h"

#include "model/base/mem.h"
#include "model/base/str.h"
#include "model/data/dataset_set.h"

#include <string.h>

static const struct data_shape rows[] = {
	{ "fashion-mnist", 28, 28, 1, 10, 60000, 10000, "MIT", "Debian package dataset-fashion-mnist", NULL, NULL,
	  "dataset-fashion-mnist" },
	{ "cifar10", 32, 32, 3, 10, 50000, 10000, "unknown (research use)", "binary version, cs.toronto.edu/~kriz/cifar.html", "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
	  "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", NULL },
	{ "imagenet64", 64, 64, 3, 1000, 1281167, 50000, "research use only", "downsampled ImageNet, image-net.org", NULL, NULL, NULL },
	{ "shapes8", 8, 8, 1, 4, 4096, 1024, "generated", "drawn in-tree: disc, square, cross, bar", NULL, NULL, NULL },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

const struct data_shape *data_shapes(int *n)
{
	*n = N_ROWS;
	return rows;
}

/* A set of the user's own: its shape is what was imported. */
static bool find_imported(struct data_shape *out, const char *name)
{
	struct set_ref ref;
	if (!set_ref_read(&ref, name, SPLIT_TRAIN))
		return false;
	*out = (struct data_shape){ .name = "imported", .h = ref.h, .w = ref.w, .c = ref.c, .classes = ref.classes, .licence = "as its source says",
	                            .origin = "imported" };
	return true;
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
	if (find_imported(out, name))
		return 0;
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, name, names, N_ROWS);
	return err_code(e, EXIT_USAGE, "unknown data set '%s'%s", name,
	                *str_text(&near) ? str_text(&near) : " (`ablate data list` names all; `ablate data import NAME SOURCE` adds your own)");
}
