/* test_engine_device.c - which device the next cell gets. Every cell had cuda:0, whatever the machine has; what a list,
 * several processes per cell and a device that cannot be opened change of that is cheaper to see here than in runs. */
#include "harness/run/engine_device.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct err e;

static void four_devices(void)
{
	cr_assert_eq(setenv("ABLATE_CUDA_PLUGIN", CUDA_EMU, 1), 0);
	cr_assert_eq(setenv("ABLATE_EMU_DEVICES", "4", 1), 0);
	cr_assert_eq(unsetenv("CUDA_VISIBLE_DEVICES"), 0);
}
TestSuite(engine_device, .init = four_devices);

static void expect_names(const char *asked, int ranks, const char *wanted)
{
	struct engine_devices d;
	char names[200] = "";
	size_t n = 0;
	cr_assert_eq(engine_devices(&d, asked, ranks, &e), 0, "%s: %s", asked, e.msg);
	for (int i = 0; i < d.n; i++) {
		cr_expect_eq(d.v[i].cells, 0);
		cr_expect_not(d.v[i].left_out);
		n += (size_t)snprintf(names + n, sizeof names - n, "%s ", d.v[i].name);
	}
	cr_expect_str_eq(names, wanted, "%s for %d ranks: %s", asked, ranks, names);
}

Test(engine_device, names_one_or_all)
{
	expect_names("cpu", 1, "cpu ");
	expect_names("cpu", 2, "cpu ");
	expect_names("cuda", 1, "cuda:0 cuda:1 cuda:2 cuda:3 ");
	expect_names("auto", 1, "cuda:0 cuda:1 cuda:2 cuda:3 ");
	expect_names("cuda:2", 1, "cuda:2 ");
	expect_names("cuda:3,cuda:1", 1, "cuda:3 cuda:1 ");
	cr_assert_eq(setenv("ABLATE_EMU_DEVICES", "0", 1), 0);
	expect_names("auto", 1, "cpu ");
}

/* The processes of a cell count up from the first device: two cells of two must not meet on one. */
Test(engine_device, cells_of_several_processes_take_neighbours)
{
	expect_names("cuda", 2, "cuda:0 cuda:2 ");
	expect_names("cuda", 3, "cuda:0 ");
	expect_names("cuda", 4, "cuda:0 ");
	expect_names("cuda", 8, "cuda:0 "); /* on several machines, or too many: the processes find out */
	expect_names("cuda:1", 2, "cuda:1 ");
}

Test(engine_device, refuses_what_is_no_list)
{
	static const char *const wrong[] = { "gpu",
		                                 "cuda:4",
		                                 "cuda:0,",
		                                 "cuda:0,cuda",
		                                 "cpu,cuda:0",
		                                 "cuda:0,cpu",
		                                 "cuda:1,cuda:1",
		                                 "cuda:0,auto",
		                                 "cuda:0,cuda:9",
		                                 ",cuda:0",
		                                 "" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct engine_devices d;
		e = ERR_INIT;
		cr_expect_eq(engine_devices(&d, wrong[i], 1, &e), -1, "%s", wrong[i]);
		cr_expect_eq(e.code, EXIT_USAGE, "%s: %s", wrong[i], e.msg);
	}
}

/* What is passed on to a machine that is not this one has no device to be checked against: its names have. */
Test(engine_device, a_name_is_known_without_the_device)
{
	static const char *const right[] = { "auto", "cpu", "cuda", "cuda:0", "cuda:77", "cuda:0,cuda:99" };
	static const char *const wrong[] = { "gpu",           "",        "cpu; touch x", "cpu\ntouch x", "cpu'; touch x; '",
		                                 "cuda:0;x",      "cuda:",   "cuda:0,",      "cuda:0,cuda;", "cuda:0,$(x)",
		                                 "cuda:0,cuda:x", "auto,cpu" };
	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		cr_expect_eq(engine_devices_named(right[i], &e), 0, "%s: %s", right[i], e.msg);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		e = ERR_INIT;
		cr_expect_eq(engine_devices_named(wrong[i], &e), -1, "%s", wrong[i]);
		cr_expect_eq(e.code, EXIT_USAGE, "%s: %s", wrong[i], e.msg);
	}
}

Test(engine_device, the_least_busy_is_next_and_the_first_of_several)
{
	struct engine_devices d;
	static const int wanted[] = { 0, 1, 2, 3, 0, 1 };
	cr_assert_eq(engine_devices(&d, "cuda", 1, &e), 0, "%s", e.msg);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		cr_expect_eq(engine_device_take(&d), wanted[i], "cell %zu", i);
	engine_device_give_back(&d, 3);
	engine_device_give_back(&d, 1);
	cr_expect_eq(engine_device_take(&d), 3);
	cr_expect_eq(engine_device_take(&d), 1);
}

Test(engine_device, one_is_left_out_only_where_it_is_idle_and_not_the_last)
{
	struct engine_devices d;
	cr_assert_eq(engine_devices(&d, "cuda:0,cuda:1", 1, &e), 0, "%s", e.msg);
	cr_expect_eq(engine_device_take(&d), 0);
	cr_expect_eq(engine_device_take(&d), 1);
	cr_expect_eq(engine_device_take(&d), 0);
	engine_device_give_back(&d, 0);
	cr_expect_not(engine_device_leave_out(&d, 0), "another cell runs on it");
	engine_device_give_back(&d, 0);
	cr_expect(engine_device_leave_out(&d, 0));
	for (int i = 0; i < 3; i++)
		cr_expect_eq(engine_device_take(&d), 1);
	for (int i = 0; i < 4; i++)
		engine_device_give_back(&d, 1);
	cr_expect_not(engine_device_leave_out(&d, 1), "the last");
	cr_expect_eq(engine_device_take(&d), 1);
}
