/* test_nvidia.c - how libraries of NVIDIA's are opened at run time, with the C library's own in their place: found,
 * left out, named by the environment, missing, and without a function that is wanted. */
#include "model/cuda/nvidia.h"

#include <criterion/criterion.h>
#include <math.h>

static double (*cosine)(double);

static const struct nvidia_row present = { .name = "libm", .file = "libm.so.6", .variable = ENV_ABLATE_NCCL },
							   missing = { .name = "none", .file = "libnonexistent.so.9", .variable = ENV_ABLATE_NCCL };

static bool open_as(struct nvidia_library *l, const char *function)
{
	const struct nvidia_function functions[] = { { function, &cosine }, { NULL, NULL } };
	l->functions = functions;
	return nvidia_open(l);
}

Test(nvidia, functions_are_found_and_work)
{
	struct nvidia_library l = { .row = &present };
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
	cr_assert_eq(cosine(0), 1);
	cr_assert_str_empty(l.why_not);
	cr_assert(open_as(&l, "cos"));
}

Test(nvidia, none_leaves_it_out)
{
	struct nvidia_library l = { .row = &present };
	cr_assert_eq(setenv("ABLATE_NCCL", "none", 1), 0);
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "ABLATE_NCCL=none");
	cr_assert(nvidia_unwanted(&present));
}

Test(nvidia, the_environment_names_another_file)
{
	struct nvidia_library l = { .row = &missing };
	cr_assert_eq(setenv("ABLATE_NCCL", "libm.so.6", 1), 0);
	cr_assert(open_as(&l, "cos"), "%s", l.why_not);
	l = (struct nvidia_library){ .row = &present };
	cr_assert_eq(setenv("ABLATE_NCCL", "/nonexistent/lib.so", 1), 0);
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no /nonexistent/lib.so");
}

Test(nvidia, missing_is_told_and_asked_once)
{
	struct nvidia_library l = { .row = &missing };
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no libnonexistent.so.9");
	l.row = &present;
	cr_assert_not(open_as(&l, "cos"));
}

/* cuDNN 8 beside a plugin that needs 9: without this, a machine that has the library is told that it has none. */
Test(nvidia, another_major_version_is_named)
{
	static const struct nvidia_row newer = { .name = "libm", .file = "libm.so.7", .variable = ENV_ABLATE_NCCL };
	struct nvidia_library l = { .row = &newer };
	cr_assert_not(open_as(&l, "cos"));
	cr_assert_str_eq(l.why_not, "no libm.so.7; libm.so.6 is another major version");
}

Test(nvidia, one_without_a_function_is_not_used)
{
	struct nvidia_library l = { .row = &present };
	cr_assert_not(open_as(&l, "a_function_of_tomorrow"));
	cr_assert_str_eq(l.why_not, "libm.so.6 has no a_function_of_tomorrow");
	cr_assert_null(l.handle);
}

Test(nvidia, text_of_an_open_library_and_of_its_substitute)
{
	struct nvidia_library l = { .row = &missing };
	char text[64];
	cr_assert_not(nvidia_open(&l));
	nvidia_text(text, sizeof text, &l, 0, "own work");
	cr_assert_str_eq(text, "own work (no libnonexistent.so.9)");
	nvidia_text(text, sizeof text, &l, 90103, "own work");
	cr_assert_str_eq(text, "none 9.1.3");
}
