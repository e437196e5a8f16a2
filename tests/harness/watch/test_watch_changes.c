/* test_watch_changes.c - lines about cells: each change once, nothing twice. */
#include "harness/watch/watch_changes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define NOW "2026-12-01T10:20:30.123Z"

static struct watch_cell cells[3];
static struct watch w;

static void begin(void)
{
	for (int i = 0; i < 3; i++)
		cells[i] = (struct watch_cell){ .cell = i == 0   ? "cc"
			                                    : i == 1 ? "aa"
			                                             : "bb",
			                            .label = i == 0   ? "c"
			                                     : i == 1 ? "a"
			                                              : "b",
			                            .attempt = "",
			                            .reason = "",
			                            .ended = "",
			                            .state = RECORD_PENDING,
			                            .seed = i,
			                            .steps = 100,
			                            .rate = NAN,
			                            .eta_s = NAN,
			                            .seconds = NAN,
			                            .loss = NAN };
	w = (struct watch){ .title = "small", .cells = cells, .n = 3, .waiting = 3, .eta_s = NAN, .picture = "" };
}

static void is(struct watch_told *told, const char *want)
{
	struct str s = { 0 };
	watch_changes_text(&s, told, &w, NOW);
	cr_assert_str_eq(str_text(&s), want);
	str_release(&s);
}

Test(watch_changes, a_line_for_each_change)
{
	struct watch_told told = { 0 };
	begin();
	is(&told, "2026-12-01T10:20:30Z small: 3 cells: 3 to come\n");
	is(&told, "");
	cells[1].state = RECORD_RUNNING;
	cells[1].attempt = "x";
	is(&told, "2026-12-01T10:20:30Z running  aa a seed 1: step 0 of 100\n");
	cells[1].step = 9;
	is(&told, "");
	cells[1].step = 10;
	cells[1].rate = 2;
	cells[1].eta_s = 45;
	cells[1].loss = 0.5;
	is(&told, "2026-12-01T10:20:30Z running  aa a seed 1: step 10 of 100, 2 steps/s, 45s left, loss 0.5\n");
	const struct watch_cell first = cells[0]; /* another order is no change */
	cells[0] = cells[1];
	cells[1] = first;
	is(&told, "");
	cells[0].state = RECORD_DIVERGED;
	cells[0].reason = "loss is not finite";
	is(&told, "2026-12-01T10:20:30Z diverged aa a seed 1: loss is not finite\n");
	cells[0].attempt = "y"; /* tried again, with the same end */
	is(&told, "2026-12-01T10:20:30Z diverged aa a seed 1: loss is not finite\n");
	watch_told_release(&told);
}

Test(watch_changes, objects_of_the_cells_that_changed)
{
	struct watch_told told = { 0 };
	begin();
	json_t *list = watch_changes_json(&told, &w);
	cr_assert_eq(json_array_size(list), 3);
	cr_assert_null(json_object_get(json_array_get(list, 0), "rate"));
	json_decref(list);
	list = watch_changes_json(&told, &w);
	cr_assert_eq(json_array_size(list), 0);
	json_decref(list);
	cells[2].state = RECORD_RUNNING;
	cells[2].step = 1;
	cells[2].rate = 0.5;
	list = watch_changes_json(&told, &w);
	cr_assert_eq(json_array_size(list), 1);
	const json_t *o = json_array_get(list, 0);
	cr_assert_str_eq(json_string_value(json_object_get(o, "state")), "running");
	cr_assert_eq(json_integer_value(json_object_get(o, "step")), 1);
	cr_assert_eq(json_real_value(json_object_get(o, "rate")), 0.5);
	json_decref(list);
	watch_told_release(&told);
}
