/* test_picture_files.c - one rule for the pictures in a folder, a zip and a tar: the same tree in each of them is the
 * same pictures in the same order with the same notes, or the same error. */
#include "metrics/sources/picture_files.h"
#include "metrics/sources/sources.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/image_png.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

/* What a tree is made of: `level` > 0 is a PNG of that grey, else the text. */
struct entry {
	const char *name;
	int level;
	const char *text;
	char type; /* of a tar's member; 0 = '0' */
};

static const char *const places[] = { "tree", "tree.zip", "tree.tar", "tree.tar.gz" };
enum { FOLDER, ZIP, TAR, TGZ, N_PLACES };

static char *dir;

static void setup(void)
{
	dir = tempdir_make();
}

static void teardown(void)
{
	tempdir_remove(dir);
}

TestSuite(picture_files, .init = setup, .fini = teardown, .timeout = 60);

static void bytes_of(struct str *out, const struct entry *entry)
{
	struct err e = ERR_INIT;
	uint8_t px[4 * 4 * 3];
	if (entry->level <= 0) {
		str_add(out, entry->text);
		return;
	}
	memset(px, entry->level, sizeof px);
	cr_assert_eq(image_png_encode(out, px, 4, 4, 3, entry->name, &e), 0, "%s", e.msg);
}

static void make_folder(const char *path, const struct entry *tree, int n)
{
	struct err e = ERR_INIT;
	for (int i = 0; i < n; i++) {
		SCOPED(str) struct str bytes = { 0 };
		SCOPED(free) char *file = xstrfmt("%s/%s", path, tree[i].name), *folder = xstrdup(file);
		*strrchr(folder, '/') = '\0';
		bytes_of(&bytes, &tree[i]);
		cr_assert_eq(io_mkdirs(folder, &e), 0, "%s", e.msg);
		cr_assert_eq(io_write_atomic(file, str_text(&bytes), bytes.len, &e), 0, "%s", e.msg);
	}
}

static void make_zip(const char *path, const struct entry *tree, int n)
{
	int code;
	zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
	cr_assert(z);
	for (int i = n; i-- > 0;) { /* not in the order of names */
		struct str bytes = { 0 };
		bytes_of(&bytes, &tree[i]);
		size_t len = bytes.len;
		cr_assert(zip_file_add(z, tree[i].name, zip_source_buffer(z, str_detach(&bytes), len, 1), ZIP_FL_ENC_UTF_8) >=
		              0,
		          "%s", tree[i].name);
	}
	cr_assert_eq(zip_close(z), 0);
}

static void add_member(struct str *tar, const char *name, char type, const struct str *bytes)
{
	char h[512] = { 0 }, octal[24];
	cr_assert(strlen(name) <= 100);
	memcpy(h, name, strlen(name));
	(void)snprintf(octal, sizeof octal, "%011zo", bytes->len);
	memcpy(h + 124, octal, 12);
	memset(h + 148, ' ', 8);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	unsigned sum = 0;
	for (size_t i = 0; i < sizeof h; i++)
		sum += (unsigned char)h[i];
	(void)snprintf(octal, sizeof octal, "%06o", sum);
	memcpy(h + 148, octal, 7);
	str_addn(tar, h, sizeof h);
	str_addn(tar, str_text(bytes), bytes->len);
	while (tar->len % 512)
		str_addc(tar, '\0');
}

static void write_tar(const char *path, const struct str *members, bool gzip)
{
	static const char end[1024];
	gzFile f = gzopen(path, gzip ? "wb" : "wbT");
	cr_assert_eq(gzwrite(f, members->data, (unsigned)members->len), (int)members->len);
	cr_assert_eq(gzwrite(f, end, sizeof end), (int)sizeof end);
	cr_assert_eq(gzclose(f), Z_OK);
}

static void make_tar(const char *path, const struct entry *tree, int n, bool gzip)
{
	SCOPED(str) struct str tar = { 0 };
	const struct str nothing = { 0 };
	add_member(&tar, "./", '5', &nothing);
	for (int i = 0; i < n; i++) {
		int k = (i + n / 2) % n;
		SCOPED(str) struct str bytes = { 0 };
		SCOPED(free) char *name = xstrfmt("./%s", tree[k].name); /* as `tar -c .` */
		bytes_of(&bytes, &tree[k]);
		add_member(&tar, name, tree[k].type ? tree[k].type : '0', tree[k].type ? &nothing : &bytes);
	}
	write_tar(path, &tar, gzip);
}

static char *make(int place, const struct entry *tree, int n)
{
	char *path = xstrfmt("%s/%s", dir, places[place]);
	if (place == FOLDER)
		make_folder(path, tree, n);
	else if (place == ZIP)
		make_zip(path, tree, n);
	else
		make_tar(path, tree, n, place == TGZ);
	return path;
}

static const struct entry tree[] = {
	{ "b.png", 1, NULL, 0 },
	{ "B.PNG", 2, NULL, 0 },
	{ "a/z.Png", 3, NULL, 0 },
	{ "a.png", 4, NULL, 0 },
	{ "a/b/c/no-ending", 5, NULL, 0 },
	{ "wrong.txt", 6, NULL, 0 },
	{ "as.jpeg", 7, NULL, 0 },
	{ "as.gif", 8, NULL, 0 },
	{ ".hidden.png", 0, "not looked at", 0 },
	{ "a/.git/x.png", 0, "not looked at", 0 },
	{ "__MACOSX/x.png", 0, "not looked at", 0 },
	{ "__MACOSX/._b.png", 0, "not looked at", 0 },
	{ "dataset.json", 0, "{\"labels\": null}", 0 },
	{ "README.txt", 0, "BM is how a BMP begins", 0 },
	{ "a/Thumbs.db", 0, "", 0 },
	{ "film.mp4", 0, "....ftypisom....", 0 },
};
enum { N_TREE = sizeof tree / sizeof *tree };

/* A score and an import that depend on how the pictures were packed are not of the pictures. */
Test(picture_files, the_same_tree_is_the_same_everywhere)
{
	static const struct {
		const char *name;
		int level;
	} want[] = { { "B.PNG", 2 },  { "a.png", 4 },   { "a/b/c/no-ending", 5 }, { "a/z.Png", 3 },
		         { "as.gif", 8 }, { "as.jpeg", 7 }, { "b.png", 1 },           { "wrong.txt", 6 } };
	for (int place = 0; place < N_PLACES; place++) {
		struct err e = ERR_INIT;
		SCOPED(free) char *path = make(place, tree, N_TREE);
		SCOPED(source) struct source *s = NULL;
		SCOPED(image_u8) struct image_u8 im = { 0 };
		cr_assert_eq(source_open(&s, path, &e), 0, "%s", e.msg);
		cr_assert_eq(s->n, (int64_t)(sizeof want / sizeof *want), "%s: %lld", places[place], (long long)s->n);
		for (int64_t i = s->n; i-- > 0;) { /* access is random */
			SCOPED(free) char *item = source_item(s, i), *is = xstrfmt("%s%s%s", path, place ? ":" : "/", want[i].name);
			cr_expect_str_eq(item, is);
			cr_assert_eq(source_read(s, i, &im, &e), 0, "%s", e.msg);
			cr_expect_eq(im.px[0], want[i].level, "%s: %d", item, im.px[0]);
		}
		SCOPED(free)
		char *notes = xstrfmt(
			"%s: 6 images at its top and 2 in sub-folders, all taken, as clean-fid does (pytorch-fid takes "
			"those at the top)\n%s%sREADME.txt and 3 more files: not images, left out\n",
			path, path, place ? ":" : "/");
		cr_expect_str_eq(str_text(&s->notes), notes);
	}
}

static void refused(const char *path, const char *says)
{
	struct err e = ERR_INIT;
	SCOPED(source) struct source *s = NULL;
	cr_assert_eq(source_open(&s, path, &e), -1, "%s", path);
	cr_expect(strstr(e.msg, says), "%s", e.msg);
}

/* In each place: opening or reading the tree of two good pictures and this one is an error that says so. */
static void refused_everywhere(const struct entry *bad, const char *says)
{
	const struct entry three[] = { { "one.png", 1, NULL, 0 }, *bad, { "two.png", 2, NULL, 0 } };
	for (int place = 0; place < N_PLACES; place++) {
		SCOPED(free) char *path = make(place, three, 3);
		SCOPED(source) struct source *s = NULL;
		SCOPED(image_u8) struct image_u8 im = { 0 };
		struct err e = ERR_INIT;
		bool failed = source_open(&s, path, &e) != 0;
		for (int64_t i = 0; !failed && i < s->n; i++)
			failed = source_read(s, i, &im, &e) != 0;
		cr_expect(failed, "%s in %s was passed over", bad->name, places[place]);
		cr_expect(strstr(e.msg, says), "%s", e.msg);
		cr_expect(!strchr(e.msg, '\n'), "%s", e.msg);
		if (place == FOLDER) {
			SCOPED(free) char *file = xstrfmt("%s/%s", path, bad->name);
			cr_assert_eq(unlink(file), 0);
		}
	}
}

/* ImageNet is published as a tar of tars, CIFAR-100 as a tar of pickles: what to do is said, and not only that there
 * are no pictures. */
Test(picture_files, archives_in_archives_are_told_with_the_way_out)
{
	static const struct entry tars[] = { { "a.txt", 0, "a text", 0 }, { "n01440764.tar", 0, "no tar here", 0 } },
							  pickles[] = { { "file.txt~", 0, "", 0 }, { "train", 0, "\x80\2}q", 0 } };
	for (int place = 0; place < N_PLACES; place++) {
		SCOPED(free) char *path = make(place, tars, 2);
		refused(path, "n01440764.tar, which are not looked into: unpack it, and the archives in it");
	}
	for (int place = ZIP; place < N_PLACES; place++) {
		SCOPED(free) char *path = make(place, pickles, 2);
		refused(path, ":train, which are not looked into");
	}
}

/* CIFAR-10's published archive: the training split in the order of its folder, whatever that in the archive. */
Test(picture_files, the_archive_of_cifar10_is_a_source)
{
	SCOPED(str) struct str tar = { 0 }, batch = { 0 }, meta = { 0 };
	SCOPED(source) struct source *s = NULL;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(io_read(&batch, FIXTURES "/numpy/cifar_batch", 1 << 20, &e), 0, "%s", e.msg);
	add_member(&tar, "cifar-10-batches-py/batches.meta", '0', &meta);
	for (const char *k = "4t3251"; *k; k++) {
		SCOPED(free) char *name = xstrfmt("cifar-10-batches-py/data_batch_%c", *k);
		add_member(&tar, *k == 't' ? "cifar-10-batches-py/test_batch" : name, '0', &batch);
	}
	SCOPED(free) char *path = xstrfmt("%s/cifar-10-python.tar.gz", dir);
	write_tar(path, &tar, true);
	cr_assert_eq(source_open(&s, path, &e), 0, "%s", e.msg);
	cr_assert_eq(s->n, 10);
	cr_assert_eq(source_read(s, 1, &im, &e), 0, "%s", e.msg);
	for (int k = 0; k < 3; k++) /* pixel 0 of picture 1 of data_batch_1, planes of 1024 */
		cr_assert_eq(im.px[k], (3072 + 1024 * k) * 11 % 256);
	SCOPED(free) char *item = source_item(s, 1);
	cr_expect(strstr(item, "cifar-10-python.tar.gz: cifar-10-batches-py/data_batch_1[1]"), "%s", item);
	struct str tests = { 0 };
	add_member(&tests, "test_batch", '0', &batch);
	write_tar(path, &tests, true);
	str_release(&tests);
	refused(path, "0 of the 5 files of CIFAR-10's training set");
	struct str most = { 0 };
	for (const char *k = "4351"; *k; k++) {
		SCOPED(free) char *name = xstrfmt("cifar-10-batches-py/data_batch_%c", *k);
		add_member(&most, name, '0', &batch);
	}
	write_tar(path, &most, true);
	str_release(&most);
	refused(path, "4 of the 5 files of CIFAR-10's training set");
}

/* A picture that is left out changes the number; so none is, whatever its name and format. */
Test(picture_files, what_looks_like_a_picture_is_read_or_refused)
{
	refused_everywhere(&(struct entry){ "x.png", 0, "a text", 0 }, "x.png: not a picture by its first bytes");
	refused_everywhere(&(struct entry){ "x.bmp", 0, "a text", 0 }, "x.bmp: not a picture by its first bytes");
	refused_everywhere(&(struct entry){ "x.avif", 0, "", 0 }, "x.avif: not a picture by its first bytes");
	refused_everywhere(&(struct entry){ "x.gif", 0, "GIF89a....", 0 }, "x.gif: a GIF picture");
	refused_everywhere(&(struct entry){ "no-ending", 0, "GIF89a....", 0 }, "no-ending: a GIF picture");
	refused_everywhere(&(struct entry){ "sub/x.data", 0, "P5 3 3 255\n123456789", 0 }, "sub/x.data: a PNM picture");
	SCOPED(free)
	char *path = make(FOLDER, (const struct entry[]){ { "a.png", 1, NULL, 0 }, { "z", 0, "GIF89a", 0 } }, 2);
	refused(path, "z: a GIF picture"); /* at once, not when its turn comes */
	SCOPED(free) char *gif = xstrfmt("%s/z", path);
	cr_assert_eq(unlink(gif), 0);
	refused_everywhere(&(struct entry){ "x.jpg", 0, "qoif0000", 0 }, "x.jpg: a QOI picture");
}

Test(picture_files, depth_has_a_limit_everywhere)
{
	refused_everywhere(&(struct entry){ "1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h/x.png", 3, NULL, 0 },
	                   "nested deeper than 16 folders");
}

/* One line for each message and note, whatever a file's name. */
Test(picture_files, names_with_control_characters_are_spelled)
{
	static const struct entry odd[] = { { "a.png", 1, NULL, 0 },
		                                { "b\nc\x1b[1m.png", 2, NULL, 0 },
		                                { "d\n.txt", 0, "text", 0 } };
	for (int place = 0; place < N_PLACES; place++) {
		if (place == ZIP) /* libzip writes no such name, and shows another program's as printable characters */
			continue;
		struct err e = ERR_INIT;
		SCOPED(free) char *path = make(place, odd, 3);
		SCOPED(source) struct source *s = NULL;
		cr_assert_eq(source_open(&s, path, &e), 0, "%s", e.msg);
		SCOPED(free) char *item = source_item(s, 1);
		cr_expect(strstr(item, "b\\x0ac\\x1b[1m.png"), "%s", item);
		cr_expect(strstr(str_text(&s->notes), "d\\x0a.txt: not an image, left out\n"), "%s", str_text(&s->notes));
		cr_expect_eq(strcspn(str_text(&s->notes), "\n") + 1, s->notes.len, "one line: %s", str_text(&s->notes));
	}
}

/* Of two members with one name, one would count twice or hide the other. */
Test(picture_files, members_of_one_name_are_refused)
{
	static const struct entry twice[] = { { "a.png", 1, NULL, 0 }, { "b.png", 2, NULL, 0 }, { "a.png", 3, NULL, 0 } };
	for (int place = TAR; place < N_PLACES; place++) {
		SCOPED(free) char *path = make(place, twice, 3);
		refused(path, "a.png: two members have this name");
	}
	static const struct entry once[] = { { "a.png", 1, NULL, 0 }, { "b.png", 2, NULL, 0 }, { "c.png", 3, NULL, 0 } };
	SCOPED(free) char *path = make(ZIP, once, 3);
	SCOPED(str) struct str bytes = { 0 };
	struct err e = ERR_INIT;
	cr_assert_eq(io_read(&bytes, path, 1 << 20, &e), 0, "%s", e.msg); /* libzip writes no such archive */
	for (size_t i = 0; i + 5 <= bytes.len; i++)
		if (memcmp(bytes.data + i, "c.png", 5) == 0)
			bytes.data[i] = 'a';
	cr_assert_eq(io_write_atomic(path, bytes.data, bytes.len, &e), 0, "%s", e.msg);
	refused(path, "a.png");
}

Test(picture_files, links_and_devices_in_a_tar_are_refused)
{
	static const struct {
		char type;
		const char *says;
	} kinds[] = { { '1', "x.png: a link, which is not followed" },
		          { '2', "x.png: a link, which is not followed" },
		          { '3', "x.png: not a regular file" },
		          { 'S', "x.png: not a regular file" } };
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		const struct entry two[] = { { "a.png", 1, NULL, 0 }, { "x.png", 0, "", kinds[k].type } };
		SCOPED(free) char *path = make(TAR, two, 2);
		refused(path, kinds[k].says);
	}
}

/* Python's tarfile writes names beyond 100 bytes, and names that are not ASCII, in a pax header. */
Test(picture_files, pax_names_are_read)
{
	SCOPED(str) struct str tar = { 0 };
	SCOPED(str) struct str bytes = { 0 };
	struct err e = ERR_INIT;
	char name[180];
	memset(name, 'n', sizeof name);
	memcpy(name + sizeof name - 5, ".png", 5);
	SCOPED(free) char *record = xstrfmt("189 path=%s\n", name); /* 4 + 5 + 179 + 1 bytes */
	struct str pax = { record, strlen(record), 0 };
	cr_assert_eq(pax.len, 189);
	bytes_of(&bytes, &(struct entry){ "x", 9, NULL, 0 });
	add_member(&tar, "PaxHeaders/x", 'x', &pax);
	add_member(&tar, "short", '0', &bytes);
	add_member(&tar, "second.png", '0', &bytes);
	SCOPED(free) char *path = xstrfmt("%s/pax.tar", dir);
	write_tar(path, &tar, false);
	SCOPED(source) struct source *s = NULL;
	cr_assert_eq(source_open(&s, path, &e), 0, "%s", e.msg);
	cr_assert_eq(s->n, 2);
	SCOPED(free) char *item = source_item(s, 0);
	cr_expect(strstr(item, name), "%s", item);
	record[2] = '8';
	tar.len = 0;
	add_member(&tar, "PaxHeaders/x", 'x', &pax);
	add_member(&tar, "short", '0', &bytes);
	write_tar(path, &tar, false);
	refused(path, "damaged pax header");
}

Test(picture_files, a_folder_that_leads_back_into_itself_is_refused)
{
	SCOPED(free) char *path = make(FOLDER, tree, N_TREE), *loop = xstrfmt("%s/a/up", path);
	cr_assert_eq(symlink("..", loop), 0);
	refused(path, "a/up: a link back to a folder that it lies in");
	cr_assert_eq(unlink(loop), 0);
	cr_assert_eq(symlink("nowhere", loop), 0);
	refused(path, "a/up: cannot open");
	cr_assert_eq(unlink(loop), 0);
	cr_assert_eq(mkfifo(loop, 0600), 0);
	refused(path, "a/up: not a regular file");
}

/* Links in a folder are followed: data sets are often made of them. */
Test(picture_files, links_in_a_folder_are_followed)
{
	SCOPED(free)
	char *path = make(FOLDER, tree, N_TREE), *links = xstrfmt("%s/links", dir), *link = xstrfmt("%s/x", links);
	struct err e = ERR_INIT;
	cr_assert_eq(io_mkdirs(links, &e), 0, "%s", e.msg);
	cr_assert_eq(symlink(path, link), 0);
	SCOPED(source) struct source *s = NULL;
	cr_assert_eq(source_open(&s, links, &e), 0, "%s", e.msg);
	cr_expect_eq(s->n, 8);
}
