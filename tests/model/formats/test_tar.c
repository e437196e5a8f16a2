/* test_tar.c - headers of a tar, written by hand: the checksum that is the only thing which tells an archive from other
 * bytes, where data begin and end, and the names and sizes of old, POSIX and pax archives. The tests of picture sources
 * read whole archives, where a wrong one of these can still find the same pictures. */
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/formats/tar.h"
#include "tests/common/ok.h"
#include "tests/common/tempdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct err e;

enum { BLOCK = 512 };

static void octal(uint8_t *at, int digits, unsigned value)
{
	char text[16];
	(void)snprintf(text, sizeof text, "%0*o", digits, value);
	memcpy(at, text, (size_t)digits + 1);
}

/* A member: its header, its data and zeros up to a whole block. The checksum counts its own field as blanks. */
static void add(struct str *out, const char *name, const char *prefix, char type, const char *data, size_t n)
{
	uint8_t h[BLOCK] = { 0 };
	unsigned sum = 0;
	memcpy(h, name, strlen(name));
	octal(h + 124, 11, (unsigned)n);
	h[156] = (uint8_t)type;
	memcpy(h + 257, "ustar", 6);
	memcpy(h + 345, prefix, strlen(prefix));
	memset(h + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += h[i];
	octal(h + 148, 6, sum);
	str_addn(out, h, BLOCK);
	str_addn(out, data, n);
	while (out->len % BLOCK)
		str_addc(out, '\0');
}

static struct tar *open_bytes(const char *dir, const struct str *bytes)
{
	struct tar *t = NULL;
	SCOPED(free) char *path = tempdir_file(dir, "x.tar", bytes->data, bytes->len);
	OK(tar_open(&t, path, &e));
	return t;
}

static void expect_member(struct tar *t, const char *name, const char *data, size_t n)
{
	const char *got;
	int64_t size;
	char buf[2 * BLOCK];
	cr_assert_eq(tar_next(t, &got, &size, &e), 1, "%s: %s", name, e.msg);
	cr_expect_str_eq(got, name);
	cr_assert_eq(size, (int64_t)n);
	OK(tar_read(t, buf, n, &e));
	cr_expect_arr_eq(buf, data, n);
}

static int last(struct tar *t)
{
	const char *name;
	int64_t size;
	return tar_next(t, &name, &size, &e);
}

/* Data that fill their last block are followed by no padding, all others by some. */
Test(tar, members_of_any_size_follow_each_other)
{
	char *dir = tempdir_make(), data[2 * BLOCK];
	static const size_t sizes[] = { 0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK };
	SCOPED(str) struct str bytes = { 0 };
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 7 + 1);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		add(&bytes, (char[]){ (char)('a' + i), 0 }, i % 2 ? "folder/deep" : "", '0', data, sizes[i]);
	SCOPED(tar) struct tar *t = open_bytes(dir, &bytes);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		SCOPED(free) char *name = xstrfmt("%s%c", i % 2 ? "folder/deep/" : "", (char)('a' + i));
		expect_member(t, name, data, sizes[i]);
	}
	cr_expect_eq(last(t), 0);
	tempdir_remove(dir);
}

Test(tar, a_header_whose_checksum_does_not_fit_is_no_archive)
{
	char *dir = tempdir_make();
	SCOPED(str) struct str good = { 0 };
	add(&good, "a", "", '0', "data", 4);
	for (int at = 0; at < BLOCK; at += 37) {
		SCOPED(str) struct str bytes = { 0 };
		str_addn(&bytes, good.data, good.len);
		bytes.data[at] ^= 1;
		SCOPED(tar) struct tar *t = open_bytes(dir, &bytes);
		cr_expect_eq(last(t), -1, "byte %d", at);
		cr_expect(strstr(e.msg, "not a tar archive, or damaged"), "%s", e.msg);
	}
	tempdir_remove(dir);
}

/* pax says a size that has no room in the header: it is the next member's, and of no other. */
Test(tar, a_size_of_pax_is_the_next_members)
{
	char *dir = tempdir_make();
	SCOPED(str) struct str bytes = { 0 };
	add(&bytes, "pax", "", 'x', "10 size=3\n", 10);
	add(&bytes, "a", "", '0', "xyz", 3);
	memcpy(bytes.data + 2 * BLOCK + 124, "00000000000", 11); /* the header says 0 */
	uint8_t *h = (uint8_t *)bytes.data + 2 * BLOCK;
	unsigned sum = 0;
	memset(h + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += h[i];
	octal(h + 148, 6, sum);
	add(&bytes, "b", "", '0', "12345", 5);
	SCOPED(tar) struct tar *t = open_bytes(dir, &bytes);
	expect_member(t, "a", "xyz", 3);
	expect_member(t, "b", "12345", 5);
	cr_expect_eq(last(t), 0);
	tempdir_remove(dir);
}

Test(tar, a_name_that_leaves_the_folder_is_refused)
{
	static const char *const out[] = { "/a", "../a", "a/..", "a/../b", "..", "a\\b", "c:a" };
	static const char *const in[] = { "a", "a/b", "..a", "a..", "a/..b", "a./b" };
	for (size_t i = 0; i < sizeof out / sizeof *out; i++)
		cr_expect(archive_name_escapes(out[i]), "%s", out[i]);
	for (size_t i = 0; i < sizeof in / sizeof *in; i++)
		cr_expect(!archive_name_escapes(in[i]), "%s", in[i]);
}
