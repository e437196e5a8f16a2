/* test_sigma_search.c - ternary search finds the least of what falls and rises, asks nothing twice, and says what it
 * asked. */
#include "harness/sample/sigma_search.h"

#include <criterion/criterion.h>

struct valley {
	int64_t least, asked, fail_at;
};

static int depth(void *ctx, double *out, int64_t index, struct err *e)
{
	struct valley *v = ctx;
	v->asked++;
	if (index == v->fail_at)
		return err_set(e, "point %lld", (long long)index);
	*out = (double)((index - v->least) * (index - v->least));
	return 0;
}

Test(sigma_search, finds_the_least_wherever_it_lies)
{
	for (int64_t n = 1; n <= 60; n++)
		for (int64_t least = 1; least <= n; least++) {
			struct valley v = { .least = least, .fail_at = -1 };
			struct sigma_search s;
			struct err e = ERR_INIT;
			cr_assert_eq(sigma_search(&s, 1, n, depth, &v, &e), 0);
			cr_assert_eq(s.best, least, "%lld points, least at %lld, found %lld", (long long)n, (long long)least,
			             (long long)s.best);
			cr_assert_eq(s.n_tried, v.asked);
			for (int i = 0; i < s.n_tried; i++)
				for (int k = 0; k < i; k++)
					cr_assert_neq(s.tried[i].index, s.tried[k].index);
			sigma_search_release(&s);
		}
}

Test(sigma_search, asks_few_of_many)
{
	struct valley v = { .least = 492, .fail_at = -1 };
	struct sigma_search s;
	struct err e = ERR_INIT;
	cr_assert_eq(sigma_search(&s, 1, 1279, depth, &v, &e), 0);
	cr_expect_eq(s.best, 492);
	cr_expect(v.asked <= 36, "%lld asked", (long long)v.asked);
	sigma_search_release(&s);
}

Test(sigma_search, what_fails_ends_it)
{
	struct valley v = { .least = 3, .fail_at = 4 };
	struct sigma_search s;
	struct err e = ERR_INIT;
	cr_assert_eq(sigma_search(&s, 1, 9, depth, &v, &e), -1);
	cr_expect_str_eq(e.msg, "point 4");
	sigma_search_release(&s);
}
