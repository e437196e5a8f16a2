/* mutate_pth.c - PyTorch checkpoints for fuzz_pth.c: the members of the zip form, the instructions of their pickle, and
 * those of the old form's pickles. */
#include "tests/fuzz/mutate.h"

#include <string.h>

static const char *const names[] = { "a/data.pkl",  "a/data/0",      "a/data/1",    "a/data/-1",
	                                 "a/byteorder", "a/version",     "b/data.pkl",  "a/constants.pkl",
	                                 "/data.pkl",   "../a/data.pkl", "a/data/../0", "data.pkl" };

static void mutate_member(struct str *data, const char *name, struct dice *d)
{
	const char *end = strrchr(name, '/');
	if (end && strcmp(end, "/data.pkl") == 0 && !dice_one_in(d, 8)) {
		mutate_pickle(data, d);
	} else if (dice_one_in(d, 2)) { /* a storage of another length, of whole elements */
		size_t n = 4 * (size_t)dice_below(d, 20);
		while (data->len < n)
			str_addc(data, (char)(uint8_t)dice_below(d, 256));
		data->len = n;
	} else {
		mutate_bytes(data);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct dice d = { seed };
	SCOPED(str) struct str out = { 0 };
	if (dice_one_in(&d, 8))
		return LLVMFuzzerMutate(data, size, max);
	if (!mutate_zip(&out, data, size, &d, WORDS(names), mutate_member)) {
		str_addn(&out, data, size);
		mutate_pickle(&out, &d);
	}
	return mutate_give(data, size, max, &out);
}
