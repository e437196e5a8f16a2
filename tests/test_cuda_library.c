/* test_cuda_library.c - how the CUDA plugin opens libraries at run time, with the C library's own in their place: found, left out, named by the
 * environment, missing, and without a function that is wanted. */
#include "model/cuda/cuda_library.cu" /* C as well; the plugin exports nothing */

#include <criterion/criterion.h>
#include <math.h>

static double (*cosine)(double);

static bool open_as(struct cuda_library *l, const char *function)
{
	const struct cuda_function functions[] = { { function, &cosine }, { NULL, NULL } };
	return cuda_library_open(l, functions);
}

static struct cuda_library library_of(const char *soname)
{
	return (struct cuda_library){ soname, "ABLATE_TEST_LIBRARY", NULL, false, "" };
}

Test(cuda_library, functions_are_found_and_work)
{
	struct cuda_library l = library_of("libm.so.6");
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
	cr_assert_eq(cosine(0), 1);
	cr_assert_str_empty(l.why_not);
	cr_assert(open_as(&l, "cos"));
}

Test(cuda_library, none_leaves_it_out)
{
	struct cuda_library l = library_of("libm.so.6");
	cr_assert_eq(setenv("ABLATE_TEST_LIBRARY", "none", 1), 0);
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "ABLATE_TEST_LIBRARY=none");
	cr_assert(cuda_library_unwanted("ABLATE_TEST_LIBRARY"));
}

Test(cuda_library, the_environment_names_another_file)
{
	struct cuda_library l = library_of("libnonexistent.so.9");
	cr_assert_eq(setenv("ABLATE_TEST_LIBRARY", "libm.so.6", 1), 0);
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
	l = library_of("libm.so.6");
	cr_assert_eq(setenv("ABLATE_TEST_LIBRARY", "/nonexistent/lib.so", 1), 0);
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no /nonexistent/lib.so");
}

Test(cuda_library, missing_is_told_and_asked_once)
{
	struct cuda_library l = library_of("libnonexistent.so.9");
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no libnonexistent.so.9");
	l.soname = "libm.so.6";
	cr_assert_not(open_as(&l, "cos"));
}

Test(cuda_library, one_without_a_function_is_not_used)
{
	struct cuda_library l = library_of("libm.so.6");
	cr_assert_not(open_as(&l, "a_function_of_tomorrow"));
	cr_assert_str_eq(l.why_not, "libm.so.6 has no a_function_of_tomorrow");
	cr_assert_null(l.handle);
}
