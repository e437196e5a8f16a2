/* test_data_import_bad.c - imports that were cut off go on, damage is found, and bad input is named in one line with
 * nothing kept. */
#include "model/data/cifar.h"
#include "model/formats/npz.h"
#include "model/train/train.h"
#include "tests/common/import_fixture.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

TestSuite(data_import_bad, .init = set_up, .fini = tear_down);

static void import_some(struct set_ref ref, const uint16_t *labels, int64_t from, int64_t n)
{
	struct set_writer *w;
	struct err e = ERR_INIT;
	int64_t done = -1;
	cr_assert_eq(set_writer_open(&w, &ref, labels, "0123456789abcdef0123", &done, &e), 0, "%s", e.msg);
	cr_assert_eq(done, from);
	for (int64_t i = 0; i < n; i++) {
		uint8_t px[12];
		memset(px, (int)(from + i), sizeof px);
		cr_assert_eq(set_writer_add(w, px, &e), 0, "%s", e.msg);
	}
	if (from + n == ref.n)
		cr_assert_eq(set_writer_commit(w, &ref, &e) || set_ref_write(&ref, "kept", SPLIT_TRAIN, &e), 0, "%s", e.msg);
	set_writer_free(w);
}

Test(data_import_bad, goes_on_where_it_was_cut_off)
{
	struct set_ref ref = { .n = 5, .h = 2, .w = 2, .c = 3, .classes = 2 };
	static const uint16_t labels[] = { 0, 1, 0, 1, 1 };
	struct set_ref nothing;
	import_some(ref, labels, 0, 2);
	cr_expect(!set_ref_read(&nothing, "kept", SPLIT_TRAIN)); /* half a set has no name */
	import_some(ref, labels, 2, 2);
	import_some(ref, labels, 4, 1);
	struct dataset d = open_set("kept", SPLIT_TRAIN);
	for (int i = 0; i < 5; i++)
		cr_expect(d.images[12 * i] == i && d.images[12 * i + 11] == i && d.labels[i] == labels[i]);
	dataset_release(&d);
}

/* An import of "cut" that ends within its fourth picture. */
static void begin(void)
{
	struct rlimit before, limit;
	struct imported out[2];
	struct err e = ERR_INIT;
	SCOPED(free) char *path = in_place("cut");
	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = (struct rlimit){ 11000, before.rlim_max };
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(data_import(out, "begun", path, &(struct import_options){ .quiet = true }, &e), -1);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* What was begun has its labels in it already, and pictures of its size: under other labels, in another size or of
 * changed files it is another set, which begins anew. */
Test(data_import_bad, what_was_begun_is_gone_on_with_as_the_same_set_alone)
{
	static const char *const names[] = { "a/x_0", "a/1", "a/x_2", "a/3", "b/4", "b/5", "b/6", "b/7" };
	for (int i = 0; i < 8; i++) {
		SCOPED(free) char *name = xstrfmt("cut/%s.png", names[i]);
		write_png(name, 32, 32, (uint8_t)(10 * i));
	}
	begin();
	cr_expect_eq(import("same", "cut", NULL)[SPLIT_TRAIN].resumed_from, 3);
	begin();
	struct imported *got = import("labels", "cut", &(struct import_options){ .quiet = true, .rule = LABELS_PREFIX });
	cr_expect_eq(got[SPLIT_TRAIN].resumed_from, 0);
	struct dataset d = open_set("labels", SPLIT_TRAIN);
	for (int64_t i = 0; i < 8; i++) { /* two classes as well: "a/x", and no prefix */
		int which = d.images[i * 32 * 32 * 3] / 10;
		cr_expect_eq(d.labels[i], which == 0 || which == 2, "picture %d", which);
	}
	dataset_release(&d);
	got = import("small", "cut", &(struct import_options){ .quiet = true, .side = 16 });
	cr_expect_eq(got[SPLIT_TRAIN].resumed_from, 0);
	write_png("cut/a/1.png", 32, 32, 99);
	cr_expect_eq(import("changed", "cut", NULL)[SPLIT_TRAIN].resumed_from, 0);
}

/* A set that this program knows has its shape, and its classes. */
Test(data_import_bad, a_known_set_keeps_its_shape_and_classes)
{
	static const uint8_t px[12 * 32 * 32 * 3];
	static const int64_t dims[] = { 12, 32, 32, 3 }, labels[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
	struct npz_writer z;
	struct imported out[2];
	struct err e = ERR_INIT;
	SCOPED(free) char *path = in_place("twelve.npz");
	cr_assert_eq(npz_create(&z, path, &e) || npz_add(&z, "arr_0", "|u1", dims, 4, px, &e) ||
	                 npz_add(&z, "arr_1", "<i8", dims, 1, labels, &e) || npz_commit(&z, &e),
	             0, "%s", e.msg);
	refuse("cifar10", "twelve.npz", "label 11 is out of range: cifar10 has 10 classes");
	cr_assert_eq(data_import(out, "cifar10", path, &(struct import_options){ .quiet = true, .side = 16 }, &e), -1);
	cr_expect(e.code == EXIT_USAGE && strstr(e.msg, "give the set another name to keep it at 16"), "%s", e.msg);
}

Test(data_import_bad, damage_after_the_import_is_found)
{
	struct set_ref ref = { .n = 3, .h = 2, .w = 2, .c = 3, .classes = 1 };
	static const uint16_t labels[3];
	import_some(ref, labels, 0, 3);
	cr_assert(set_ref_read(&ref, "kept", SPLIT_TRAIN));
	SCOPED(free) char *path = set_path(ref.sha256);
	SCOPED(file) FILE *f = fopen(path, "r+b");
	cr_assert(f && !fseek(f, -1, SEEK_END) && fputc(99, f) == 99 && !fflush(f));
	struct dataset d;
	struct err e = ERR_INIT;
	char hex[SHA256_HEX];
	cr_assert_eq(dataset_check(&d, "kept", SPLIT_TRAIN, &e), -1);
	cr_expect(strstr(e.msg, "import it again"), "%s", e.msg);
	/* nor does training take it, or a plan its name for its content */
	cr_assert_eq(dataset_open(&d, "kept", SPLIT_TRAIN, &e), -1);
	cr_assert_eq(dataset_sha256(hex, "kept", SPLIT_TRAIN, &e), -1);
	cr_expect(strstr(e.msg, "import it again"), "%s", e.msg);
	cr_assert_eq(truncate(path, 100), 0);
	cr_assert_eq(dataset_open(&d, "kept", SPLIT_TRAIN, &e), -1);
	cr_expect(strstr(e.msg, ref.sha256), "%s", e.msg);
}

Test(data_import_bad, bad_input_is_one_line_and_keeps_nothing)
{
	refuse("mine", "nowhere", "no such file");
	refuse("../mine", "nowhere", "is not a valid data set name");
	refuse(".mine", "nowhere", "is not a valid data set name");
	refuse("a/b", "nowhere", "is not a valid data set name");
	refuse("", "nowhere", "1 to 64 characters");
	refuse("a2345678901234567890123456789012345678901234567890123456789012345", "nowhere", "1 to 64 characters");
	write_bytes("empty/readme.txt", "x", 1);
	refuse("mine", "empty", "no images in it, but files such as");
	write_bytes("half/x/a.png", "\x89PNG\r\n\x1a\n", 8);
	refuse("mine", "half", "a.png");
}

Test(data_import_bad, sizes_that_differ_need_a_size)
{
	write_png("two/a.png", 8, 10, 1);
	write_png("two/b.png", 8, 9, 1);
	refuse("mine", "two", "give --size N");
}

Test(data_import_bad, archives_that_escape_or_lie)
{
	write_zip("escape.zip", (const char *const[]){ "../../etc/x.png", NULL }, NULL);
	refuse("mine", "escape.zip", "points outside the archive");
	write_zip("range.zip", EDM_MEMBERS,
	          "{\"labels\": [[\"00000/img00000000.png\", 0], [\"00000/img00000001.png\", 70000]]}");
	refuse("mine", "range.zip", "out of range");
	write_zip("many.zip", EDM_MEMBERS,
	          "{\"labels\": [[\"00000/img00000000.png\", 0], [\"00000/img00000001.png\", 10]]}");
	refuse("cifar10", "many.zip", "label 10 is out of range: cifar10 has 10 classes");
	write_zip("missing.zip", EDM_MEMBERS, "{\"labels\": [[\"00000/img00000000.png\", 0]]}");
	refuse("mine", "missing.zip", "no label for 00000/img00000001.png");
	write_zip("text.zip", EDM_MEMBERS, "{\"labels\": \"none\"}");
	refuse("mine", "text.zip", "no list");
	SCOPED(str) struct str tar = { 0 };
	add_batch(&tar, "../../data_batch_1.bin", 1, 2 * CIFAR_RECORD);
	write_tar("escape.tar", &tar, false);
	refuse("mine", "escape.tar", "points outside the archive");
	str_release(&tar);
	add_batch(&tar, "cifar-10-batches-bin/data_batch_1.bin", 1, 2 * CIFAR_RECORD - 1);
	write_tar("short.tar.gz", &tar, true);
	refuse("mine", "short.tar.gz", "not a multiple of the 3073 bytes of a record");
	str_release(&tar);
	add_batch(&tar, "cifar-10-batches-bin/data_batch_1.bin", 9, 2 * CIFAR_RECORD); /* labels 9 and 10 */
	write_tar("label.tar", &tar, false);
	refuse("mine", "label.tar", "label 10: not CIFAR-10");
	tar.len -= 1000;
	write_tar("cut.tar", &tar, false);
	refuse("mine", "cut.tar", "truncated");
}

Test(data_import_bad, arrays_of_the_wrong_order_or_type)
{
	SCOPED(free) char *path = in_place("float.npz");
	struct npz_writer w;
	struct err e = ERR_INIT;
	float values[48] = { 0 };
	cr_assert_eq(npz_create(&w, path, &e) || npz_add(&w, "arr_0", "<f4", (int64_t[]){ 1, 4, 4, 3 }, 4, values, &e) ||
	                 npz_commit(&w, &e),
	             0, "%s", e.msg);
	refuse("mine", "float.npz", "images must be uint8");
	/* numpy's Fortran order, the header spelled out */
	static const char dict[] = "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 4, 4, 3), }";
	SCOPED(str) struct str npy = { 0 };
	str_addn(&npy, "\x93NUMPY\x01\x00", 8);
	str_addc(&npy, 118);
	str_addc(&npy, 0);
	str_add(&npy, dict);
	while (npy.len < 127)
		str_addc(&npy, ' ');
	str_addc(&npy, '\n');
	for (int i = 0; i < 48; i++)
		str_addc(&npy, 'x');
	SCOPED(free) char *fortran = in_place("fortran.npz");
	int code;
	zip_t *z = zip_open(fortran, ZIP_CREATE, &code);
	cr_assert(z);
	add_member(z, "arr_0.npy", npy.data, npy.len);
	cr_assert_eq(zip_close(z), 0);
	refuse("mine", "fortran.npz", "Fortran");
}

/* A header alone: 10,000 x 10,000 pixels are refused before anything is allocated. */
Test(data_import_bad, a_picture_of_a_hundred_megapixels_is_refused)
{
	static const uint8_t head[] = { 0x89, 'P', 'N', 'G',  13,   10, 26, 10,   0,    0, 0, 13, 'I', 'H', 'D',
		                            'R',  0,   0,   0x27, 0x10, 0,  0,  0x27, 0x10, 8, 2, 0,  0,   0 };
	static const uint8_t idat[] = { 0, 0, 0, 0, 'I', 'D', 'A', 'T', 0x35, 0xaf, 0x06, 0x1e };
	uint8_t file[sizeof head + 4 + sizeof idat];
	uint32_t crc = (uint32_t)crc32(0, head + 12, 17);
	memcpy(file, head, sizeof head);
	for (int i = 0; i < 4; i++)
		file[sizeof head + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
	memcpy(file + sizeof head + 4, idat, sizeof idat);
	write_bytes("huge/a.png", file, sizeof file);
	refuse("mine", "huge", "over the limit");
}

Test(data_import_bad, training_reads_an_imported_set)
{
	for (int i = 0; i < 12; i++) {
		SCOPED(free) char *name = xstrfmt("tiny/train/%c/%d.png", 'a' + i % 3, i);
		write_png(name, 8, 8, (uint8_t)(20 * i));
	}
	(void)import("tiny-set", "tiny", NULL);
	struct run_config c;
	struct train_result r;
	struct err e = ERR_INIT;
	config_defaults(&c);
	cr_assert_eq(config_preset(&c, "ict-shapes8-ci", &e) || config_set_text(&c, "data.name", "tiny-set", &e) ||
	                 config_set_text(&c, "train.steps", "3", &e) || config_set_text(&c, "train.batch", "4", &e) ||
	                 config_finish(&c, &e),
	             0, "%s", e.msg);
	SCOPED(free) char *dir = in_place("run/x");
	*strrchr(dir, '/') = '\0';
	cr_assert_eq(train_run(&r, &c, &(struct train_options){ .seed = 1, .dir = dir, .threads = 2 }, NULL, &e), 0, "%s",
	             e.msg);
	cr_expect(r.end == TRAIN_DONE && isfinite(r.final_loss));
	struct set_ref ref;
	cr_assert(set_ref_read(&ref, "tiny-set", SPLIT_TRAIN));
	cr_expect_str_eq(r.data_sha256, ref.sha256);
}
