/* cmd-prune.c - `ablate prune`: what of the run folder can go, what that frees, and its removal. */
#include "harness/cli/cmd.h"
#include "harness/record/prune.h"

#include "model/base/disk.h"
#include "model/base/str.h"

#include <stdio.h>
#include <string.h>

#define PRUNE_KINDS "superseded|stale|final|samples|pictures|logs|refs|backups"

static const struct opt options[] = {
	{ .name = "yes", .kind = OPT_FLAG, .help = "remove, instead of only saying what would be removed" },
	{ .name = "all",
	  .kind = OPT_FLAG,
	  .help = "every kind, and checkpoints too that cells which are not done would go on from" },
	{ .name = "cell", .kind = OPT_STRING, .arg = "CELL", .help = "only files of the cell whose hash begins so" },
	{ 0 },
};

/* What is asked for. */
struct wish {
	bool kinds[N_PRUNE_KINDS];
	const char *cell;
	bool needed;
};

static struct wish wish_of(const struct cli *c)
{
	struct wish w = { .cell = cli_string(c, "cell", NULL), .needed = cli_flag(c, "all") };
	for (int k = 0; k < N_PRUNE_KINDS; k++) {
		w.kinds[k] = w.needed || (!c->n_args && prune_kinds[k].usual);
		for (int i = 0; i < c->n_args; i++)
			w.kinds[k] = w.kinds[k] || strcmp(c->args[i], prune_kinds[k].name) == 0;
	}
	return w;
}

struct sum {
	int files;
	int64_t frees;
};

static struct sum sum_of(const struct prune_list *list)
{
	struct sum s = { 0 };
	for (int i = 0; i < list->n; i++)
		if (list->v[i].chosen) {
			s.files += !list->v[i].folder;
			s.frees += list->v[i].frees;
		}
	return s;
}

/* What one kind alone would free. */
static struct sum sum_of_kind(struct prune_list *list, enum prune_kind kind, const struct wish *w)
{
	bool only[N_PRUNE_KINDS] = { false };
	only[kind] = true;
	prune_choose(list, only, w->cell, w->needed);
	return sum_of(list);
}

static int count_needed(const struct prune_list *list, const struct wish *w)
{
	int n = 0;
	for (int i = 0; i < list->n; i++)
		n += list->v[i].needed && !list->v[i].chosen && w->kinds[list->v[i].kind];
	return n;
}

static json_t *file_json(const struct prune_file *f)
{
	json_t *o = json_pack("{s:s, s:s, s:I, s:I}", "kind", prune_kinds[f->kind].name, "path", f->path, "bytes",
	                      (json_int_t)f->size, "frees", (json_int_t)f->frees);
	if (*f->attempt) {
		(void)json_object_set_new(o, "cell", json_string(f->cell));
		(void)json_object_set_new(o, "attempt", json_string(f->attempt));
	}
	return o;
}

static int show_json(struct cli *c, struct prune_list *list, const struct wish *w, bool removed)
{
	json_t *kinds = json_array(), *files = json_array();
	for (int k = 0; k < N_PRUNE_KINDS; k++) {
		struct sum s = sum_of_kind(list, (enum prune_kind)k, w);
		(void)json_array_append_new(kinds, json_pack("{s:s, s:b, s:i, s:I}", "kind", prune_kinds[k].name, "chosen",
		                                             (int)w->kinds[k], "files", s.files, "frees", (json_int_t)s.frees));
	}
	prune_choose(list, w->kinds, w->cell, w->needed);
	for (int i = 0; i < list->n; i++)
		if (list->v[i].chosen && !list->v[i].folder)
			(void)json_array_append_new(files, file_json(&list->v[i]));
	return cli_print_json(c, json_pack("{s:s, s:b, s:I, s:i, s:o, s:o}", "db", c->db, "removed", (int)removed, "frees",
	                                   (json_int_t)sum_of(list).frees, "kept", count_needed(list, w), "kinds", kinds,
	                                   "files", files));
}

static void show_text(const struct cli *c, struct prune_list *list, const struct wish *w)
{
	char bytes[24];
	printf("%-12s%8s%12s\n", "kind", "files", "frees");
	for (int k = 0; k < N_PRUNE_KINDS; k++) {
		struct sum s = sum_of_kind(list, (enum prune_kind)k, w);
		printf("%-12s%8d%12s  %s\n", prune_kinds[k].name, s.files, disk_bytes_text(bytes, (double)s.frees),
		       prune_kinds[k].text);
	}
	prune_choose(list, w->kinds, w->cell, w->needed);
	struct sum s = sum_of(list);
	SCOPED(str) struct str names = { 0 };
	for (int k = 0; k < N_PRUNE_KINDS; k++)
		if (w->kinds[k])
			str_addf(&names, "%s%s", names.len ? ", " : "", prune_kinds[k].name);
	cli_say(c, "--yes removes %s: %d file%s, %s", str_text(&names), s.files, str_plural(s.files),
	        disk_bytes_text(bytes, (double)s.frees));
}

static void list_files(const struct cli *c, const struct prune_list *list)
{
	char bytes[24];
	for (int i = 0; i < list->n; i++)
		if (list->v[i].chosen && !list->v[i].folder)
			cli_verbose(c, "%-12s%10s  %s", prune_kinds[list->v[i].kind].name,
			            disk_bytes_text(bytes, (double)list->v[i].size), list->v[i].path);
}

static int run(struct cli *c)
{
	struct err e = ERR_INIT;
	const struct wish w = wish_of(c);
	bool remove = cli_flag(c, "yes");
	SCOPED(store) struct store s = STORE_INIT;
	struct prune_list list = { 0 };
	char bytes[24];
	if (!db_is_there(c->db)) /* to remove is to write, which would make one */
		return store_open(&s, c->db, STORE_READ, "ablate prune", &e) ? cli_fail(c, &e) : EXIT_OK;
	if (store_open(&s, c->db, remove ? STORE_RUN : STORE_READ, "ablate prune", &e) || prune_find(&list, &s, &e))
		return cli_fail(c, &e);
	prune_choose(&list, w.kinds, w.cell, w.needed);
	int code = EXIT_OK, needed = count_needed(&list, &w);
	struct sum sum = sum_of(&list);
	list_files(c, &list);
	if (remove && prune_remove(&list, &s, &e))
		code = cli_fail(c, &e);
	else if (c->json)
		code = show_json(c, &list, &w, remove);
	else if (remove)
		printf("removed %d file%s: %s free\n", sum.files, str_plural(sum.files),
		       disk_bytes_text(bytes, (double)sum.frees));
	else
		show_text(c, &list, &w);
	if (!code && needed)
		cli_say(c, "kept: %d checkpoint%s that other cells go on from; --all removes %s, too", needed,
		        str_plural(needed), needed == 1 ? "it" : "them");
	prune_release(&list);
	return code;
}

static const struct json_key json_keys[] = {
	JSON_KEY("db", "string", "the database"),
	JSON_KEY("removed", "boolean", "with --yes: the files are gone"),
	JSON_KEY("frees", "integer", "room that the files took, or take", .unit = "bytes"),
	JSON_KEY("kept", "integer", "checkpoints that other cells go on from"),
	JSON_KEY("kinds", "object[]", "each kind of file"),
	JSON_KEY("kinds[].kind", "string", "superseded, stale, final, samples, pictures, logs, refs or backups"),
	JSON_KEY("kinds[].chosen", "boolean", "it was asked for"),
	JSON_KEY("kinds[].files", "integer", "files of it that can go"),
	JSON_KEY("kinds[].frees", "integer", "room that they take", .unit = "bytes"),
	JSON_KEY("files", "object[]", "the files of the chosen kinds"),
	JSON_KEY("files[].kind", "string", "its kind"),
	JSON_KEY("files[].path", "string", "the file"),
	JSON_KEY("files[].bytes", "integer", "its size", .unit = "bytes"),
	JSON_KEY("files[].frees", "integer", "room that it takes: less where other names share it", .unit = "bytes"),
	JSON_KEY("files[].cell", "string", "the cell, by its hash", .absent = "of files that are no attempt's"),
	JSON_KEY("files[].attempt", "string", "the attempt", .absent = "of files that are no attempt's"),
	{ 0 },
};

static const struct json_form json[] = { JSON_FORM("", json_keys), { 0 } };

const struct cmd cmd_prune = {
	.name = "prune",
	.args = "[" PRUNE_KINDS "]...",
	.summary = "show which files beside the records can go, and remove them",
	.help =
		"Tables, figures, gates and reports need the database and the journals alone, of which nothing is removed. "
		"Without --yes this only says what each kind of file takes. Without a kind it is about superseded and stale "
		"files, which nobody misses:\n\n"
		"  superseded  checkpoints that a later one has replaced\n"
		"  stale       what processes that are gone left half-written\n"
		"  final       the last checkpoint of finished cells: `ablate sample` needs\n"
		"              it, and so do scores that are asked for later; without it\n"
		"              the cell is trained again\n"
		"  samples     generated images as arrays, for scores asked for later\n"
		"  pictures    pictures of samples, which reports show\n"
		"  logs        output of workers\n"
		"  refs        features of references, made again when they are needed\n"
		"  backups     databases as they were before they were brought up to date or\n"
		"              rebuilt\n\n"
		"A checkpoint that a cell which is not done goes on from stays, unless --all says otherwise. What is removed "
		"is recorded first, so that whoever misses a file is told when it was pruned and what makes it again. -v "
		"names the files. With --yes nobody else may be running on the database (exit 5).",
	.options = options,
	.json = json,
	.run = run,
};
