/* completion.c - what the writers for the shells share; see completion.h. */
#include "harness/commands/completion.h"

#include <string.h>

/* What a placeholder in `args` or `arg` means. A command's own row counts before one of all commands. */
static const struct placeholder {
	const char *cmd, *text;
	struct completion is;
} placeholders[] = {
	{ NULL, "KEY", { .kind = "keys" } },
	{ NULL, "KEY=VALUE", { .kind = "settings" } },
	{ NULL, "COMMAND", { .kind = "commands" } },
	{ NULL, "GRID", { .kind = "grids", .files = true } },
	{ NULL, "GRID.toml", { .kind = "studies", .files = true } },
	{ NULL, "GRID.toml|PRESET", { .kind = "configs", .files = true } },
	{ NULL, "CELL", { .kind = "cells" } },
	{ NULL, "ATTEMPT", { .kind = "attempts" } },
	{ NULL, "CELL|ATTEMPT", { .kind = "cells" } },
	{ NULL, "ATTEMPT|CELL", { .kind = "cells" } },
	{ NULL, "ATTEMPT|CELL|GRID", { .kind = "cells" } },
	{ NULL, "LABEL", { .kind = "labels" } },
	{ NULL, "NAME@STEPS", { .kind = "metrics" } },
	{ NULL, "METRIC", { .kind = "metrics" } },
	{ NULL, "D", { .kind = "devices" } },
	{ NULL, "DATA", { .kind = "data" } },
	{ "weights", "NAME", { .kind = "weights" } },
	{ "data", "NAME", { .kind = "data" } },
	{ "stats", "NAME", { .kind = "stats" } },
	{ "completion", "KIND", { 0 } },
	{ "completion", "WORD", { 0 } },
	{ NULL, "NAME", { 0 } },
	{ NULL, "N", { 0 } },
	{ NULL, "TEXT", { 0 } },
};

void completion_of(struct completion *out, const struct cmd *cmd, const struct cmd_word *word)
{
	*out = (struct completion){ .choices = word->choice ? word->text : NULL, .files = !word->choice };
	for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders && !word->choice; i++) {
		const struct placeholder *p = &placeholders[i];
		if (strcmp(p->text, word->text) != 0 || (p->cmd && (!cmd || strcmp(p->cmd, cmd->name) != 0)))
			continue;
		*out = p->is;
		return;
	}
}

void completion_choices(struct str *out, const char *choices, char between)
{
	for (; *choices; choices++)
		str_addc(out, *choices == '|' ? between : *choices);
}

void completion_quoted(struct str *out, const char *text, const char *quote, const char *special)
{
	for (; *text; text++) {
		if (*text == '\'')
			str_add(out, quote);
		else if (strchr(special, *text))
			str_addf(out, "\\%c", *text);
		else
			str_addc(out, *text);
	}
}
