/* test_data_files.c - IDX and CIFAR-10 files: one reader of each, and training, scoring and importing see the same in
 * them. */
#include "harness/import/labelled.h"
#include "metrics/sources/sources.h"
#include "model/base/mem.h"
#include "model/data/cifar.h"
#include "model/data/dataset.h"
#include "model/data/idx.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Three pictures of 28 x 28 with labels 7, 0 and 9; picture i begins with 10 * (i + 1). */
enum { N = 3, SIDE = 28, PIXELS = SIDE * SIDE };
static const uint8_t label_bytes[] = { 0, 0, 8, 1, 0, 0, 0, N, 7, 0, 9 };

static void write_images(const char *path, bool gzip)
{
	uint8_t bytes[16 + N * PIXELS] = { 0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, SIDE, 0, 0, 0, SIDE };
	for (int i = 0; i < N; i++)
		bytes[16 + i * PIXELS] = (uint8_t)(10 * (i + 1));
	gzFile f = gzopen(path, gzip ? "wb" : "wbT");
	cr_assert_eq(gzwrite(f, bytes, sizeof bytes), (int)sizeof bytes);
	cr_assert_eq(gzclose(f), Z_OK);
}

static void write_record(uint8_t *record, int label, int red, int green, int blue)
{
	record[0] = (uint8_t)label;
	record[1] = (uint8_t)red;
	record[1 + 1024] = (uint8_t)green;
	record[1 + 2048] = (uint8_t)blue;
}

/* The first pixels and labels of a folder's training set by each of its readers. */
static void all_three_see(const char *root, const char *name, const uint8_t *want, const int *labels, int n,
                          int channels)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *folder = xstrfmt("%s/%s", root, name), *images = idx_images_in(folder, SPLIT_TRAIN);
	struct dataset d;
	SCOPED(source) struct source *s = NULL;
	SCOPED(labelled) struct labelled *l = NULL;
	SCOPED(image_u8) struct image_u8 a = { 0 };
	SCOPED(image_u8) struct image_u8 b = { 0 };
	cr_assert_eq(setenv("ABLATE_DATA", root, 1), 0);
	cr_assert_eq(dataset_open(&d, name, SPLIT_TRAIN, &e), 0, "%s", e.msg);
	cr_assert_eq(source_open(&s, images ? images : folder, &e), 0, "%s", e.msg);
	cr_assert_eq(labelled_open(&l, folder, SPLIT_TRAIN, LABELS_AUTO, &e), 0, "%s", e.msg);
	cr_assert(d.n == n && s->n == n && l->n == n);
	size_t size = (size_t)(d.h * d.w * d.c);
	for (int i = 0; i < n; i++) {
		cr_assert(source_read(s, i, &a, &e) == 0 && labelled_read(l, i, &b, &e) == 0, "%s", e.msg);
		cr_expect(memcmp(a.px, d.images + (size_t)i * size, size) == 0 && memcmp(b.px, a.px, size) == 0, "picture %d",
		          i);
		cr_expect(memcmp(a.px, want + i * channels, (size_t)channels) == 0, "first pixel of picture %d", i);
		cr_expect(d.labels[i] == labels[i] && l->labels[i] == labels[i], "label of picture %d", i);
	}
	dataset_release(&d);
}

Test(data_files, idx_is_read_alike_by_all)
{
	char *root = tempdir_make();
	SCOPED(free)
	char *folder = xstrfmt("%s/fashion-mnist", root), *images = xstrfmt("%s/train-images-idx3-ubyte.gz", folder);
	cr_assert_eq(mkdir(folder, 0777), 0);
	write_images(images, true);
	free(tempdir_file(folder, "train-labels-idx1-ubyte", label_bytes,
	                  sizeof label_bytes)); /* plain beside a gzipped one */
	all_three_see(root, "fashion-mnist", (const uint8_t[]){ 10, 20, 30 }, (const int[]){ 7, 0, 9 }, N, 1);
	tempdir_remove(root);
}

Test(data_files, cifar_is_read_alike_by_all)
{
	char *root = tempdir_make();
	SCOPED(free) char *folder = xstrfmt("%s/cifar10", root);
	cr_assert_eq(mkdir(folder, 0777), 0);
	for (int k = 0; k < CIFAR_BATCHES; k++) {
		uint8_t record[CIFAR_RECORD] = { 0 };
		SCOPED(free) char *path = cifar_batch_path(folder, SPLIT_TRAIN, k);
		write_record(record, 9 - k, 3 * k, 3 * k + 1, 3 * k + 2);
		free(tempdir_file(folder, strrchr(path, '/') + 1, record, sizeof record));
	}
	cr_assert_null(cifar_batch_path(folder, SPLIT_TRAIN, CIFAR_BATCHES));
	all_three_see(root, "cifar10", (const uint8_t[]){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 },
	              (const int[]){ 9, 8, 7, 6, 5 }, CIFAR_BATCHES, 3);
	tempdir_remove(root);
}

Test(data_files, idx_names_lead_to_their_labels)
{
	char *dir = tempdir_make();
	static const struct {
		const char *there, *images, *labels;
	} cases[] = {
		{ "train-labels-idx1-ubyte.gz", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz" },
		{ "train-labels-idx1-ubyte.gz", "train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz" },
		{ "t10k-labels-idx1-ubyte", "t10k-images-idx4-ubyte", "t10k-labels-idx1-ubyte" },
		{ "t10k-labels-idx1-ubyte", "t10k-images-idx4-ubyte.gz", "t10k-labels-idx1-ubyte" },
		{ "x-labels-idx1", "x-images-idx3", NULL }, /* no name of a published set */
		{ "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte", NULL },
		{ "labels", "images", NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		SCOPED(free) char *there = tempdir_file(dir, cases[i].there, label_bytes, sizeof label_bytes);
		SCOPED(free) char *images = xstrfmt("%s/%s", dir, cases[i].images), *found = idx_labels_beside(images);
		SCOPED(free) char *want = cases[i].labels ? xstrfmt("%s/%s", dir, cases[i].labels) : NULL;
		cr_expect(!found == !want && (!want || strcmp(found, want) == 0), "%s: %s", cases[i].images,
		          found ? found : "none");
		cr_assert_eq(unlink(there), 0);
	}
	tempdir_remove(dir);
}

Test(data_files, idx_of_the_wrong_shape_is_refused)
{
	char *dir = tempdir_make();
	struct err e = ERR_INIT;
	struct idx x;
	uint8_t flat[] = { 0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 5, 5 },
			two[] = { 0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 5, 5 };
	SCOPED(free)
	char *labels = tempdir_file(dir, "labels", label_bytes, sizeof label_bytes),
		 *a = tempdir_file(dir, "a", flat, sizeof flat);
	SCOPED(free) char *b = tempdir_file(dir, "b", two, sizeof two);
	cr_assert_eq(idx_open_labels(&x, labels, N + 1, &e), -1);
	cr_assert(strstr(e.msg, "/labels: 3 labels for 4 images"), "%s", e.msg);
	cr_assert_eq(idx_open_labels(&x, a, 1, &e), -1);
	cr_assert_eq(idx_open_images(&x, labels, &e), -1);
	cr_assert(strstr(e.msg, "/labels: IDX of 1 dimensions holds no images (these are labels)"), "%s", e.msg);
	cr_assert_eq(idx_open_images(&x, a, &e), -1);
	cr_assert_eq(idx_open_images(&x, b, &e), -1);
	cr_assert(strstr(e.msg, "/b: IDX of 4 dimensions holds no images"), "%s", e.msg);
	cr_assert_eq(idx_open_labels(&x, labels, N, &e), 0, "%s", e.msg);
	cr_assert_eq(x.data[2], 9);
	idx_release(&x);
	uint8_t colour[] = { 0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6 };
	SCOPED(free) char *c = tempdir_file(dir, "c", colour, sizeof colour);
	cr_assert_eq(idx_open_images(&x, c, &e), 0, "%s", e.msg);
	SCOPED(image_u8) struct image_u8 im = { 0 };
	cr_assert(idx_image(&im, &x, 1, "c", &e) == 0 && im.c == 3 && im.px[0] == 4, "%s", e.msg);
	idx_release(&x);
	tempdir_remove(dir);
}

Test(data_files, cifar_in_memory_and_its_faults)
{
	struct cifar c = { 0 };
	struct err e = ERR_INIT;
	uint8_t px[CIFAR_PIXELS];
	int label;
	for (int k = 0; k < CIFAR_BATCHES; k++) {
		uint8_t *bytes = xcalloc(2, CIFAR_RECORD);
		write_record(bytes + CIFAR_RECORD, k == 3 ? 10 : k, 50 + k, 0, 0);
		cr_assert_eq(cifar_add_bytes(&c, bytes, 2 * CIFAR_RECORD, "a.tar: batch", &e), 0, "%s", e.msg);
	}
	cr_assert_eq(c.n, 10);
	cr_assert_eq(cifar_read(&c, 5, px, &label, &e), 0, "%s", e.msg); /* the second of the third */
	cr_assert(label == 2 && px[0] == 52 && px[1] == 0);
	cr_assert_eq(cifar_read(&c, 7, NULL, &label, &e), -1);
	cr_assert(strstr(e.msg, "a.tar: batch: record 1 has label 10: not CIFAR-10"), "%s", e.msg);
	cr_assert_eq(cifar_add_bytes(&c, xcalloc(1, CIFAR_RECORD), CIFAR_RECORD, "sixth", &e), -1);
	cr_assert(strstr(e.msg, "sixth: CIFAR-10 has no more than 5 batches"), "%s", e.msg);
	cr_assert_eq(cifar_add_bytes(&c, xcalloc(1, 10), 10, "short", &e), -1);
	cr_assert(strstr(e.msg, "short: not a CIFAR-10 binary file (or truncated)"), "%s", e.msg);
	cr_assert_eq(cifar_add_bytes(&c, xmalloc(1), 0, "empty", &e), -1);
	cifar_release(&c);
	cr_assert(cifar_is_batch("a/b/data_batch_5.bin", SPLIT_TRAIN) && cifar_is_batch("test_batch.bin", SPLIT_TEST));
	cr_assert(!cifar_is_batch("data_batch_6.bin", SPLIT_TRAIN) && !cifar_is_batch("data_batch_1.bin", SPLIT_TEST) &&
	          !cifar_is_batch("xtest_batch.bin", SPLIT_TEST));
}
