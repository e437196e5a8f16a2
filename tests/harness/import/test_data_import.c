/* test_data_import.c - data sets brought in from every kind of place: pixels, labels and splits as they should be. Bad
 * input: test_data_import_bad.c. */
#include "model/data/image_u8.h"
#include "model/data/shapes.h"
#include "model/formats/npz.h"
#include "tests/common/import_fixture.h"

TestSuite(data_import, .init = set_up, .fini = tear_down);

Test(data_import, folders_are_classes_and_splits)
{
	write_png("pics/train/cat/a.png", 8, 8, 10);
	write_png("pics/train/ant/b.PNG", 8, 8, 20);
	write_png("pics/train/ant/c.png", 8, 8, 30);
	write_png("pics/val/cat/d.png", 8, 8, 40);
	struct imported *got = import("mine", "pics", NULL);
	cr_assert(got[SPLIT_TRAIN].found && got[SPLIT_TEST].found);
	struct dataset d = open_set("mine", SPLIT_TRAIN);
	cr_assert(d.n == 3 && d.h == 8 && d.w == 8 && d.c == 3 && d.classes == 2);
	static const int levels[] = { 20, 30, 10 }, labels[] = { 0, 0, 1 };
	for (int i = 0; i < 3; i++)
		cr_expect(d.images[i * 192] == levels[i] && d.labels[i] == labels[i], "image %d: %d in class %d", i,
		          d.images[i * 192], d.labels[i]);
	dataset_release(&d);
	d = open_set("mine", SPLIT_TEST);
	cr_expect(d.n == 1 && d.images[0] == 40);
	dataset_release(&d);
	struct data_shape shape;
	struct err e = ERR_INIT;
	cr_assert_eq(data_shape_find(&shape, "mine", &e), 0, "%s", e.msg);
	cr_expect(shape.h == 8 && shape.classes == 2);
}

/* A set made smaller is a set of its own: its pictures are box averages, and what cannot be made smaller is
 * refused. */
Test(data_import, a_set_made_smaller)
{
	struct err e = ERR_INIT;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	SCOPED(free) char *path = in_place("pics/train/a/a.png");
	cr_assert_eq(image_u8_shape(&im, 8, 8, 3, "x", &e), 0);
	for (int i = 0; i < 192; i++)
		im.px[i] = (uint8_t)(i * i + 13 * i);
	cr_assert_eq(image_png_write(path, im.px, 8, 8, 3, &e), 0, "%s", e.msg);
	write_png("pics/train/b/b.png", 8, 8, 200);
	(void)import("mine", "pics", NULL);
	struct dataset whole = open_set("mine", SPLIT_TRAIN), d = open_set("mine@4", SPLIT_TRAIN);
	cr_assert(d.n == 2 && d.h == 4 && d.w == 4 && d.c == 3 && d.classes == 2 && d.labels[1] == whole.labels[1]);
	for (int y = 0; y < 4; y++)
		for (int x = 0; x < 4; x++)
			for (int c = 0; c < 3; c++) { /* rounded to a byte after each of two passes, as Pillow does */
				int rows[2];
				for (int k = 0; k < 2; k++)
					rows[k] = (im.px[((2 * y + k) * 8 + 2 * x) * 3 + c] + im.px[((2 * y + k) * 8 + 2 * x + 1) * 3 + c] +
					           1) /
					          2;
				int want = (rows[0] + rows[1] + 1) / 2;
				cr_expect_eq(d.images[(y * 4 + x) * 3 + c], want, "%d,%d,%d", y, x, c);
			}
	char hex[SHA256_HEX];
	for (int again = 0; again < 2; again++) { /* made, then remembered */
		cr_assert_eq(dataset_sha256(hex, "mine@4", SPLIT_TRAIN, &e), 0, "%s", e.msg);
		cr_expect_str_eq(hex, d.sha256);
	}
	cr_expect_str_neq(hex, whole.sha256);
	cr_assert_eq(dataset_sha256(hex, "mine@2", SPLIT_TRAIN, &e), 0, "%s", e.msg);
	cr_expect_str_neq(hex, d.sha256, "what is remembered of one side is not another's");
	dataset_release(&d);
	dataset_release(&whole);
	struct data_shape shape;
	static const struct {
		const char *name, *why;
	} bad[] = { { "mine@8", "8x8" },
		        { "mine@9", "8x8" },
		        { "nobody@4", "unknown data set 'nobody'" },
		        { "mine@4x", "unknown" },
		        { "mine@", "unknown" } };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		e = ERR_INIT;
		cr_expect_eq(data_shape_find(&shape, bad[i].name, &e), -1, "%s", bad[i].name);
		cr_expect(e.code == EXIT_USAGE && strstr(e.msg, bad[i].why), "%s: %s", bad[i].name, e.msg);
	}
	write_png("wide/train/a/a.png", 6, 8, 1);
	(void)import("wide", "wide", NULL);
	cr_expect_eq(data_shape_find(&shape, "wide@4", &e), -1);
	cr_expect(strstr(e.msg, "square"), "%s", e.msg);
}

Test(data_import, zip_of_edm_with_its_labels)
{
	write_zip("edm.zip", EDM_MEMBERS, "{\"labels\": [[\"00000/img00000001.png\", 7], [\"00000/img00000000.png\", 3]]}");
	(void)import("edm", "edm.zip", NULL);
	struct dataset d = open_set("edm", SPLIT_TRAIN);
	cr_expect(d.n == 2 && d.labels[0] == 3 && d.labels[1] == 7 && d.images[0] == 50 && d.images[192] == 51 &&
	          d.classes == 8);
	dataset_release(&d);
	write_zip("plain.zip", EDM_MEMBERS, NULL); /* its folder is not a class */
	(void)import("plain", "plain.zip", NULL);
	d = open_set("plain", SPLIT_TRAIN);
	cr_expect(d.classes == 1 && d.labels[1] == 0);
	dataset_release(&d);
}

static void write_batch(const char *name, int n, int side, int first)
{
	SCOPED(free) char *path = in_place(name);
	SCOPED(free) uint8_t *px = xcalloc((size_t)(n * 3 * side * side), 1);
	SCOPED(free) int64_t *labels = xcalloc((size_t)n, sizeof *labels);
	struct npz_writer w;
	struct err e = ERR_INIT;
	for (int i = 0; i < n; i++) {
		labels[i] = first + i + 1;
		for (int c = 0; c < 3; c++)
			memset(px + (i * 3 + c) * side * side, first + 10 * i + c, (size_t)(side * side));
	}
	cr_assert_eq(npz_create(&w, path, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add(&w, "data", "|u1", (int64_t[]){ n, 3 * side * side }, 2, px, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add(&w, "labels", "<i8", (int64_t[]){ n }, 1, labels, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_commit(&w, &e), 0, "%s", e.msg);
}

Test(data_import, batches_of_downsampled_imagenet)
{
	write_batch("batches/train_data_batch_10.npz", 2, 64, 100);
	write_batch("batches/train_data_batch_2.npz", 3, 64, 5);
	write_batch("batches/val_data.npz", 1, 64, 0);
	struct imported *got = import("imagenet64", "batches", NULL);
	cr_expect(got[SPLIT_TEST].found && got[SPLIT_TEST].ref.n == 1);
	struct dataset d = open_set("imagenet64", SPLIT_TRAIN);
	cr_assert(d.n == 5 && d.classes == 1000);
	cr_expect(d.labels[0] == 5 && d.labels[2] == 7 && d.labels[3] == 100); /* classes count from 1 in the files */
	size_t per = 64 * 64 * 3;
	cr_expect(d.images[per] == 15 && d.images[per + 1] == 16 && d.images[per + 2] == 17, "planes become pixels");
	cr_expect(d.images[3 * per] == 100);
	dataset_release(&d);
}

/* How a set was packed is no part of it, nor in what order. */
static void copy_fixture(const char *fixture, const char *name)
{
	SCOPED(free) char *from = xstrfmt("%s/numpy/%s", FIXTURES, fixture);
	SCOPED(str) struct str bytes = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(io_read(&bytes, from, 1 << 20, &e), 0, "%s", e.msg);
	write_bytes(name, bytes.data, bytes.len);
}

/* Pickles without an ending: ImageNet's classes count from 1, those of a CIFAR-10 batch from 0. */
Test(data_import, batches_are_of_one_shape)
{
	write_batch("odd/train_data_batch_1.npz", 2, 8, 0);
	write_batch("odd/train_data_batch_2.npz", 2, 4, 2);
	refuse("mine", "odd", "train_data_batch_2.npz: images of 4x4x3: differs from the batches before it, of 8x8x3");
}

Test(data_import, batches_of_python_versions)
{
	copy_fixture("rows.pkl", "py/train_data_batch_1");
	copy_fixture("rows.pkl", "py/val_data");
	struct imported *got = import("py", "py", NULL);
	cr_expect(got[SPLIT_TEST].found && got[SPLIT_TEST].ref.n == 3);
	struct dataset d = open_set("py", SPLIT_TRAIN);
	cr_assert(d.n == 3 && d.h == 4 && d.w == 4 && d.c == 3 && d.classes == 1000);
	cr_expect(d.labels[0] == 0 && d.labels[1] == 999 && d.labels[2] == 4);
	for (int i = 0; i < 3 * 48; i++)
		cr_expect_eq(d.images[i], i * 7 % 256, "%d", i);
	dataset_release(&d);
	copy_fixture("cifar_batch", "one_batch");
	(void)import("one", "one_batch", NULL);
	d = open_set("one", SPLIT_TRAIN);
	struct cifar c = { 0 };
	struct err e = ERR_INIT;
	SCOPED(free) char *path = in_place("one_batch");
	cr_assert_eq(cifar_open(&c, path, &e), 0, "%s", e.msg);
	cr_assert_eq(d.n, c.n);
	for (int64_t i = 0; i < d.n; i++) {
		int label;
		cr_assert_eq(cifar_read(&c, i, NULL, &label, &e), 0, "%s", e.msg);
		cr_expect_eq(d.labels[i], label);
	}
	cifar_release(&c);
	dataset_release(&d);
}

/* CIFAR-100 names its labels otherwise, and was imported as a set of one class. */
Test(data_import, a_batch_of_cifar100_has_its_fine_labels)
{
	SCOPED(free) char *path = in_place("cifar100.npz");
	static const uint8_t px[2 * 3 * 4] = { 9 }, batch = 1;
	static const int64_t fine[] = { 0, 99 };
	struct npz_writer w;
	struct err e = ERR_INIT;
	cr_assert_eq(npz_create(&w, path, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add(&w, "data", "|u1", (int64_t[]){ 2, 3 * 4 }, 2, px, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add(&w, "fine_labels", "<i8", (int64_t[]){ 2 }, 1, fine, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_add(&w, "batch_label", "|u1", (int64_t[]){ 1 }, 1, &batch, &e), 0, "%s", e.msg);
	cr_assert_eq(npz_commit(&w, &e), 0, "%s", e.msg);
	cr_expect_eq(import("fine", "cifar100.npz", NULL)[SPLIT_TRAIN].ref.classes, 100);
	struct dataset d = open_set("fine", SPLIT_TRAIN);
	cr_expect(d.labels[0] == 0 && d.labels[1] == 99);
	dataset_release(&d);
}

Test(data_import, folder_zip_and_tar_are_one_set)
{
	static const char *const names[] = { "test/b/x.png", "train/b/y.PNG", "train/a/z", "train/b/1.png", NULL };
	struct err e = ERR_INIT;
	struct set_ref want[2];
	SCOPED(str) struct str tar = { 0 }; /* and one of the folder itself, as archives are mostly packed */
	SCOPED(str) struct str whole = { 0 };
	for (int i = 0; names[i]; i++) {
		SCOPED(free) char *name = xstrfmt("packed/%s", names[i]), *path = in_place(name);
		SCOPED(str) struct str png = { 0 };
		write_png(name, 8, 8, (uint8_t)(50 + i)); /* as write_zip's */
		cr_assert_eq(io_read(&png, path, 1 << 16, &e), 0, "%s", e.msg);
		add_tar(&tar, names[i], png.data, png.len);
		add_tar(&whole, name, png.data, png.len);
	}
	write_tar("whole.tar", &whole, false);
	write_zip("packed.zip", names, NULL);
	write_tar("packed.tar", &tar, false);
	write_tar("packed.tgz", &tar, true);
	const struct imported *got = import("folder", "packed", NULL);
	memcpy(want, (struct set_ref[]){ got[0].ref, got[1].ref }, sizeof want);
	cr_expect(want[SPLIT_TRAIN].n == 3 && want[SPLIT_TRAIN].classes == 2 && want[SPLIT_TEST].n == 1);
	static const char *const packed[] = { "packed.zip", "packed.tar", "packed.tgz", "whole.tar" };
	for (int k = 0; k < 4; k++) {
		got = import(packed[k], packed[k], NULL);
		for (int s = 0; s < 2; s++) {
			cr_expect_str_eq(got[s].ref.sha256, want[s].sha256, "%s", packed[k]);
			struct dataset d = open_set(packed[k], (enum data_split)s);
			cr_expect(d.n == want[s].n && d.labels[d.n - 1] == (s == SPLIT_TRAIN ? 1 : 0), "%s", packed[k]);
			dataset_release(&d);
		}
	}
}

/* None is left out without a word: what a set's folders do not hold, and which of two could be its test set. */
Test(data_import, pictures_outside_the_splits_are_refused)
{
	write_png("out/train/a.png", 8, 8, 1);
	write_png("out/b.png", 8, 8, 1);
	refuse("mine", "out", "out/b.png: in none of the folders train, test, val and validation");
	write_png("two/train/a.png", 8, 8, 1);
	write_png("two/test/a.png", 8, 8, 1);
	write_png("two/val/a.png", 8, 8, 1);
	struct imported out[2];
	struct err e = ERR_INIT;
	SCOPED(free) char *path = in_place("two");
	cr_assert_eq(data_import(out, "two", path, &(struct import_options){ .quiet = true }, &e), -1);
	cr_expect(strstr(e.msg, "images in test/ and in val/"), "%s", e.msg);
	struct set_ref ref; /* the training split was there, whole, and the command had failed */
	cr_expect(!set_ref_read(&ref, "two", SPLIT_TRAIN), "a refused source leaves nothing");
	struct err e2 = ERR_INIT;
	write_png("label/train/a.png", 8, 8, 1);
	write_png("label/test/b.png", 8, 8, 1);
	static const char labels[] = "{\"labels\": [[\"c.png\", 0]]}";
	write_bytes("label/test/dataset.json", labels, strlen(labels));
	SCOPED(free) char *label = in_place("label");
	cr_assert_eq(data_import(out, "two", label, &(struct import_options){ .quiet = true }, &e2), -1);
	cr_expect(strstr(e2.msg, "no label for b.png") && !set_ref_read(&ref, "two", SPLIT_TRAIN), "%s", e2.msg);
	write_png("odd/a.png", 8, 8, 1);
	write_bytes("odd/b.gif", "GIF89a", 6);
	refuse("mine", "odd", "b.gif: a GIF picture");
}

/* A set that lacked the split was "not found", with the advice to import what was there; one of a test split alone was
 * unknown. */
Test(data_import, a_set_without_one_of_its_splits)
{
	static const struct {
		const char *name, *lacks, *add;
	} row[2] = { { "no-test", "data set no-test has no test split: ", "SOURCE --split test`" },
		         { "no-train", "data set no-train has no training split: ", "SOURCE --split train`" } };
	write_png("pics/a.png", 8, 8, 1);
	write_png("held/test/a.png", 8, 8, 1);
	(void)import("no-test", "pics", NULL);
	(void)import("no-train", "held", NULL);
	for (int s = SPLIT_TRAIN; s <= SPLIT_TEST; s++) {
		struct err e = ERR_INIT;
		struct dataset d;
		char hex[SHA256_HEX];
		enum data_split other = s == SPLIT_TRAIN ? SPLIT_TEST : SPLIT_TRAIN;
		SCOPED(free) char *folder = dataset_folder(row[s].name);
		cr_expect(folder, "%s is somewhere", row[s].name);
		d = open_set(row[s].name, (enum data_split)s);
		dataset_release(&d);
		cr_assert_eq(dataset_open(&d, row[s].name, other, &e), -1);
		cr_expect(strstr(e.msg, row[s].lacks) && strstr(e.msg, row[s].add), "%s", e.msg);
		e = ERR_INIT;
		cr_assert_eq(dataset_sha256(hex, row[s].name, other, &e), -1);
		cr_expect(strstr(e.msg, row[s].lacks), "%s", e.msg);
	}
}

Test(data_import, what_is_left_out_is_noted_once)
{
	SCOPED(str) struct str notes = { 0 };
	struct imported out[2];
	struct err e = ERR_INIT;
	write_png("noted/train/a.png", 8, 8, 1);
	write_png("noted/test/a.png", 8, 8, 1);
	write_bytes("noted/readme.txt", "x", 1);
	SCOPED(free) char *path = in_place("noted");
	cr_assert_eq(data_import(out, "n", path, &(struct import_options){ .quiet = true, .notes = &notes }, &e), 0, "%s",
	             e.msg);
	SCOPED(free) char *want = xstrfmt("%s/readme.txt: not an image, left out\n", path);
	cr_expect_str_eq(str_text(&notes), want);
}

Test(data_import, the_archive_that_cifar10_is_published_as)
{
	SCOPED(str) struct str tar = { 0 };
	add_tar(&tar, "cifar-10-batches-bin/readme.html", "hello", 5);
	for (int k = 1; k <= 5; k++) {
		SCOPED(free) char *name = xstrfmt("cifar-10-batches-bin/data_batch_%d.bin", k);
		add_batch(&tar, name, k, 2 * CIFAR_RECORD);
	}
	add_batch(&tar, "cifar-10-batches-bin/test_batch.bin", 8, 2 * CIFAR_RECORD);
	write_tar("cifar-10-binary.tar.gz", &tar, true);
	write_tar("cifar.tar", &tar, false);
	struct imported *got = import("cifar10", "cifar-10-binary.tar.gz", NULL);
	cr_expect_eq(got[SPLIT_TEST].ref.n, 2);
	char sha256[SHA256_HEX];
	memcpy(sha256, got[SPLIT_TRAIN].ref.sha256, SHA256_HEX);
	struct dataset d = open_set("cifar10", SPLIT_TRAIN);
	cr_assert(d.n == 10 && d.labels[3] == 3);
	cr_expect(d.images[3 * CIFAR_PIXELS] == 21 && d.images[3 * CIFAR_PIXELS + 1] == 0);
	dataset_release(&d);
	cr_expect_str_eq(import("again", "cifar.tar", NULL)[SPLIT_TRAIN].ref.sha256,
	                 sha256); /* the same pixels from elsewhere */
}

/* The Python version's batches, as Python 2 pickled them (tests/fixtures/numpy/make.py), are the binary version's: the
 * same set from either archive and from a folder. */
Test(data_import, cifar10_of_the_python_version)
{
	SCOPED(str) struct str tar = { 0 }, binary = { 0 }, batch = { 0 };
	struct err e = ERR_INIT;
	uint8_t records[2 * CIFAR_RECORD];
	cr_assert_eq(io_read(&batch, FIXTURES "/numpy/cifar_batch", 1 << 20, &e), 0, "%s", e.msg);
	for (int i = 0; i < 2; i++) {
		records[i * CIFAR_RECORD] = i ? 9 : 3;
		for (int k = 0; k < CIFAR_PIXELS; k++)
			records[i * CIFAR_RECORD + 1 + k] = (uint8_t)((i * CIFAR_PIXELS + k) * 11);
	}
	for (int k = 1; k <= 6; k++) {
		SCOPED(free) char *name = k == 6 ? xstrdup("test_batch") : xstrfmt("data_batch_%d", k);
		SCOPED(free) char *in_tar = xstrfmt("cifar-10-batches-py/%s", name);
		SCOPED(free) char *in_binary = xstrfmt("cifar-10-batches-bin/%s.bin", name);
		SCOPED(free) char *in_folder = xstrfmt("py/%s", name);
		add_tar(&tar, in_tar, batch.data, batch.len);
		add_tar(&binary, in_binary, records, sizeof records);
		write_bytes(in_folder, batch.data, batch.len);
	}
	add_tar(&tar, "cifar-10-batches-py/batches.meta", "not looked at", 13);
	write_tar("cifar-10-python.tar.gz", &tar, true);
	write_tar("cifar-10-binary.tar.gz", &binary, true);
	char sha256[SHA256_HEX];
	struct imported *got = import("cifar10", "cifar-10-python.tar.gz", NULL);
	cr_expect(got[SPLIT_TRAIN].ref.n == 10 && got[SPLIT_TEST].ref.n == 2);
	memcpy(sha256, got[SPLIT_TRAIN].ref.sha256, SHA256_HEX);
	cr_expect_str_eq(import("binary", "cifar-10-binary.tar.gz", NULL)[SPLIT_TRAIN].ref.sha256, sha256);
	cr_expect_str_eq(import("folder", "py", NULL)[SPLIT_TRAIN].ref.sha256, sha256);
	struct dataset d = open_set("cifar10", SPLIT_TRAIN);
	cr_assert(d.n == 10 && d.labels[2] == 3 && d.labels[3] == 9);
	dataset_release(&d);
}

Test(data_import, idx_with_labels_beside)
{
	static const uint8_t images[] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8 },
						 labels[] = { 0, 0, 8, 1, 0, 0, 0, 2, 4, 1 };
	write_bytes("train-images-idx3-ubyte", images, sizeof images);
	write_bytes("train-labels-idx1-ubyte", labels, sizeof labels);
	(void)import("digits", "train-images-idx3-ubyte", NULL);
	struct dataset d = open_set("digits", SPLIT_TRAIN);
	cr_expect(d.n == 2 && d.h == 2 && d.c == 1 && d.labels[0] == 4 && d.classes == 5 && d.images[4] == 5);
	dataset_release(&d);
}

/* A model must not be trained on what it will be judged by, whatever that is called. */
Test(data_import, an_idx_file_is_of_the_split_that_its_name_says)
{
	static const char *const names[] = { "train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "test-images-idx3-ubyte",
		                                 "val-images-idx3-ubyte" };
	static const uint8_t images[] = { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4 };
	for (int i = 0; i < 4; i++) {
		SCOPED(free) char *set = xstrfmt("digits%d", i);
		write_bytes(names[i], images, sizeof images);
		struct imported *got = import(set, names[i], NULL);
		cr_expect(got[SPLIT_TRAIN].found == (i == 0) && got[SPLIT_TEST].found == (i > 0), "%s", names[i]);
	}
}

Test(data_import, the_folder_of_idx_files_is_a_set_of_both_splits)
{
	static const uint8_t images[] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8 },
						 labels[] = { 0, 0, 8, 1, 0, 0, 0, 2, 4, 1 };
	write_bytes("a-images-idx/train-images-idx3-ubyte", images,
	            sizeof images); /* the folder's name says nothing of its files */
	write_bytes("a-images-idx/train-labels-idx1-ubyte", labels, sizeof labels);
	write_bytes("a-images-idx/t10k-images-idx3-ubyte", images, sizeof images);
	struct imported *got = import("digits", "a-images-idx", NULL);
	cr_assert(got[SPLIT_TRAIN].found && got[SPLIT_TEST].found);
	struct dataset d = open_set("digits", SPLIT_TRAIN);
	cr_expect(d.n == 2 && d.labels[0] == 4 && d.labels[1] == 1 && d.images[7] == 8);
	dataset_release(&d);
}

Test(data_import, pictures_of_any_size_become_squares)
{
	write_png("big/a.png", 40, 70, 11);
	write_png("big/b.png", 64, 64, 12);
	write_png("big/c.png", 90, 65, 13);
	(void)import("squares", "big", &(struct import_options){ .side = 16, .quiet = true });
	struct dataset d = open_set("squares", SPLIT_TRAIN);
	cr_expect(d.n == 3 && d.h == 16 && d.w == 16 && d.images[0] == 11 && d.images[2 * 768 + 5] == 13);
	dataset_release(&d);
}
