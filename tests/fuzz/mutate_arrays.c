/* mutate_arrays.c - .npz, .npy and pickles of arrays for fuzz_arrays.c: members of a zip, the dict of a .npy, with data
 * as long as it says, the instructions of a pickle. */
#include "model/formats/npy.h"
#include "tests/fuzz/mutate.h"

#include <string.h>

static const char *const words[] = {
	"'<f4'", "'<f8'", "'<f2'",  "'>f4'", "'>f8'", "'>i8'", "'|u1'",   "'|b1'",           "'|S3'",
	"'<U2'", "'|O'",  "'|V8'",  "'<c8'", "True",  "False", "'descr'", "'fortran_order'", "'shape'",
	"()",    "(2, )", "(2, 3)", "(0, )", "1",     "L",     "None",    "[('a', '<f4')]",
};
static const char *const names[] = { "mu.npy",  "sigma.npy", "arr_0.npy", "pool_3.npy", "labels.npy",
	                                 "a/b.npy", "../a.npy",  ".npy",      "a.txt" };
enum { DATA_MAX = 1 << 14 };

/* Version 1.0: magic, two bytes of version, the dict's length in two bytes, the dict. */
static void mutate_npy(struct str *s, struct dice *d)
{
	SCOPED(str) struct str before = *s, dict = { 0 };
	struct npy_info info;
	struct err e = ERR_INIT;
	*s = (struct str){ 0 };
	size_t head = (size_t)(uint8_t)before.data[8] | (size_t)(uint8_t)before.data[9] << 8;
	if (head > before.len - 10)
		head = before.len - 10;
	str_addn(&dict, before.data + 10, head);
	if (dice_one_in(d, 8))
		mutate_bytes(&dict);
	else
		mutate_tokens(&dict, d, WORDS(words));
	str_addn(s, before.data, 8);
	str_addc(s, (char)(uint8_t)dict.len);
	str_addc(s, (char)(uint8_t)(dict.len >> 8));
	str_addn(s, str_text(&dict), dict.len);
	str_addn(s, before.data + 10 + head, before.len - 10 - head);
	if (dice_one_in(d, 4) || npy_parse(&info, (const uint8_t *)s->data, s->len, "mutated", &e) ||
	    info.count > DATA_MAX / info.item || info.data_at > s->len)
		return;
	size_t want = info.data_at + (size_t)info.count * (size_t)info.item;
	while (s->len < want)
		str_addc(s, (char)(uint8_t)dice_below(d, 256));
	s->len = want;
}

static void mutate_member(struct str *data, const char *name, struct dice *d)
{
	(void)name;
	if (data->len > 10 && memcmp(data->data, "\x93NUMPY", 6) == 0 && !dice_one_in(d, 4))
		mutate_npy(data, d);
	else if (data->len > 2 && (uint8_t)data->data[0] == 0x80 && !dice_one_in(d, 8))
		mutate_pickle(data, d);
	else
		mutate_bytes(data);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct dice d = { seed };
	SCOPED(str) struct str out = { 0 };
	if (dice_one_in(&d, 8))
		return LLVMFuzzerMutate(data, size, max);
	if (!mutate_zip(&out, data, size, &d, WORDS(names), mutate_member)) {
		str_addn(&out, data, size);
		mutate_member(&out, "", &d);
	}
	return mutate_give(data, size, max, &out);
}
