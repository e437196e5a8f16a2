/* test_pth.c - PyTorch checkpoints (fixtures by tests/fixtures/pth/make.py): both forms give the same tensors, and
 * whatever is not plain tensors is refused by name and place, without being run. */
#define _GNU_SOURCE
#include "model/formats/pickle.h"
#include "model/formats/pth.h"
#include "model/base/mem.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static const struct st_tensor *find(const struct pth *pth, const char *name)
{
	for (size_t i = 0; i < pth->n_tensors; i++)
		if (strcmp(pth->tensors[i].name, name) == 0)
			return &pth->tensors[i];
	return NULL;
}

static void check_weights(const char *path)
{
	struct pth *pth;
	struct err e = ERR_INIT;
	cr_assert_eq(pth_open(&pth, path, &e), 0, "%s", e.msg);
	cr_assert_eq(pth->n_tensors, 5);
	const struct st_tensor *w = find(pth, "conv.weight"), *turned = find(pth, "conv.turned");
	cr_assert(w && w->n_dims == 2 && w->dims[0] == 2 && w->dims[1] == 3 && w->dtype == ST_F32);
	cr_assert_arr_eq(w->data, ((float[]){ 0, 0.5f, 1, 1.5f, 2, 2.5f }), 24);
	cr_assert(turned && turned->dims[0] == 3);
	cr_assert_arr_eq(turned->data, ((float[]){ 0, 1.5f, 0.5f, 2, 1, 2.5f }), 24, "strides become C order");
	cr_assert_arr_eq(find(pth, "conv.tail")->data, ((float[]){ 2, 2.5f }), 8);
	double steps;
	st_to_f64(&steps, find(pth, "bn.num_batches_tracked"));
	cr_assert_eq(steps, 7);
	float half[3];
	st_to_f32(half, find(pth, "half"));
	cr_assert_arr_eq(half, ((float[]){ 1, -2, 0.25f }), sizeof half);
	pth_free(pth);
}

Test(pth, the_old_and_the_zip_form_hold_the_same_tensors)
{
	check_weights(FIXTURES "/pth/old.pth");
	check_weights(FIXTURES "/pth/new.pth");
	check_weights(FIXTURES "/pth/protocol4.pth");
	check_weights(FIXTURES "/pth/memo_from_1.pth");
	check_weights(FIXTURES "/pth/deflated.pth");
}

Test(pth, a_bit_that_turned_in_a_storage_is_found)
{
	static const float stored[] = { 0, 0.5f, 1, 1.5f };
	SCOPED(str) struct str all = { 0 };
	struct pth *pth;
	struct err e = ERR_INIT;
	cr_assert_eq(io_read(&all, FIXTURES "/pth/new.pth", 1 << 20, &e), 0, "%s", e.msg);
	char *at = memmem(all.data, all.len, stored, sizeof stored);
	cr_assert(at);
	at[5] ^= 1;
	cr_assert_eq(pth_parse(&pth, all.data, all.len, "turned", &e), -1, "accepted");
	cr_assert(strstr(e.msg, "turned: entry archive/data/0 is damaged"), "%s", e.msg);
}

static const struct {
	const char *file, *message;
} refused[] = {
	{ "evil.pth", "offset 13: global posix.system is not plain tensor data" },
	{ "evil_old.pth", "global posix.system" },
	{ "int32.pth", "global torch.IntStorage" },
	{ "beyond.pth", "a tensor reaches beyond its storage" },
	{ "not_tensors.pth", "holds no dict of named tensors" },
	{ "program.pth", "a TorchScript program, which is not read" },
	{ "make.py", "neither a zip nor a pickle" },
	{ "absent.pth", "cannot open" },
};

Test(pth, what_is_not_plain_tensors_is_refused_and_not_run)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		SCOPED(free) char *path = xstrfmt("%s/pth/%s", FIXTURES, refused[i].file);
		struct pth *pth;
		struct err e = ERR_INIT;
		cr_assert_eq(pth_open(&pth, path, &e), -1, "%s was accepted", path);
		cr_assert(strstr(e.msg, refused[i].file) && strstr(e.msg, refused[i].message), "%s", e.msg);
	}
	cr_assert_neq(access("/tmp/ablate-was-here", F_OK), 0, "the pickle was executed");
}

Test(pth, a_cut_checkpoint_is_refused_at_every_length)
{
	static const char *const files[] = { "/pth/old.pth", "/pth/new.pth" };
	for (size_t i = 0; i < 2; i++) {
		SCOPED(free) char *path = xstrfmt("%s%s", FIXTURES, files[i]);
		SCOPED(str) struct str all = { 0 };
		struct err e = ERR_INIT;
		cr_assert_eq(io_read(&all, path, 1 << 20, &e), 0, "%s", e.msg);
		for (size_t n = 0; n < all.len; n++) {
			SCOPED(free) char *cut = xmalloc(n + 1);
			memcpy(cut, all.data, n);
			struct pth *pth;
			cr_assert_eq(pth_parse(&pth, cut, n, "cut", &e), -1, "%s: %zu of %zu bytes accepted", path, n, all.len);
		}
	}
}

/* bytes, length, a part of the message */
static const struct {
	const char *bytes;
	size_t n;
	const char *message;
} bad[] = {
	{ "\x80\x02i", 3, "offset 2 (opcode 0x69): unknown instruction" },
	{ "\x80\x09.", 3, "protocol" },
	{ "\x80\x02.", 3, "STOP with other than one value" },
	{ "\x80\x02NN.", 5, "STOP with other than one value" },
	{ "\x80\x02(N.", 5, "STOP with other than one value" },
	{ "\x80\x02N", 3, "without a STOP" },
	{ "\x80\x02K", 3, "truncated" },
	{ "\x80\x02\x85.", 4, "underflow" },
	{ "\x80\x02N(\x85.", 6, "underflow" },
	{ "\x80\x02t.", 4, "no mark" },
	{ "\x80\x02h\x05.", 5, "never stored" },
	{ "\x80\x02Nq\x05.", 6, "out of order" },
	{ "\x80\x02Nq\x01h\0.", 8, "never stored" },
	{ "\x80\x02}N(Ns.", 8, "underflow" },
	{ "\x80\x02](NNu.", 8, "not a dict" },
	{ "\x80\x02}(Nu.", 7, "without a value" },
	{ "\x80\x02Na.", 5, "underflow" },
	{ "\x80\x02NNa.", 6, "not a list" },
	{ "\x80\x02N)R.", 6, "not a known name" },
	{ "\x80\x02NQ.", 5, "not a storage" },
	{ "\x80\x02X\xff\xff\xff\xff"
	  "abc.",
	  11, "truncated" },
	{ "\x80\x02"
	  "cbuiltins\neval\n)R.",
	  20, "global builtins.eval" },
	{ "\x80\x02"
	  "cbuiltins\neval",
	  16, "truncated" },
	{ "\x80\x02"
	  "ctorch\nFloatStorage\n)R.",
	  25, "a storage type is called" },
	{ "\x80\x02"
	  "ccollections\nOrderedDict\n]N\x61\x85R.",
	  32, "list of pairs" },
};

Test(pickle, a_program_that_is_not_data_is_refused_with_its_place)
{
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct arena arena = { 0 };
		struct pk_value *v, *storages;
		size_t used;
		struct err e = ERR_INIT;
		cr_assert_eq(pickle_load(&v, &storages, &used, &arena, bad[i].bytes, bad[i].n, "p", &e), -1,
		             "case %zu accepted", i);
		cr_assert(strstr(e.msg, bad[i].message), "case %zu: %s", i, e.msg);
		arena_release(&arena);
	}
}

/* Integers of every opcode and sign, and both ways to remember: by a number, and by the next free one of protocol 4. */
Test(pickle, integers_and_the_memo)
{
	static const int64_t want[] = { 255, 65535, -2, -1, -128, 255, -32768, 0, 1, 1 };
	static const char integers[] = "\x80\x02](K\xffM\xff\xffJ\xfe\xff\xff\xff\x8a\x01\xff\x8a\x01\x80\x8a\x02\xff\x00"
								   "\x8a\x02\x00\x80\x8a\x00\x88\x8a\x01\x01"
								   "e.";
	static const char numbered[] = "\x80\x02]X\x01\x00\x00\x00"
								   "aq\x01"
								   "aX\x01\x00\x00\x00"
								   "bq\x02"
								   "ah\x01"
								   "ah\x02"
								   "a.";
	static const char next[] = "\x80\x04]\x94\x8c\x01"
							   "a\x94"
							   "a\x8c\x01"
							   "b\x94"
							   "ah\x01"
							   "ah\x02"
							   "a.";
	struct arena arena = { 0 };
	struct pk_value *v, *storages;
	size_t used;
	struct err e = ERR_INIT;
	cr_assert_eq(pickle_load(&v, &storages, &used, &arena, integers, sizeof integers - 1, "p", &e), 0, "%s", e.msg);
	cr_assert_eq(v->seq.n, sizeof want / sizeof *want);
	for (size_t i = 0; i < v->seq.n; i++)
		cr_expect_eq(v->seq.v[i]->i, want[i], "%zu: %lld", i, (long long)v->seq.v[i]->i);
	for (int k = 0; k < 2; k++) {
		const char *bytes = k ? next : numbered;
		size_t n = k ? sizeof next - 1 : sizeof numbered - 1;
		cr_assert_eq(pickle_load(&v, &storages, &used, &arena, bytes, n, "p", &e), 0, "%d: %s", k, e.msg);
		cr_assert_eq(v->seq.n, 4);
		for (size_t i = 0; i < 4; i++)
			cr_expect_str_eq(v->seq.v[i]->text.s, i % 2 ? "b" : "a", "%d, %zu", k, i);
	}
	arena_release(&arena);
}
