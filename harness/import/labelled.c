/* labelled.c - see labelled.h: finding the kind, and IDX and CIFAR-10, whose readers are in model/data/. */
#define _GNU_SOURCE
#include "harness/import/labelled.h"

#include "model/base/mem.h"
#include "model/base/unread.h"
#include "model/data/cifar.h"
#include "model/data/idx.h"
#include "model/data/label_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct labelled_kind *const kinds[] = { &labelled_cifar, &labelled_batches, &labelled_idx,
	                                                 &labelled_files };

int labelled_open(struct labelled **out, const char *path, enum data_split split, enum label_rule rule, struct err *e)
{
	*out = NULL;
	if (!io_exists(path))
		return err_set(e, "%s: no such file or folder", path);
	if (unread_refuse(path, e))
		return -1;
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
	return err_set(e, "%s: not a folder, zip, tar, LMDB, .npz, HDF5, pickle, IDX or CIFAR-10 file of images", path);
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
	str_release(&l->notes);
	free(l);
}

void labelled_stamp(char hex[SHA256_HEX], struct labelled *l)
{
	sha256_hex(hex, &l->stamp);
}

void scoped_labelled(struct labelled **l)
{
	labelled_free(*l);
}

/* ---- CIFAR-10 -------------------------------------------------------------------------------- */

static bool cifar_place_is(const char *path)
{
	SCOPED(free) char *train = cifar_batch_path(path, SPLIT_TRAIN, 0), *test = cifar_batch_path(path, SPLIT_TEST, 0);
	return io_is_dir(path) ? io_exists(train) || io_exists(test) : cifar_archive_is(path);
}

static int read_folder(struct cifar *c, struct labelled *l, struct err *e)
{
	char *path;
	for (int k = 0; (path = cifar_batch_path(l->path, l->split, k)); k++) {
		bool none = k == 0 && !io_exists(path);
		if (!none)
			labelled_reads(l, path);
		free(path);
		if (none)
			return 0;
	}
	return cifar_open_split(c, l->path, l->split, e);
}

static int cifar_place_open(struct labelled *l, struct err *e)
{
	struct cifar *c = l->self = xcalloc(1, sizeof *c);
	if (io_is_dir(l->path) ? read_folder(c, l, e) : cifar_open_archive(c, l->path, l->split, e))
		return -1;
	l->n = c->n;
	l->labels = xcalloc((size_t)l->n + 1, sizeof *l->labels);
	for (int64_t i = 0; i < l->n; i++) {
		int label;
		if (cifar_read(c, i, NULL, &label, e))
			return -1;
		l->labels[i] = (uint16_t)label;
	}
	return 0;
}

static int cifar_place_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	return cifar_image(im, l->self, i, e);
}

static void cifar_place_close(struct labelled *l)
{
	cifar_release(l->self);
	free(l->self);
}

const struct labelled_kind labelled_cifar = { "CIFAR-10",       cifar_place_is, cifar_place_open,
	                                          cifar_place_read, false,          cifar_place_close };

/* ---- IDX ------------------------------------------------------------------------------------- */

static bool idx_file_is(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	if (!io_is_dir(path))
		return strstr(base, "-idx") != NULL;
	SCOPED(free) char *train = idx_images_in(path, SPLIT_TRAIN), *test = idx_images_in(path, SPLIT_TEST);
	return train || test;
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
	struct idx *x = l->self = xcalloc(1, sizeof *x), y;
	SCOPED(free) char *labels = l->rule == LABELS_NONE ? NULL : idx_labels_beside(images);
	labelled_reads(l, images);
	if (idx_open_images(x, images, e))
		return -1;
	l->n = x->dims[0];
	l->labels = xcalloc((size_t)l->n + 1, sizeof *l->labels);
	if (!labels)
		return 0;
	labelled_reads(l, labels);
	if (idx_open_labels(&y, labels, l->n, e))
		return -1;
	for (int64_t i = 0; i < l->n; i++)
		l->labels[i] = y.data[i];
	idx_release(&y);
	return 0;
}

static int idx_file_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e)
{
	return idx_image(im, l->self, i, l->path, e);
}

static void idx_file_close(struct labelled *l)
{
	idx_release(l->self);
	free(l->self);
}

const struct labelled_kind labelled_idx = { "IDX", idx_file_is, idx_file_open, idx_file_read, false, idx_file_close };
