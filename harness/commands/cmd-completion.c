/* cmd-completion.c - `ablate completion`: scripts for bash, zsh and fish, made from the command tables, and the words
 * that they ask for. */
#include "harness/cli/cmd.h"
#include "harness/commands/completion.h"
#include "harness/commands/words.h"

#include <stdio.h>
#include <string.h>

static int print_words(const struct cli *c)
{
	SCOPED(words) struct words w = { 0 };
	SCOPED(str) struct str kinds = { 0 };
	if (c->n_args < 2)
		return cli_usage(c, "completion words: KIND is missing");
	if (!words_of(&w, c, c->args[1], c->n_args > 2 ? c->args[2] : "")) {
		words_kinds(&kinds);
		return cli_usage(c, "no words of kind '%s': it must be one of %s", c->args[1], str_text(&kinds));
	}
	for (int i = 0; i < w.n; i++)
		printf("%s\n", w.v[i]);
	return EXIT_OK;
}

static int run(struct cli *c)
{
	static const struct {
		const char *shell;
		void (*write)(struct str *s, const struct cmds *all);
	} shells[] = {
		{ "bash", completion_bash },
		{ "zsh", completion_zsh },
		{ "fish", completion_fish },
	};
	SCOPED(str) struct str s = { 0 };
	if (strcmp(c->args[0], "words") == 0)
		return print_words(c);
	if (c->n_args > 1)
		return cli_usage(c, "completion %s takes no further argument", c->args[0]);
	for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
		if (strcmp(shells[i].shell, c->args[0]) == 0)
			shells[i].write(&s, c->all);
	(void)fwrite(str_text(&s), 1, s.len, stdout);
	return EXIT_OK;
}

const struct cmd cmd_completion = {
	.name = "completion",
	.args = "bash|zsh|fish|words [KIND] [WORD]",
	.summary = "print a completion script for a shell",
	.help =
		"Source the script, or install it where its first lines say:\n\n"
		"    source <(ablate completion bash)      also zsh\n"
		"    ablate completion fish | source\n\n"
		"Commands, options, settings and their values, studies, presets, data sets, weights, devices, and what is in "
		"the database (labels, cells, attempts, metrics, grids) are completed. `ablate completion words KIND [WORD]` "
		"is what the scripts call: the words of a kind, one per line; of \"settings\", the values of KEY where WORD is "
		"\"KEY=\".",
	.run = run,
};
