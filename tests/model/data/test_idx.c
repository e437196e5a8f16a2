/* test_idx.c - the header of an IDX file byte by byte: a count or a side that is read wrongly gives other pictures of
 * the same bytes, and nothing later can tell. */
#include "model/base/mem.h"
#include "model/data/idx.h"
#include "tests/common/ok.h"
#include "tests/common/tempdir.h"

#include <stdlib.h>
#include <string.h>

static struct err e;

/* A size above 65,535, one above 255, and the values in their order. */
Test(idx, sizes_are_big_endian_of_four_bytes)
{
	enum { N = 65536 + 3, HEAD = 12, W = 258 };
	SCOPED(free) uint8_t *bytes = xcalloc(HEAD + N, 1);
	struct idx x;
	memcpy(bytes, (uint8_t[]){ 0, 0, 8, 2, 0, 1, 0, 3, 0, 0, 0, 1 }, HEAD);
	bytes[HEAD + N - 1] = 77;
	OK(idx_parse(&x, bytes, HEAD + N, "x", &e));
	cr_expect(x.n_dims == 2 && x.dims[0] == N && x.dims[1] == 1 && x.data[N - 1] == 77 && x.data[0] == 0);
	idx_release(&x);
	memcpy(bytes, (uint8_t[]){ 0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 1, 2 }, HEAD);
	OK(idx_parse(&x, bytes, HEAD + 2 * W, "x", &e));
	cr_expect(x.dims[0] == 2 && x.dims[1] == W);
	idx_release(&x);
}

Test(idx, what_does_not_fit_its_header_is_refused)
{
	static const struct {
		uint8_t head[8];
		int data;
		const char *says;
	} cases[] = { { { 0, 0, 8, 1, 0, 0, 0, 5 }, 4, "truncated: 4 bytes of data, its header promises 5" },
		          { { 0, 0, 8, 1, 0, 0, 0, 5 }, 6, "trailing bytes: 6 bytes of data, its header promises 5" },
		          { { 0, 0, 9, 1, 0, 0, 0, 5 }, 5, "element type 0x09" },
		          { { 0, 0, 11, 1, 0, 0, 0, 5 }, 10, "element type 0x0b" },
		          { { 0, 0, 8, 2, 0, 0, 0, 5 }, 0, "truncated IDX header" },
		          { { 0, 0, 8, 5, 0, 0, 0, 5 }, 5, "not an IDX file" },
		          { { 1, 0, 8, 1, 0, 0, 0, 5 }, 5, "not an IDX file" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t bytes[32] = { 0 };
		struct idx x;
		memcpy(bytes, cases[i].head, 8);
		e = ERR_INIT;
		cr_expect_eq(idx_parse(&x, bytes, 8 + (size_t)cases[i].data, "x", &e), -1, "case %zu", i);
		cr_expect(strstr(e.msg, cases[i].says), "%s", e.msg);
	}
}

Test(idx, there_is_one_label_for_each_picture)
{
	static const uint8_t labels[] = { 0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9 };
	char *dir = tempdir_make();
	SCOPED(free) char *path = tempdir_file(dir, "labels", labels, sizeof labels);
	struct idx x;
	OK(idx_open_labels(&x, path, 3, &e));
	cr_expect(x.data[0] == 7 && x.data[2] == 9);
	idx_release(&x);
	for (int64_t n = 2; n <= 4; n += 2) {
		cr_expect_eq(idx_open_labels(&x, path, n, &e), -1);
		cr_expect(strstr(e.msg, "3 labels for "), "%s", e.msg);
	}
	tempdir_remove(dir);
}
