/* cmd-data.c - `ablate data list|check`: which data sets there are, where they were found, and whether they are whole. */
#include "cmd.h"

#include "model/base/mem.h"
#include "model/data/dataset.h"
#include "model/data/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *describe(const struct data_shape *s, bool check, int *bad)
{
	SCOPED(free) char *folder = dataset_folder(s->name);
	json_t *row = json_pack("{s:s, s:[i,i,i], s:i, s:s, s:s, s:s?}", "name", s->name, "shape", s->h, s->w, s->c, "classes", s->classes, "origin", s->origin,
	                        "licence", s->licence, "found", folder);
	static const char *const splits[] = { "train", "test" };
	for (int split = 0; check && split < 2; split++) {
		struct dataset d;
		struct err e = ERR_INIT;
		if (dataset_open(&d, s->name, (enum data_split)split, &e)) {
			(void)json_object_set_new(row, splits[split], json_pack("{s:s}", "error", e.msg));
			*bad += 1;
			continue;
		}
		(void)json_object_set_new(row, splits[split], json_pack("{s:I, s:s}", "images", (json_int_t)d.n, "sha256", d.sha256));
		dataset_release(&d);
	}
	return row;
}

static void print_row(json_t *row)
{
	static const char *const splits[] = { "train", "test" };
	json_t *shape = json_object_get(row, "shape");
	const char *found = json_string_value(json_object_get(row, "found"));
	printf("%-14s %lldx%lldx%lld  %s\n", json_string_value(json_object_get(row, "name")), json_integer_value(json_array_get(shape, 0)),
	       json_integer_value(json_array_get(shape, 1)), json_integer_value(json_array_get(shape, 2)), found ? found : "not found");
	printf("%-14s from %s; licence: %s\n", "", json_string_value(json_object_get(row, "origin")), json_string_value(json_object_get(row, "licence")));
	for (int i = 0; i < 2; i++) {
		json_t *split = json_object_get(row, splits[i]);
		const char *error = json_string_value(json_object_get(split, "error"));
		if (error)
			printf("%-14s %s: %s\n", "", splits[i], error);
		else if (split)
			printf("%-14s %s: %lld images, sha256 %s\n", "", splits[i], json_integer_value(json_object_get(split, "images")),
			       json_string_value(json_object_get(split, "sha256")));
	}
}

static int run(struct cli *c)
{
	int n, bad = 0;
	const struct data_shape *shapes = data_shapes(&n);
	bool check = strcmp(c->args[0], "check") == 0;
	json_t *rows = json_array();
	for (int i = 0; i < n; i++) {
		if (c->n_args > 1 && strcmp(c->args[1], shapes[i].name) != 0)
			continue;
		json_t *row = describe(&shapes[i], check, &bad);
		if (!c->json)
			print_row(row);
		(void)json_array_append_new(rows, row);
	}
	if (json_array_size(rows) == 0) {
		struct data_shape unused;
		struct err e = ERR_INIT;
		json_decref(rows);
		return data_shape_find(&unused, c->args[1], &e) ? cli_fail(c, &e) : EXIT_OK;
	}
	int code = bad ? EXIT_INCOMPLETE : EXIT_OK;
	if (c->json)
		(void)cli_print_json(c, json_pack("{s:o}", "data", rows));
	else
		json_decref(rows);
	return code;
}

const struct cmd cmd_data = {
	.name = "data",
	.args = "list|check [NAME]",
	.summary = "show data sets: where they come from, where they were found, whether they are whole",
	.help = "A set is looked for in $ABLATE_DATA/NAME, in the user's cache (data/NAME) and where the distribution's package puts it. "
	        "Nothing is downloaded. `check` reads every image and prints the SHA-256 of the decoded content, which is part of "
	        "every cell's identity.",
	.run = run,
};
