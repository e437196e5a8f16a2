/* labelled.c - see labelled.h: finding the kind, and IDX and CIFAR-10, whose readers lie elsewhere. */
#define _GNU_SOURCE
#include "harness/import/labelled.h"

#include "model/base/mem.h"
#include "model/data/cifar.h"
#include "model/data/idx.h"
#include "model/data/label_file.h"
#include "model/formats/tar.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct labelled_kind *const kinds[] = { &labelled_cifar, &labelled_npz, &labelled_idx, &labelled_files };

int labelled_open(struct labelled **out, const char *path, enum data_split split, enum label_rule rule, struct err *e)
{
	*out = NULL;
	if (!io_exists(path))
		return err_set(e, "%s: no such file or folder", path);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (!kinds[i]->is(path))
			continue;
		struct labelled *l = xcalloc(1, sizeof *l);
		*l = (struct labelled){ .kind = kinds[i], .path = path, .split = split, .rule = rule };
		sha256_init(&l->stamp);
		labelled_reads(l, path);
		int rc = kinds[i]->open(l, e);
		for (int64_t k = 0; k < l->n && !rc && l->labels; k++)
			l->classes = l->labels[k] >= l->classes ? l->labels[k] + 1 : l->classes;
		if (rc || l->n == 0) {
			labelled_free(l);
			return rc ? -1 : 1;
		}
		*out = l;
		return 0;
	}
	return err_set(e, "%s: not a folder, zip, .npz, IDX or CIFAR-10 file of images", path);
}

int labelled_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	REQUIRE(i >= 0 && i < l->n);
	return l->kind->read(l, i, im, e);
}

void labelled_free(struct labelled *l)
{
	if (!l)
		return;
	if (l->self)
		l->kind->close(l);
	free(l->labels);
	free(l);
}

void labelled_stamp(char hex[SHA256_HEX], struct labelled *l)
{
	sha256_hex(hex, &l->stamp);
}

void labelled_reads(struct labelled *l, const char *path)
{
	struct stat st = { 0 };
	(void)stat(path, &st);
	SCOPED(free) char *line = xstrfmt("%s %lld %lld.%09ld\n", path, (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	sha256_add(&l->stamp, line, strlen(line));
}

void scoped_labelled(struct labelled **l)
{
	labelled_free(*l);
}

int labelled_set(struct labelled *l, int64_t i, int64_t label, struct err *e)
{
	if (label < 0 || label > LABEL_MAX)
		return err_set(e, "%s: label %" PRId64 " of image %" PRId64 " is out of range: 0 to %d", l->path, label, i, LABEL_MAX);
	l->labels[i] = (uint16_t)label;
	return 0;
}

/* ---- CIFAR-10 ----------------------------------------------------------------------------------------------------------- */

/* All records of the split, 3073 bytes each: 154 MB at most. */
struct records { uint8_t *bytes; int64_t n; };
enum { RECORDS_MAX = 60000 };

static bool cifar_place_is(const char *path)
{
	SCOPED(free) char *train = xstrfmt("%s/data_batch_1.bin", path), *test = xstrfmt("%s/test_batch.bin", path);
	return io_is_dir(path) ? io_exists(train) || io_exists(test) : tar_is(path);
}

static bool of_split(const char *name, enum data_split split)
{
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
	if (split == SPLIT_TEST)
		return strcmp(base, "test_batch.bin") == 0;
	return strlen(base) == strlen("data_batch_1.bin") && strncmp(base, "data_batch_", 11) == 0 && base[11] >= '1' && base[11] <= '5' &&
	       strcmp(base + 12, ".bin") == 0;
}

/* Room for n more bytes of records from the file `name`, or NULL. */
static uint8_t *grow(struct records *r, int64_t bytes, const char *name, struct err *e)
{
	if (bytes == 0 || bytes % CIFAR_RECORD || r->n + bytes / CIFAR_RECORD > RECORDS_MAX) {
		(void)err_set(e, "%s: not a CIFAR-10 binary file (or truncated): %" PRId64 " bytes are no whole number of records of %d", name, bytes, CIFAR_RECORD);
		return NULL;
	}
	r->bytes = xrealloc(r->bytes, (size_t)(r->n + bytes / CIFAR_RECORD), CIFAR_RECORD);
	uint8_t *at = r->bytes + r->n * CIFAR_RECORD;
	r->n += bytes / CIFAR_RECORD;
	return at;
}

static int read_archive(struct records *r, const struct labelled *l, struct err *e)
{
	SCOPED(tar) struct tar *t = NULL;
	const char *name;
	int64_t size;
	int more;
	if (tar_open(&t, l->path, e))
		return -1;
	while ((more = tar_next(t, &name, &size, e)) > 0) { /* batches lie in order of number in the published file; any order is a set */
		if (!of_split(name, l->split))
			continue;
		uint8_t *at = grow(r, size, name, e);
		if (!at)
			return err_in(e, "%s", l->path);
		if (tar_read(t, at, (size_t)size, e))
			return -1;
	}
	return more;
}

static int read_folder(struct records *r, struct labelled *l, struct err *e)
{
	for (int k = 1; k <= (l->split == SPLIT_TRAIN ? 5 : 1); k++) {
		SCOPED(free) char *path = l->split == SPLIT_TRAIN ? xstrfmt("%s/data_batch_%d.bin", l->path, k) : xstrfmt("%s/test_batch.bin", l->path);
		SCOPED(str) struct str file = { 0 };
		if (!io_exists(path) && k == 1)
			return 0;
		labelled_reads(l, path);
		if (io_read(&file, path, (size_t)RECORDS_MAX * CIFAR_RECORD, e))
			return -1;
		uint8_t *at = grow(r, (int64_t)file.len, path, e);
		if (!at)
			return -1;
		memcpy(at, file.data, file.len);
	}
	return 0;
}

static int cifar_place_open(struct labelled *l, struct err *e)
{
	struct records *r = l->self = xcalloc(1, sizeof *r);
	if (io_is_dir(l->path) ? read_folder(r, l, e) : read_archive(r, l, e))
		return -1;
	l->labels = xcalloc((size_t)r->n + 1, sizeof *l->labels);
	for (int64_t i = 0; i < r->n; i++) {
		int label = r->bytes[i * CIFAR_RECORD];
		if (label > 9)
			return err_set(e, "%s: record %" PRId64 " has label %d: not CIFAR-10", l->path, i, label);
		l->labels[i] = (uint16_t)label;
	}
	l->n = r->n;
	return 0;
}

static int cifar_place_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	struct records *r = l->self;
	if (image_u8_shape(im, CIFAR_SIDE, CIFAR_SIDE, 3, l->path, e))
		return -1;
	cifar_interleave(im->px, r->bytes + i * CIFAR_RECORD + 1);
	return 0;
}

static void cifar_place_close(struct labelled *l)
{
	struct records *r = l->self;
	free(r->bytes);
	free(r);
}

const struct labelled_kind labelled_cifar = { "CIFAR-10", cifar_place_is, cifar_place_open, cifar_place_read, false, cifar_place_close };

/* ---- IDX ------------------------------------------------------------------------------------------------------------------ */

/* Heap text: the images of a split in a folder, as the published sets name them, or NULL. */
static char *idx_images_in(const char *folder, enum data_split split)
{
	static const char *const names[] = { "images-idx3-ubyte.gz", "images-idx3-ubyte", "images-idx4-ubyte.gz", "images-idx4-ubyte" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *path = xstrfmt("%s/%s-%s", folder, split == SPLIT_TEST ? "t10k" : "train", names[i]);
		if (io_exists(path))
			return path;
		free(path);
	}
	return NULL;
}

static bool idx_file_is(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	if (!io_is_dir(path))
		return strstr(base, "-idx") != NULL;
	SCOPED(free) char *train = idx_images_in(path, SPLIT_TRAIN), *test = idx_images_in(path, SPLIT_TEST);
	return train || test;
}

/* train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz; NULL when the name says nothing. */
static char *labels_beside(const char *path)
{
	const char *slash = strrchr(path, '/'), *at = strstr(slash ? slash : path, "-images-idx");
	if (!at || !at[11] || !at[12])
		return NULL;
	return xstrfmt("%.*s-labels-idx1%s", (int)(at - path), path, at + 12);
}

static bool is_test_file(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	return strncmp(base, "t10k", 4) == 0 || strncmp(base, "test", 4) == 0 || strncmp(base, "val", 3) == 0;
}

static int idx_file_open(struct labelled *l, struct err *e)
{
	SCOPED(free) char *images = io_is_dir(l->path) ? idx_images_in(l->path, l->split) : xstrdup(l->path);
	if (!images || is_test_file(images) != (l->split == SPLIT_TEST))
		return 0;
	struct idx *x = l->self = xcalloc(1, sizeof *x), y = { 0 };
	SCOPED(free) char *beside = l->rule == LABELS_NONE ? NULL : labels_beside(images);
	labelled_reads(l, images);
	if (idx_open(x, images, e))
		return -1;
	if (x->n_dims != 3 && !(x->n_dims == 4 && (x->dims[3] == 1 || x->dims[3] == 3)))
		return err_set(e, "%s: IDX of %d dimensions holds no images", images, x->n_dims);
	l->labels = xcalloc((size_t)x->dims[0] + 1, sizeof *l->labels);
	if (beside && io_exists(beside)) {
		labelled_reads(l, beside);
		if (idx_open(&y, beside, e))
			return -1;
		if (y.n_dims != 1 || y.dims[0] != x->dims[0]) {
			(void)err_set(e, "%s: %" PRId64 " labels for %" PRId64 " images", beside, y.dims[0], x->dims[0]);
			idx_release(&y);
			return -1;
		}
		for (int64_t i = 0; i < y.dims[0]; i++)
			l->labels[i] = y.data[i];
		idx_release(&y);
	}
	l->n = x->dims[0];
	return 0;
}

static int idx_file_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct idx *x = l->self;
	if (image_u8_shape(im, x->dims[1], x->dims[2], x->n_dims == 4 ? (int)x->dims[3] : 1, l->path, e))
		return -1;
	size_t size = (size_t)im->h * (size_t)im->w * (size_t)im->c;
	memcpy(im->px, x->data + (size_t)i * size, size);
	return 0;
}

static void idx_file_close(struct labelled *l)
{
	idx_release(l->self);
	free(l->self);
}

const struct labelled_kind labelled_idx = { "IDX", idx_file_is, idx_file_open, idx_file_read, false, idx_file_close };
