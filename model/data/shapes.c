/* shapes.c - see shapes.h. */
#include "model/data/shapes.h"

#include "model/base/mem.h"
#include "model/base/str.h"
#include "model/data/dataset_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct data_shape rows[] = {
	{ .name = "fashion-mnist",
	  .h = 28,
	  .w = 28,
	  .c = 1,
	  .classes = 10,
	  .n_train = 60000,
	  .n_test = 10000,
	  .licence = "MIT",
	  .origin = "Debian package dataset-fashion-mnist",
	  .package = "dataset-fashion-mnist" },
	{ .name = "cifar10",
	  .h = 32,
	  .w = 32,
	  .c = 3,
	  .classes = 10,
	  .n_train = 50000,
	  .n_test = 10000,
	  .licence = "unknown (research use)",
	  .origin = "binary version, cs.toronto.edu/~kriz/cifar.html",
	  .url = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
	  .sha256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd" },
	{ .name = "imagenet64",
	  .h = 64,
	  .w = 64,
	  .c = 3,
	  .classes = 1000,
	  .n_train = 1281167,
	  .n_test = 50000,
	  .licence = "research use only",
	  .origin = "downsampled ImageNet, image-net.org" },
	{ .name = "shapes8",
	  .h = 8,
	  .w = 8,
	  .c = 1,
	  .classes = 4,
	  .n_train = 4096,
	  .n_test = 1024,
	  .licence = "generated",
	  .origin = "drawn in-tree: disc, square, cross, bar" },
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
	if (!set_ref_read(&ref, name, SPLIT_TRAIN) && !set_ref_read(&ref, name, SPLIT_TEST))
		return false;
	*out = (struct data_shape){ .name = "imported",
		                        .h = ref.h,
		                        .w = ref.w,
		                        .c = ref.c,
		                        .classes = ref.classes,
		                        .licence = "as its source says",
		                        .origin = "imported" };
	return true;
}

int data_name_side(char base[DATA_NAME_MAX], const char *name)
{
	const char *at = strrchr(name, '@');
	char *end;
	long side = at && at[1] >= '1' && at[1] <= '9' ? strtol(at + 1, &end, 10) : 0;
	bool good = side > 0 && side <= 100000 && !*end && at > name && at - name < DATA_NAME_MAX;
	(void)snprintf(base, DATA_NAME_MAX, "%.*s", good ? (int)(at - name) : DATA_NAME_MAX - 1, name);
	return good ? (int)side : 0;
}

int data_shape_find(struct data_shape *out, const char *name, struct err *e)
{
	char base[DATA_NAME_MAX];
	int side = data_name_side(base, name);
	if (side) {
		if (data_shape_find(out, base, e))
			return -1;
		if (out->h != out->w || side >= out->h)
			return err_code(e, EXIT_USAGE, "data set '%s': %s has pictures of %dx%d%s", name, base, out->w, out->h,
			                out->h != out->w ? ", and only square ones are made smaller" : "; name a smaller side");
		out->h = out->w = side;
		return 0;
	}
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
	                *str_text(&near)
	                    ? str_text(&near)
	                    : " (`ablate data list` names all; `ablate data import NAME SOURCE` adds your own)");
}
