/* test_class_labels.c - the class of each picture, in every kind of source that can say it, and which class of one is
 * which of another. */
#include "metrics/sources/class_match.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/cifar.h"
#include "model/formats/npz.h"
#include "tests/common/ok.h"
#include "tests/common/tempdir.h"

#include <stdlib.h>
#include <string.h>

static struct err e;
static char *dir;

static void set_up(void)
{
	dir = tempdir_make();
}

static void tear_down(void)
{
	tempdir_remove(dir);
}

TestSuite(class_labels, .init = set_up, .fini = tear_down);

/* "0 0 1", or what is wrong; heap. */
static char *labels_in(const char *path)
{
	SCOPED(source) struct source *s = NULL;
	SCOPED(class_labels) struct class_labels l = { 0 };
	struct str out = { 0 };
	e = ERR_INIT;
	if (source_find(&s, path, SPLIT_TRAIN, &e) || source_labels(&l, s, &e))
		return xstrdup(e.msg);
	for (int64_t i = 0; i < l.n; i++)
		if (l.name)
			str_addf(&out, "%s%s", i ? " " : "", l.name[l.of[i]]);
		else
			str_addf(&out, "%s%d", i ? " " : "", l.of[i]);
	return str_detach(&out);
}

static void expect_labels(const char *name, const char *want)
{
	SCOPED(free) char *path = strchr(name, '.') || strchr(name, '/') ? xstrfmt("%s/%s", dir, name) : xstrdup(name);
	SCOPED(free) char *got = labels_in(path);
	cr_expect(strstr(got, want) && (strchr(want, ' ') || !strcmp(got, want)), "%s: '%s', want '%s'", name, got, want);
}

/* Below dir; its folders are made. */
static void put(const char *name, const void *bytes, size_t n)
{
	SCOPED(free) char *path = xstrfmt("%s/%s", dir, name), *folder = xstrdup(path);
	*strrchr(folder, '/') = '\0';
	OK(io_mkdirs(folder, &e) || io_write_atomic(path, bytes, n, &e));
}

static void put_pictures(const char *const *names)
{
	SCOPED(str) struct str png = { 0 };
	OK(io_read(&png, FIXTURES "/png_modes/rgb.png", 1 << 20, &e));
	for (int i = 0; names[i]; i++)
		put(names[i], png.data, png.len);
}
#define PICTURES(...) put_pictures((const char *const[]){ __VA_ARGS__, NULL })

Test(class_labels, folders_are_names_below_what_all_have_in_common)
{
	PICTURES("set./train/b/1.png", "set./train/b/2.png", "set./train/a/0.png", "set./train/a/deep/0.png");
	expect_labels("set./", "a a/deep b b");
	expect_labels("set./train", "a a/deep b b");
	expect_labels("set./train/b", "has no class labels");
	PICTURES("one./cat/1.png", "one./cat/2.png");
	expect_labels("one./", "cat cat");
	PICTURES("one./0.png");
	expect_labels("one./", "has no class labels");
	/* EDM's folders only keep folders small */
	PICTURES("edm./00000/img00000000.png", "edm./00001/img00000001.png");
	expect_labels("edm./", "has no class labels");
	static const char json[] = "{\"labels\": [[\"00001/img00000001.png\", 3], [\"00000/img00000000.png\", 7]]}",
					  none[] = "{\"labels\": null}", less[] = "{\"labels\": [[\"00000/img00000000.png\", 7]]}";
	put("edm./dataset.json", json, sizeof json - 1);
	expect_labels("edm./", "7 3");
	put("edm./dataset.json", none, sizeof none - 1);
	expect_labels("edm./", "has no class labels");
	put("edm./dataset.json", less, sizeof less - 1);
	expect_labels("edm./", "/dataset.json: no label for 00001/img00000001.png");
}

/* n pictures of 2 x 2, and one more array of labels. */
static void put_batch(const char *name, const char *pixels, int64_t n, const char *key, const char *descr,
                      const int64_t *dims, int n_dims, const void *labels)
{
	struct npz_writer w;
	SCOPED(free) char *path = xstrfmt("%s/%s", dir, name);
	SCOPED(free) uint8_t *px = xcalloc((size_t)n * 12, 1);
	bool rows = strcmp(pixels, "data") == 0;
	OK(npz_create(&w, path, &e) ||
	   npz_add(&w, pixels, "|u1", rows ? (int64_t[]){ n, 12 } : (int64_t[]){ n, 2, 2, 3 }, rows ? 2 : 4, px, &e) ||
	   npz_add(&w, key, descr, dims, n_dims, labels, &e) || npz_commit(&w, &e));
}

Test(class_labels, arrays_under_their_names)
{
	static const char *const keys[] = { "labels", "label", "y", "fine_labels", "arr_1" };
	static const int64_t three[] = { 5, 0, 65535 };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		put_batch("x.npz", "arr_0", 3, keys[i], "<i8", (int64_t[]){ 3 }, 1, three);
		expect_labels("x.npz", "5 0 65535");
	}
	put_batch("x.npz", "arr_0", 3, "arr_1", "<i8", (int64_t[]){ 3, 1 }, 2, three);
	expect_labels("x.npz", "5 0 65535");
	put_batch("x.npz", "arr_0", 2, "other", "<i8", (int64_t[]){ 3 }, 1, three);
	expect_labels("x.npz", "has no class labels");
	/* the downsampled ImageNet counts from 1 */
	put_batch("x.npz", "data", 2, "labels", "<i8", (int64_t[]){ 2 }, 1, (const int64_t[]){ 1, 1000 });
	expect_labels("x.npz", "0 999");
}

Test(class_labels, arrays_that_are_no_labels_are_named)
{
	put_batch("x.npz", "arr_0", 3, "arr_1", "<i8", (int64_t[]){ 2 }, 1, (const int64_t[]){ 1, 2 });
	expect_labels("x.npz", "x.npz:arr_1: 2 labels for 3 images");
	put_batch("x.npz", "arr_0", 2, "arr_1", "<i8", (int64_t[]){ 3 }, 1, (const int64_t[]){ 1, 2, 0 });
	expect_labels("x.npz", "x.npz:arr_1: 3 labels for 2 images");
	put_batch("x.npz", "arr_0", 2, "y", "<i8", (int64_t[]){ 2, 2 }, 2, (const int64_t[]){ 1, 0, 0, 1 });
	expect_labels("x.npz", "x.npz:y: int64 (2, 2) is not one label for each image");
	put_batch("x.npz", "arr_0", 2, "y", "<f8", (int64_t[]){ 2 }, 1, (const double[]){ 1, 0.5 });
	expect_labels("x.npz", "x.npz:y: label 1 is not an integer");
	put_batch("x.npz", "arr_0", 2, "y", "<f8", (int64_t[]){ 2 }, 1, (const double[]){ 0.0 / 0.0, 1 });
	expect_labels("x.npz", "x.npz:y: label 0 is not an integer");
	put_batch("x.npz", "arr_0", 2, "y", "<i8", (int64_t[]){ 2 }, 1, (const int64_t[]){ 1, -1 });
	expect_labels("x.npz", "x.npz:y: label 1 is -1; labels are 0 to 65535 here");
	put_batch("x.npz", "data", 2, "labels", "<i8", (int64_t[]){ 2 }, 1, (const int64_t[]){ 0, 1 });
	expect_labels("x.npz", "x.npz:labels: label 0 is 0; labels are 1 to 65535 here");
}

Test(class_labels, idx_cifar_and_data_sets)
{
	uint8_t pictures[16 + 8] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2 },
						  labels[8 + 2] = { 0, 0, 8, 1, 0, 0, 0, 2, 9, 4 };
	static uint8_t records[2 * CIFAR_RECORD];
	put("train-images-idx3-ubyte", pictures, sizeof pictures);
	expect_labels("./train-images-idx3-ubyte", "has no class labels");
	put("train-labels-idx1-ubyte", labels, sizeof labels);
	expect_labels("./train-images-idx3-ubyte", "9 4");
	records[0] = 3;
	put("data_batch_1.bin", records, sizeof records);
	expect_labels("data_batch_1.bin", "3 0");
	expect_labels("shapes8-test", "0 1 2 3 0 1 2 3");
}

/* ---- which class is which --------------------------------------------------------------------------------------- */

static struct class_labels numbers(int64_t n, const int32_t *of)
{
	struct class_labels l;
	class_labels_init(&l, n);
	memcpy(l.of, of, sizeof *of * (size_t)n);
	return l;
}
#define NUMBERS(...) numbers(sizeof((int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t), (const int32_t[]){ __VA_ARGS__ })

static struct class_labels names(int64_t n, const char *const *of)
{
	struct class_labels l;
	char **name = xmalloc(sizeof *name * (size_t)n);
	for (int64_t i = 0; i < n; i++)
		name[i] = xstrdup(of[i]);
	class_labels_of_names(&l, name, n);
	return l;
}
#define NAMES(...) names(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), (const char *const[]){ __VA_ARGS__ })

/* "cat: 0 2 / 1 3; dog: ...", then "| notes"; or what is wrong. Releases both. */
static void expect_match(struct class_labels a, struct class_labels b, const char *want)
{
	SCOPED(class_match) struct class_match m = { 0 };
	SCOPED(str) struct str got = { 0 };
	e = ERR_INIT;
	if (class_match_find(&m, &a, "A", &b, "B", &e))
		str_add(&got, e.msg);
	for (int k = 0; k < m.n; k++) {
		str_addf(&got, "%s%s:", k ? "; " : "", m.name[k]);
		for (int s = 0; s < 2; s++) {
			str_add(&got, s ? " /" : "");
			for (int64_t i = 0; i < class_match_count(&m, s, k); i++)
				str_addf(&got, " %lld", (long long)m.side[s].which[m.side[s].at[k] + i]);
		}
	}
	str_addf(&got, "%s%s", m.notes.len ? "| " : "", str_text(&m.notes));
	cr_expect(strncmp(str_text(&got), want, strlen(want)) == 0, "'%s', want '%s'", str_text(&got), want);
	class_labels_release(&a);
	class_labels_release(&b);
}

Test(class_match, numbers_by_number_and_names_by_name)
{
	expect_match(NUMBERS(7, 3, 7, 3), NUMBERS(3, 3, 7, 7, 3), "3: 1 3 / 0 1 4; 7: 0 2 / 2 3");
	expect_match(NAMES("dog", "cat", "dog", "cat"), NAMES("cat", "cat", "dog", "dog"),
	             "cat: 1 3 / 0 1; dog: 0 2 / 2 3");
	expect_match(NAMES("b", "b", "10", "10"), NAMES("10", "10", "b", "b"), "10: 2 3 / 0 1; b: 0 1 / 2 3");
}

Test(class_match, folders_against_numbers)
{
	expect_match(
		NUMBERS(1, 0, 0, 1), NAMES("cat", "cat", "dog", "dog"),
		"0: 1 2 / 0 1; 1: 0 3 / 2 3| B: its folders count as classes 0 to 1 in the order of their names (cat is 0)");
	expect_match(NAMES("0", "0", "1", "1"), NUMBERS(1, 0, 0, 1), "0: 0 1 / 1 2; 1: 2 3 / 0 3");
	/* 10 before 9 in order of names: what they are counts, and a note says that others count otherwise */
	expect_match(NAMES("9", "9", "10", "10"), NUMBERS(9, 9, 10, 10), "9: 0 1 / 0 1; 10: 2 3 / 2 3| A: its folders are");
	expect_match(NAMES("3", "3", "03", "03"), NUMBERS(3, 3), "A: the folders 03 and 3 are one number");
}

Test(class_match, what_has_no_value_is_named)
{
	expect_match(NUMBERS(0, 0, 1, 1), NUMBERS(0, 0), "B: no image of class '1', of which A has 2; 1 of 2 classes");
	expect_match(NUMBERS(0, 0), NUMBERS(0, 0, 4, 4, 4), "A: no image of class '4', of which B has 3");
	expect_match(NAMES("cat", "cat"), NAMES("dog", "dog"), "B: no image of class 'cat', of which A has 2; 2 of 2");
	expect_match(NUMBERS(0, 0, 1), NUMBERS(0, 0, 1, 1), "A: class '1' has one image; a covariance needs at least 2");
	expect_match(NUMBERS(0, 0, 1, 1), NUMBERS(0, 1, 1), "B: class '0' has one image");
}

/* A class of which nothing was drawn is still one of the whole. */
Test(class_labels, of_a_random_subset_are_those_of_its_pictures)
{
	SCOPED(source) struct source *s = NULL;
	SCOPED(class_labels) struct class_labels l = { 0 };
	PICTURES("x./a/0.png", "x./b/1.png", "x./c/2.png");
	SCOPED(free) char *path = xstrfmt("%s/x.", dir);
	OK(source_open(&s, path, &e));
	int64_t *index = xmalloc(sizeof *index * 2);
	memcpy(index, (const int64_t[]){ 2, 0 }, sizeof *index * 2);
	source_pick(&s, index, 2);
	OK(source_labels(&l, s, &e));
	cr_assert(l.n == 2 && l.n_names == 3);
	cr_expect_str_eq(l.name[l.of[0]], "c");
	cr_expect_str_eq(l.name[l.of[1]], "a");
}
