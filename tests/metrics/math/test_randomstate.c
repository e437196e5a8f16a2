/* test_randomstate.c - known answers of numpy 1.24's RandomState(2020). */
#include "metrics/math/randomstate.h"

#include <criterion/criterion.h>

Test(randomstate, raw_words)
{
	static const uint32_t want[] = { 4236026720, 639299976, 3751189827, 2669525622,
		                             2189340355, 944261211, 1167525501, 4124016259 };
	struct randomstate r;
	randomstate_seed(&r, 2020);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(randomstate_next(&r), want[i], "word %d", i);
}

Test(randomstate, permutation)
{
	static const int64_t want[] = { 2, 4, 9, 1, 5, 7, 6, 3, 8, 0 };
	int64_t got[10];
	struct randomstate r;
	randomstate_seed(&r, 2020);
	randomstate_permutation(&r, got, 10);
	cr_assert_arr_eq(got, want, sizeof want);
}

Test(randomstate, choice_without_replacement_twice)
{
	static const int64_t first[] = { 248, 192, 185, 204, 75, 283, 110, 294, 247, 253 };
	static const int64_t second[] = { 53, 227, 299, 71, 94, 232, 60, 139, 90, 72 };
	int64_t got[100];
	struct randomstate r;
	randomstate_seed(&r, 2020);
	randomstate_choice(&r, got, 300, 100);
	cr_assert_arr_eq(got, first, sizeof first);
	randomstate_choice(&r, got, 300, 100);
	cr_assert_arr_eq(got, second, sizeof second);
}
