/* cmd-data.c - `ablate data`: which data sets there are, where they were found, and whether they are whole; import
 * them. */
#define _GNU_SOURCE
#include "harness/cli/cmd.h"
#include "harness/text/json_out.h"

#include "harness/import/data_import.h"
#include "harness/plan/plan_needs.h"
#include "model/base/fetch.h"

#include "model/base/mem.h"
#include "model/base/str.h"
#include "model/data/dataset.h"
#include "model/data/shapes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *describe(const struct data_shape *s, bool check, int *bad)
{
	SCOPED(free) char *folder = dataset_folder(s->name);
	json_t *row = json_pack("{s:s, s:[i,i,i], s:i, s:s, s:s, s:s?}", "name", s->name, "shape", s->h, s->w, s->c,
	                        "classes", s->classes, "origin", s->origin, "licence", s->licence, "found", folder);
	char *get[2] = { NULL };
	json_t *commands = json_array();
	for (int i = 0, n = folder ? 0 : needs_data_commands(get, s); i < n; i++, free(get[i - 1]))
		(void)json_array_append_new(commands, json_out_text(get[i]));
	if (!folder)
		(void)json_object_set(row, "get", commands);
	json_decref(commands);
	static const char *const splits[] = { "train", "test" };
	for (int split = 0; check && split < 2; split++) {
		struct dataset d;
		struct err e = ERR_INIT;
		if (dataset_check(&d, s->name, (enum data_split)split, &e)) {
			(void)json_object_set_new(row, splits[split], json_pack("{s:s}", "error", e.msg));
			*bad += 1;
			continue;
		}
		(void)json_object_set_new(row, splits[split],
		                          json_pack("{s:I, s:s}", "images", (json_int_t)d.n, "sha256", d.sha256));
		dataset_release(&d);
	}
	return row;
}

static void print_row(json_t *row)
{
	static const char *const splits[] = { "train", "test" };
	json_t *shape = json_object_get(row, "shape");
	const char *found = json_string_value(json_object_get(row, "found"));
	const json_t *command;
	size_t i_get;
	printf("%-14s %lldx%lldx%lld  %s\n", json_string_value(json_object_get(row, "name")),
	       json_integer_value(json_array_get(shape, 0)), json_integer_value(json_array_get(shape, 1)),
	       json_integer_value(json_array_get(shape, 2)), found ? found : "not found");
	printf("%-14s from %s; licence: %s\n", "", json_string_value(json_object_get(row, "origin")),
	       json_string_value(json_object_get(row, "licence")));
	json_array_foreach(json_object_get(row, "get"), i_get, command)
		printf("%-14s %s%s\n", "", i_get ? "or: " : "get it: ", json_string_value(command));
	for (int i = 0; i < 2; i++) {
		json_t *split = json_object_get(row, splits[i]);
		const char *error = json_string_value(json_object_get(split, "error"));
		if (error)
			printf("%-14s %s: %s\n", "", splits[i], error);
		else if (split)
			printf("%-14s %s: %lld image%s, sha256 %s\n", "", splits[i],
			       json_integer_value(json_object_get(split, "images")),
			       str_plural(json_integer_value(json_object_get(split, "images"))),
			       json_string_value(json_object_get(split, "sha256")));
	}
}

static int add_row(struct cli *c, json_t *rows, const struct data_shape *shape, bool check, int *bad)
{
	json_t *row = describe(shape, check, bad);
	if (!c->json)
		print_row(row);
	return json_array_append_new(rows, row);
}

/* Sets of the user's own, in order of name. */
static void add_imported(struct cli *c, json_t *rows, const char *only, bool check, int *bad)
{
	SCOPED(free) char *cache = io_cache_dir();
	SCOPED(free) char *folder = xstrfmt("%s/data", cache);
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort), n_known;
	const struct data_shape *known = data_shapes(&n_known);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		bool shown = only && strcmp(only, name) != 0;
		for (int k = 0; k < n_known; k++)
			shown |= strcmp(known[k].name, name) == 0;
		struct data_shape shape;
		if (!shown && !data_shape_find(&shape, name, NULL)) {
			shape.name = name;
			(void)add_row(c, rows, &shape, check, bad);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static int show(struct cli *c)
{
	int n, bad = 0;
	const struct data_shape *shapes = data_shapes(&n);
	const char *only = c->n_args > 1 ? c->args[1] : NULL;
	bool check = strcmp(c->args[0], "check") == 0;
	if (c->n_args > 2)
		return cli_usage(c, "data %s takes one name at most", c->args[0]);
	json_t *rows = json_array();
	for (int i = 0; i < n; i++)
		if (!only || strcmp(only, shapes[i].name) == 0)
			(void)add_row(c, rows, &shapes[i], check, &bad);
	add_imported(c, rows, only, check, &bad);
	if (json_array_size(rows) == 0) {
		struct data_shape unused;
		struct err e = ERR_INIT;
		json_decref(rows);
		return data_shape_find(&unused, only, &e) ? cli_fail(c, &e) : EXIT_OK;
	}
	int code = bad ? EXIT_INCOMPLETE : EXIT_OK;
	if (c->json)
		(void)cli_print_json(c, json_pack("{s:o}", "data", rows));
	else
		json_decref(rows);
	return code;
}

/* ---- import, fetch --------------------------------------------------------------------------- */

static int label_rule_of(const char *text)
{
	static const char *const names[] = { "auto", "folder", "json", "prefix", "none" };
	int i = 0;
	while (strcmp(names[i], text) != 0) /* the option's table has checked that it is one of them */
		i++;
	return i;
}

static void warn_of_number(struct cli *c, const char *name, const struct imported *done)
{
	int n;
	const struct data_shape *rows = data_shapes(&n);
	for (int i = 0; i < n; i++)
		for (int s = 0; s < 2; s++) {
			int expected = s == SPLIT_TRAIN ? rows[i].n_train : rows[i].n_test;
			if (strcmp(rows[i].name, name) == 0 && done[s].found && expected && done[s].ref.n != expected)
				cli_warn(c, "%s: %lld %s images, the published set has %d: scores carry its own hash", name,
				         (long long)done[s].ref.n, s == SPLIT_TRAIN ? "training" : "test", expected);
		}
}

static int import(struct cli *c, const char *name, const char *source)
{
	struct err e = ERR_INIT;
	struct imported done[2];
	SCOPED(str) struct str notes = { 0 };
	const char *split = cli_string(c, "split", NULL);
	struct import_options o = { .only_split = split != NULL,
		                        .split = split && strcmp(split, "test") == 0 ? SPLIT_TEST : SPLIT_TRAIN,
		                        .side = (int)cli_int(c, "size", 0),
		                        .rule = (enum label_rule)label_rule_of(cli_string(c, "labels", "auto")),
		                        .quiet = c->quiet,
		                        .notes = &notes };
	int failed = data_import(done, name, source, &o, &e);
	cli_warn_lines(c, str_text(&notes));
	if (failed)
		return cli_fail(c, &e);
	warn_of_number(c, name, done);
	json_t *sets = json_object();
	for (int s = 0; s < 2; s++) {
		if (!done[s].found)
			continue;
		const struct set_ref *r = &done[s].ref;
		SCOPED(free) char *path = set_path(r->sha256);
		const char *text = s == SPLIT_TRAIN ? "train" : "test";
		if (!c->json)
			printf("%s %s: %lld image%s of %dx%dx%d in %d class%s, sha256 %s\n", name, text, (long long)r->n,
			       str_plural(r->n), r->h, r->w, r->c, r->classes, r->classes == 1 ? "" : "es", r->sha256);
		(void)json_object_set_new(sets, text,
		                          json_pack("{s:I, s:[i,i,i], s:i, s:s, s:s, s:I}", "images", (json_int_t)r->n, "shape",
		                                    r->h, r->w, r->c, "classes", r->classes, "sha256", r->sha256, "path", path,
		                                    "resumed_from", (json_int_t)done[s].resumed_from));
	}
	if (c->json)
		return cli_print_json(c, json_pack("{s:s, s:o}", "name", name, "imported", sets));
	json_decref(sets);
	return EXIT_OK;
}

static int check_archive(const char *path, const struct data_shape *shape, struct err *e)
{
	char sha256[SHA256_HEX];
	if (io_sha256_file(sha256, path, e))
		return -1;
	if (strcmp(sha256, shape->sha256) != 0)
		return err_set(e, "%s: its SHA-256 is %s, the published file's is %s; nothing was kept", shape->url, sha256,
		               shape->sha256);
	return 0;
}

struct fetched {
	struct cli *c;
	const char *name;
	const struct data_shape *shape;
	int code; /* of the import, which says by itself what went wrong */
};

static int take(void *ctx, const char *file, struct err *e)
{
	struct fetched *f = ctx;
	if (check_archive(file, f->shape, e))
		return -1;
	f->code = import(f->c, f->name, file);
	return 0;
}

static int fetch(struct cli *c, const char *name)
{
	struct err e = ERR_INIT;
	struct data_shape shape;
	if (data_shape_find(&shape, name, &e))
		return cli_fail(c, &e);
	if (!shape.url) {
		(void)err_set(&e, "%s cannot be fetched (%s): get it yourself, then `ablate data import %s SOURCE`", name,
		              shape.origin, name);
		return cli_fail(c, &e);
	}
	SCOPED(free) char *cache = io_cache_dir();
	SCOPED(free) char *folder = xstrfmt("%s/data", cache);
	struct fetched f = { c, name, &shape, EXIT_OK };
	return fetch_https(shape.url, folder, c->quiet, take, &f, &e) ? cli_fail(c, &e) : f.code;
}

static int run(struct cli *c)
{
	const char *verb = c->args[0];
	if (strcmp(verb, "import") == 0)
		return c->n_args == 3 ? import(c, c->args[1], c->args[2]) : cli_usage(c, "data import needs NAME and SOURCE");
	if (strcmp(verb, "fetch") == 0)
		return c->n_args == 2 ? fetch(c, c->args[1]) : cli_usage(c, "data fetch needs NAME");
	return show(c);
}

static const struct opt options[] = {
	{ .name = "split",
	  .kind = OPT_STRING,
	  .arg = "train|test",
	  .help = "import only this split (default: all that the source holds)" },
	{ .name = "size",
	  .kind = OPT_INT,
	  .arg = "N",
	  .min = 2,
	  .max = 4096,
	  .help = "crop and resize to squares of N pixels (default: the known size of the set, or that of its pictures)" },
	{ .name = "labels",
	  .kind = OPT_STRING,
	  .arg = LABEL_CHOICES,
	  .help = "where pictures' class labels are: dataset.json, folder names, file names up to _ (default auto)" },
	{ 0 },
};

static const struct json_key list_keys[] = {
	JSON_KEY("data", "object[]", "the data sets"),
	JSON_KEY("data[].name", "string", "its name"),
	JSON_KEY("data[].shape", "integer[]", "height, width and channels"),
	JSON_KEY("data[].classes", "integer", "classes; 0 without labels"),
	JSON_KEY("data[].origin", "string", "where it comes from"),
	JSON_KEY("data[].licence", "string", "its licence"),
	JSON_KEY("data[].found", "string?", "where it is; null where it is not found"),
	JSON_KEY("data[].get", "string[]", "commands that bring it, of which one is enough", .absent = "where it is found"),
	JSON_KEY("data[].train", "object", "the train split", .absent = "of list"),
	JSON_KEY("data[].train.images", "integer", "its images", .unit = "images", .absent = "where it cannot be read"),
	JSON_KEY("data[].train.sha256", "string", "of its content", .absent = "where it cannot be read"),
	JSON_KEY("data[].train.error", "string", "why it cannot be read", .absent = "where it can"),
	JSON_KEY("data[].test", "object", "the test split", .absent = "of list"),
	JSON_KEY("data[].test.images", "integer", "its images", .unit = "images", .absent = "where it cannot be read"),
	JSON_KEY("data[].test.sha256", "string", "of its content", .absent = "where it cannot be read"),
	JSON_KEY("data[].test.error", "string", "why it cannot be read", .absent = "where it can"),
	{ 0 },
};

static const struct json_key import_keys[] = {
	JSON_KEY("name", "string", "the data set"),
	JSON_KEY("imported", "object", "what was imported"),
	JSON_KEY("imported.train", "object", "the train split", .absent = "where the source does not hold it"),
	JSON_KEY("imported.train.images", "integer", "its images", .unit = "images"),
	JSON_KEY("imported.train.shape", "integer[]", "height, width and channels"),
	JSON_KEY("imported.train.classes", "integer", "classes; 0 without labels"),
	JSON_KEY("imported.train.sha256", "string", "of its content"),
	JSON_KEY("imported.train.path", "string", "where it is now"),
	JSON_KEY("imported.train.resumed_from", "integer", "images that an import which was interrupted had taken",
	         .unit = "images"),
	JSON_KEY("imported.test", "object", "the test split", .absent = "where the source does not hold it"),
	JSON_KEY("imported.test.images", "integer", "its images", .unit = "images"),
	JSON_KEY("imported.test.shape", "integer[]", "height, width and channels"),
	JSON_KEY("imported.test.classes", "integer", "classes; 0 without labels"),
	JSON_KEY("imported.test.sha256", "string", "of its content"),
	JSON_KEY("imported.test.path", "string", "where it is now"),
	JSON_KEY("imported.test.resumed_from", "integer", "images that an import which was interrupted had taken",
	         .unit = "images"),
	{ 0 },
};

static const struct json_form json[] = {
	JSON_FORM("of list and check", list_keys),
	JSON_FORM("of import and fetch", import_keys),
	{ 0 },
};

const struct cmd cmd_data = {
	.name = "data",
	.args = "list|check|import|fetch [NAME] [SOURCE]",
	.summary = "data sets: where they come from, where they are, whether they are complete; import, fetch",
	.help =
		"A set is looked for in $ABLATE_DATA/NAME, among what was imported, in the user's cache (data/NAME) and where "
		"the distribution's package puts it. `check` reads every image and prints the SHA-256 of the decoded content, "
		"which is part of every cell's identity.\n\n"
		"`import NAME SOURCE` reads a folder, zip or tar of pictures (labels from EDM's dataset.json or from "
		"folders; train/ and test/ at the top are the splits), an LMDB database of them (without labels), the "
		"batches of downsampled ImageNet (.npz, or its Python version), an HDF5 file of imgs and labels as BigGAN- "
		"PyTorch has it, CIFAR-10's folder or .tar.gz (binary or Python version), or IDX (a file or the folder). "
		"Pictures of another size are cut and resized as guided-diffusion does. The result is in the cache under the "
		"hash of its content and is mapped from there; an import that was interrupted continues where it was when it "
		"is run again. A NAME that `list` does not know creates a data set of your own.\n\n"
		"`fetch NAME` downloads the published archive over https, compares its SHA-256, and imports it. Nothing is "
		"ever downloaded by any other command.",
	.options = options,
	.json = json,
	.run = run,
};
