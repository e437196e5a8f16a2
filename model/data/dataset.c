/* dataset.c - see dataset.h. */
#include "model/data/dataset.h"

#include "model/base/env.h"
#include "model/base/identity.h"
#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/data/cifar.h"
#include "model/data/dataset_set.h"
#include "model/data/idx.h"
#include "model/data/shapes.h"
#include "model/formats/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NUMERICS_OF_DATA 1 /* bumped when the same files would decode to other bytes */

/* ---- IDX ------------------------------------------------------------------------------------- */

/* Takes the pictures over. */
static int take_idx(struct dataset *d, struct idx *x, const struct idx *y, const char *labels,
                    const struct data_shape *shape, struct err *e)
{
	for (int64_t i = 0; i < y->dims[0]; i++)
		if (y->data[i] >= shape->classes)
			return err_set(e, "%s: label %d of image %" PRId64 ": there are %d classes", labels, y->data[i], i,
			               shape->classes);
	d->n = x->dims[0];
	d->images = x->data;
	x->data = NULL;
	d->labels = xcalloc((size_t)d->n, sizeof *d->labels);
	for (int64_t i = 0; i < d->n; i++)
		d->labels[i] = y->data[i];
	return 0;
}

static int read_idx(struct dataset *d, const char *folder, enum data_split split, const struct data_shape *shape,
                    struct err *e)
{
	SCOPED(free) char *images = idx_images_in(folder, split), *labels = images ? idx_labels_beside(images) : NULL;
	struct idx x = { 0 }, y = { 0 };
	if (!labels)
		return err_set(e, "%s: no %s-%s-idx file", folder, split == SPLIT_TRAIN ? "train" : "t10k",
		               images ? "labels" : "images");
	if (idx_open_images(&x, images, e))
		return -1;
	int rc = x.dims[1] != shape->h || x.dims[2] != shape->w || x.dims[3] != shape->c
	             ? err_set(e, "%s: images are not %dx%dx%d", images, shape->h, shape->w, shape->c)
	             : idx_open_labels(&y, labels, x.dims[0], e);
	if (!rc)
		rc = take_idx(d, &x, &y, labels, shape, e);
	idx_release(&x);
	idx_release(&y);
	return rc;
}

/* ---- CIFAR-10, binary version ---------------------------------------------------------------- */

static int read_cifar(struct dataset *d, const char *folder, enum data_split split, const struct data_shape *shape,
                      struct err *e)
{
	struct cifar c;
	int rc = 0;
	REQUIRE(shape->classes == CIFAR_CLASSES);
	if (cifar_open_split(&c, folder, split, e))
		return -1;
	d->n = c.n;
	d->images = xcalloc((size_t)c.n, CIFAR_PIXELS);
	d->labels = xcalloc((size_t)c.n, sizeof *d->labels);
	for (int64_t i = 0; !rc && i < c.n; i++) {
		int label = 0;
		rc = cifar_read(&c, i, d->images + i * CIFAR_PIXELS, &label, e);
		d->labels[i] = (uint16_t)label;
	}
	cifar_release(&c);
	return rc;
}

/* ---- generated: discs, squares, crosses and bars of random place, size and brightness -------- */

static uint8_t shape_pixel(int kind, double dx, double dy, double r, double light)
{
	double ax = dx < 0 ? -dx : dx, ay = dy < 0 ? -dy : dy, depth = 0; /* how far inside, in pixels */
	switch (kind) {
	case 0: depth = (r * r - dx * dx - dy * dy) / (2 * r); break;
	case 1: depth = r - (ax > ay ? ax : ay); break;
	case 2:
		depth = ax < ay ? 0.9 - ax : 0.9 - ay;
		depth = depth < r + 0.5 - (ax > ay ? ax : ay) ? depth : r + 0.5 - (ax > ay ? ax : ay);
		break;
	default: depth = 1.1 - ay < r + 0.7 - ax ? 1.1 - ay : r + 0.7 - ax; break;
	}
	depth = depth + 0.5 < 0 ? 0 : depth + 0.5 > 1 ? 1 : depth + 0.5;
	return (uint8_t)(255 * depth * light + 0.5);
}

static int generate_shapes(struct dataset *d, const char *folder, enum data_split split, const struct data_shape *shape,
                           struct err *e)
{
	(void)folder, (void)e;
	d->n = split == SPLIT_TRAIN ? shape->n_train : shape->n_test;
	d->images = xcalloc((size_t)(d->n * shape->h * shape->w), 1);
	d->labels = xcalloc((size_t)d->n, sizeof *d->labels);
	for (int64_t i = 0; i < d->n; i++) {
		double u[4];
		for (uint64_t j = 0; j < 4; j++)
			u[j] = rng_uniform_double((uint64_t)split, RNG_SYNTHETIC, 0, (uint64_t)i * 4 + j);
		int kind = (int)(i % shape->classes);
		d->labels[i] = (uint16_t)kind;
		double cx = 2.6 + 1.8 * u[0], cy = 2.6 + 1.8 * u[1], r = 1.4 + 1.2 * u[2], light = 0.6 + 0.4 * u[3];
		for (int y = 0; y < shape->h; y++)
			for (int x = 0; x < shape->w; x++)
				d->images[(i * shape->h + y) * shape->w + x] = shape_pixel(kind, x - cx, y - cy, r, light);
	}
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

struct loader {
	const char *name, *package_folder, *remedy;
	int (*read)(struct dataset *d, const char *folder, enum data_split split, const struct data_shape *shape,
	            struct err *e);
	const char *probe; /* a file whose presence in a folder shows that the set is there; NULL: generated */
};

static const struct loader loaders[] = {
	{ .name = "fashion-mnist",
	  .read = read_idx,
	  .probe = "train-images-idx3-ubyte.gz",
	  .package_folder = "/usr/share/datasets/fashion-mnist",
	  .remedy = "install the Debian package dataset-fashion-mnist" },
	{ .name = "cifar10",
	  .read = read_cifar,
	  .probe = "data_batch_1.bin",
	  .remedy = "`ablate data fetch cifar10` downloads the published archive, `ablate data import cifar10 FILE` reads "
	            "a copy of it" },
	{ .name = "imagenet64",
	  .probe = "",
	  .remedy = "`ablate data import imagenet64 FOLDER` reads the downsampled .npz batches, EDM's zip or folders of "
	            "pictures" },
	{ .name = "shapes8", .read = generate_shapes, .remedy = "" },
};

static const struct loader *find_loader(const char *name)
{
	for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++)
		if (strcmp(loaders[i].name, name) == 0)
			return &loaders[i];
	return NULL;
}

/* The file itself, unpacked, or in CIFAR-10's other version. */
static bool has(const char *folder, const char *file)
{
	const char *dot = strrchr(file, '.');
	SCOPED(free) char *path = xstrfmt("%s/%s", folder, file);
	SCOPED(free) char *plain = xstrfmt("%s/%.*s", folder, dot ? (int)(dot - file) : (int)strlen(file), file);
	return io_exists(path) || io_exists(plain);
}

/* Where a set's own files are: $ABLATE_DATA first, then (unless `own_only`) the cache and the package. */
static char *find_files(const struct loader *l, bool own_only)
{
	const char *own = env_get(ENV_ABLATE_DATA);
	SCOPED(free) char *cache = io_cache_dir();
	if (!l || !l->read || !l->probe)
		return NULL;
	char *places[] = { own && *own ? xstrfmt("%s/%s", own, l->name) : NULL,
		               own_only ? NULL : xstrfmt("%s/data/%s", cache, l->name),
		               l->package_folder && !own_only ? xstrdup(l->package_folder) : NULL };
	char *found = NULL;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (places[i] && !found && has(places[i], l->probe))
			found = places[i];
		else
			free(places[i]);
	}
	return found;
}

/* What a name means here: an imported set (in *ref, returns true), or files or nothing in *folder. */
static bool find_set(struct set_ref *ref, char **folder, const char *name, enum data_split split)
{
	const struct loader *l = find_loader(name);
	*folder = find_files(l, true);
	if (*folder)
		return false;
	if (set_ref_read(ref, name, split))
		return true;
	*folder = l && !l->probe ? xstrdup("generated") : find_files(l, false);
	return false;
}

char *dataset_folder(const char *name)
{
	struct set_ref ref;
	char *folder, base[DATA_NAME_MAX];
	(void)data_name_side(base, name);
	if (find_set(&ref, &folder, base, SPLIT_TRAIN) || (!folder && set_ref_read(&ref, base, SPLIT_TEST)))
		return set_path(ref.sha256);
	return folder;
}

static int missing(const char *name, enum data_split split, struct err *e)
{
	const struct loader *l = find_loader(name);
	const bool test = split == SPLIT_TEST;
	struct set_ref other;
	if (set_ref_read(&other, name, test ? SPLIT_TRAIN : SPLIT_TEST))
		return err_set(e, "data set %s has no %s split: `ablate data import %s SOURCE --split %s` adds it", name,
		               test ? "test" : "training", name, test ? "test" : "train");
	SCOPED(free) char *cache = io_cache_dir();
	if (!l)
		return err_set(e, "data set %s not found: `ablate data import %s SOURCE`", name, name);
	return err_set(e, "data set %s not found: %s (looked in $ABLATE_DATA/%s, %s/data/%s%s%s)", name, l->remedy, name,
	               cache, name, l->package_folder ? ", " : "", l->package_folder ? l->package_folder : "");
}

static int open_set(struct dataset *out, const char *name, enum data_split split, bool check, struct err *e);

static int open_smaller(struct dataset *out, const char *base, int side, enum data_split split, bool check,
                        struct err *e)
{
	struct dataset whole;
	if (open_set(&whole, base, split, check, e))
		return -1;
	int rc = dataset_smaller(out, &whole, side, e);
	dataset_release(&whole);
	return rc;
}

static int open_set(struct dataset *out, const char *name, enum data_split split, bool check, struct err *e)
{
	struct data_shape shape;
	struct set_ref ref;
	char *found, base[DATA_NAME_MAX];
	int side = data_name_side(base, name);
	if (data_shape_find(&shape, name, e))
		return -1;
	if (side)
		return open_smaller(out, base, side, split, check, e);
	if (find_set(&ref, &found, name, split)) {
		if (ref.h == shape.h && ref.w == shape.w && ref.c == shape.c && ref.classes <= shape.classes)
			return set_open(out, &ref, check, e);
		return err_set(
			e, "data set %s: its imported files are %dx%dx%d in %d classes, not %dx%dx%d in %d; import them again",
			name, ref.h, ref.w, ref.c, ref.classes, shape.h, shape.w, shape.c, shape.classes);
	}
	SCOPED(free) char *folder = found;
	if (!folder)
		return missing(name, split, e);
	struct dataset d = { .h = shape.h, .w = shape.w, .c = shape.c, .classes = shape.classes };
	if (find_loader(name)->read(&d, folder, split, &shape, e)) {
		dataset_release(&d);
		return -1;
	}
	if (d.n == 0) {
		dataset_release(&d);
		return err_set(e, "%s: holds no images", folder);
	}
	dataset_identify(&d);
	*out = d;
	return 0;
}

int dataset_open(struct dataset *out, const char *name, enum data_split split, struct err *e)
{
	return open_set(out, name, split, false, e);
}

int dataset_check(struct dataset *out, const char *name, enum data_split split, struct err *e)
{
	return open_set(out, name, split, true, e);
}

/* ---- remembered identities ------------------------------------------------------------------- */

/* One line that changes when the files do; heap text. */
static char *stamp_of(const char *name, enum data_split split, const char *folder)
{
	static const char *const files[] = { "train-images-idx3-ubyte.gz",
		                                 "train-images-idx3-ubyte",
		                                 "train-labels-idx1-ubyte.gz",
		                                 "train-labels-idx1-ubyte",
		                                 "t10k-images-idx3-ubyte.gz",
		                                 "t10k-images-idx3-ubyte",
		                                 "t10k-labels-idx1-ubyte.gz",
		                                 "data_batch_1.bin",
		                                 "data_batch_2.bin",
		                                 "data_batch_3.bin",
		                                 "data_batch_4.bin",
		                                 "data_batch_5.bin",
		                                 "test_batch.bin",
		                                 "data_batch_1",
		                                 "data_batch_2",
		                                 "data_batch_3",
		                                 "data_batch_4",
		                                 "data_batch_5",
		                                 "test_batch" };
	struct str s = { 0 };
	str_addf(&s, "%d %s %d %s", NUMERICS_OF_DATA, name, (int)split, folder);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		SCOPED(free) char *path = xstrfmt("%s/%s", folder, files[i]);
		SCOPED(free) char *stamp = identity_stamp(path, NULL);
		if (stamp)
			str_addf(&s, " %s", stamp);
	}
	return str_detach(&s);
}

enum data_split dataset_cut_split(char *name)
{
	char *dash = strrchr(name, '-');
	enum data_split split = dash && strcmp(dash, "-test") == 0 ? SPLIT_TEST : SPLIT_TRAIN;
	if (dash && (split == SPLIT_TEST || strcmp(dash, "-train") == 0))
		*dash = '\0';
	return split;
}

/* One line that says what a name means now: the files of a set and their times, or the identity of the set that it is
 * made of. Heap text, or NULL with the identity itself in hex. */
static int find_identity(char **stamp, char hex[SHA256_HEX], const char *name, enum data_split split, struct err *e)
{
	struct data_shape unused;
	struct set_ref ref;
	char *found, base[DATA_NAME_MAX];
	int side = data_name_side(base, name);
	*stamp = NULL;
	if (data_shape_find(&unused, name, e))
		return -1;
	if (side) {
		if (dataset_sha256(hex, base, split, e))
			return -1;
		*stamp = xstrfmt("%d box %d %s", NUMERICS_OF_DATA, side, hex);
		return 0;
	}
	if (find_set(&ref, &found, name, split))
		return set_sha256(hex, &ref, e);
	SCOPED(free) char *folder = found;
	if (!folder)
		return missing(name, split, e);
	*stamp = stamp_of(name, split, folder);
	return 0;
}

int dataset_sha256(char hex[SHA256_HEX], const char *name, enum data_split split, struct err *e)
{
	SCOPED(free) char *stamp = NULL;
	if (find_identity(&stamp, hex, name, split, e))
		return -1;
	if (!stamp || identity_recall(hex, stamp))
		return 0;
	struct dataset d;
	if (dataset_open(&d, name, split, e))
		return -1;
	memcpy(hex, d.sha256, SHA256_HEX);
	dataset_release(&d);
	identity_keep(hex, stamp);
	return 0;
}

void dataset_image(float *dst, const struct dataset *d, int64_t i, int flip)
{
	const uint8_t *src = d->images + i * d->h * d->w * d->c;
	for (int y = 0; y < d->h; y++)
		for (int x = 0; x < d->w; x++) {
			const uint8_t *p = src + (y * d->w + (flip ? d->w - 1 - x : x)) * d->c;
			for (int c = 0; c < d->c; c++)
				*dst++ = (float)p[c] * (2.0f / 255.0f) - 1.0f;
		}
}
