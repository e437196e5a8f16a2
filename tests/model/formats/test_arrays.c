/* test_arrays.c - files of arrays that are damaged or hostile: refused with one line, whatever the byte. That good ones
 * are read right is tested by those who use them (test_feature_set.c, test_sources.c). */
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/formats/arrays.h"
#include "model/formats/pickle.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <string.h>

/* A file cut anywhere is an error: no array is ever taken from less than its bytes. */
Test(arrays, cut_anywhere_are_refused)
{
	static const char *const files[] = { "p2.pkl", "p5.pkl", "dict.npy", "f.npy", "rows2.pkl", "feats.npz" };
	char *dir = tempdir_make();
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		SCOPED(free) char *path = xstrfmt(FIXTURES "/numpy/%s", files[i]);
		SCOPED(str) struct str all = { 0 };
		struct err e = ERR_INIT;
		cr_assert_eq(io_read(&all, path, 1 << 20, &e), 0, "%s", e.msg);
		for (size_t n = 1; n < all.len; n++) {
			SCOPED(free) char *cut = tempdir_file(dir, "cut", all.data, n);
			struct arrays *a;
			e = ERR_INIT;
			cr_assert_eq(arrays_open(&a, cut, &e), -1, "%s: %zu of %zu bytes accepted", path, n, all.len);
			cr_assert(strncmp(e.msg, cut, strlen(cut)) == 0, "%s", e.msg);
		}
	}
	tempdir_remove(dir);
}

/* An array without elements may name any extent (found by fuzzing): nothing is done so many times. Where the
 * compiler does not drop such a loop (as the sanitizers' build), a fault would take years. */
Test(arrays, an_extent_of_nothing, .timeout = 30)
{
	static const char *const shapes[] = { "(4611686018427387904, 0)", "(0, 4611686018427387904)" };
	char *dir = tempdir_make();
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (int fortran = 0; fortran < 2; fortran++) {
			char bytes[128];
			int n = snprintf(bytes + 10, sizeof bytes - 10, "{'descr': '<f8', 'fortran_order': %s, 'shape': %s, }\n",
			                 fortran ? "True" : "False", shapes[i]);
			memcpy(bytes, "\x93NUMPY\1", 8);
			bytes[8] = (char)n;
			bytes[9] = 0;
			SCOPED(free) char *path = tempdir_file(dir, "x.npy", bytes, (size_t)n + 10);
			SCOPED(arrays) struct arrays *a = NULL;
			SCOPED(free) double *x = NULL;
			struct npy_info info;
			struct err e = ERR_INIT;
			cr_assert_eq(arrays_open(&a, path, &e), 0, "%s", e.msg);
			cr_assert_eq(arrays_doubles(&x, &info, a, a->entry[0].name, 1, &e), 0, "%s", e.msg);
			cr_expect_eq(info.count, 0);
		}
	tempdir_remove(dir);
}

#define DTYPE(name) "cnumpy\ndtype\nU\x02" name "\x85R"
#define BUFFER      "cnumpy.core.numeric\n_frombuffer\n"
#define CASE(text, says) \
	{ \
		"\x80\x02" text ".", sizeof(text) + 2, says \
	}

/* Each row is a program whose array would reach beyond its bytes, or that is no array. */
Test(pickle, numpy_arrays_that_lie_are_refused)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *says;
	} bad[] = {
		CASE(BUFFER "(U\x04"
		            "abcd" DTYPE("f4") "K\x02\x85U\x01"
		                               "CtR",
		     "bytes are not as many"),
		CASE(BUFFER "(U\x04"
		            "abcd" DTYPE("f4") "J\xff\xff\xff\xff\x85U\x01"
		                               "CtR",
		     "not of integers, or overflows"),
		CASE(BUFFER "(U\x04"
		            "abcd" DTYPE("f4") "\x8a\x08\0\0\0\0\0\0\0\x40\x8a\x08\0\0\0\0\0\0\0\x40\x86U\x01"
		                               "CtR",
		     "overflows"),
		CASE(BUFFER "(U\x04"
		            "abcd" DTYPE("f4") "K\x01\x85U\x01"
		                               "ZtR",
		     "not (bytes, dtype, shape, order)"),
		CASE(BUFFER "(U\x04"
		            "abcdNK\x01\x85U\x01"
		            "CtR",
		     "without a dtype"),
		CASE("cnumpy\nndarray\n)R", "numpy.ndarray is called"),
		CASE(DTYPE("f4") "K\x01"
		                 "b",
		     "a dtype's state"),
		CASE("cnumpy.core.multiarray\n_reconstruct\n)RK\x01"
		     "b",
		     "an array's state"),
		CASE("cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x02\x85" DTYPE("O8") "\x89]Natb",
		     "objects that are not as many"),
		CASE("c_codecs\nencode\nU\x02\xe4\x82U\x06latin1\x86R", "not latin1"),
		CASE("c_codecs\nencode\nU\x01\xc3U\x06latin1\x86R", "not latin1"),
		CASE("c_codecs\nencode\nU\x01"
		     "aU\x05utf-8\x86R",
		     "an encoding other than"),
		CASE("NQ", "persistent id"),
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct arena arena = { 0 };
		struct pk_value *v;
		size_t used;
		struct err e = ERR_INIT;
		cr_assert_eq(pickle_load_numpy(&v, &used, &arena, bad[i].bytes, bad[i].n, "p", &e), -1, "case %zu accepted", i);
		cr_assert(strstr(e.msg, bad[i].says), "case %zu: %s", i, e.msg);
		arena_release(&arena);
	}
}

/* A text that stands for bytes is decoded once, however often it is asked for: else n calls of 4 bytes on one text of n
 * bytes would take n^2 memory. */
Test(pickle, a_shared_text_is_decoded_once)
{
	static const char twice[] = "\x80\x02(c_codecs\nencode\nq\x01U\x02\xc3\xa4q\x02U\x06latin1q\x03\x86R"
								"h\x01h\x02h\x03\x86Rt.";
	struct arena arena = { 0 };
	struct pk_value *v;
	size_t used;
	struct err e = ERR_INIT;
	cr_assert_eq(pickle_load_numpy(&v, &used, &arena, twice, sizeof twice - 1, "p", &e), 0, "%s", e.msg);
	cr_assert_eq(v->seq.n, 2);
	cr_assert(v->seq.v[0]->kind == PK_BYTES && v->seq.v[0]->text.n == 1 && v->seq.v[0]->text.s[0] == '\xe4');
	cr_assert_eq(v->seq.v[0]->text.s, v->seq.v[1]->text.s);
	arena_release(&arena);
}
