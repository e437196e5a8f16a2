/* completion_fish.c - the script for fish. */
#include "harness/commands/completion.h"

static void source_of(struct str *s, const struct cmd *cmd, const char *arg)
{
	struct cmd_word word;
	const char *at = arg;
	if (!cmd_next_word(&word, &at))
		return;
	struct completion is;
	completion_of(&is, cmd, &word);
	str_add(s, is.files ? " -F" : " -f");
	if (is.choices) {
		str_add(s, " -a '");
		completion_choices(s, is.choices, ' ');
		str_addc(s, '\'');
	}
	if (is.kind)
		str_addf(s, " -a '(__ablate_words %s)'", is.kind);
}

static void add_options(struct str *s, const struct cmd *cmd, const struct opt *o)
{
	for (; o && o->name; o++) {
		str_add(s, "complete -c ablate");
		if (cmd)
			str_addf(s, " -n '__fish_seen_subcommand_from %s'", cmd->name);
		str_addf(s, " -l %s", o->name);
		if (o->letter)
			str_addf(s, " -s %c", o->letter);
		str_add(s, " -d '");
		completion_quoted(s, o->help, "\\'", "\\");
		str_add(s, "'");
		if (o->kind != OPT_FLAG) {
			str_add(s, " -r");
			source_of(s, cmd, o->arg);
		}
		str_addc(s, '\n');
	}
}

void completion_fish(struct str *out, const struct cmds *all)
{
	int n = all->n;
	const struct cmd_row *r = all->rows;
	str_add(out, "# fish completion for ablate; install as ~/.config/fish/completions/ablate.fish\n"
	             "function __ablate_words\n"
	             "\tset -l words (commandline -opc)\n"
	             "\tset -l typed (string replace -r -- '^--[a-z-]+=' '' (commandline -ct))\n"
	             "\tset -l db\n"
	             "\tif set -l at (contains -i -- --db $words)\n\t\tset db --db $words[(math $at + 1)]\n\tend\n"
	             "\t$words[1] $db completion words $argv[1] -- $typed 2>/dev/null\n"
	             "end\n"
	             "complete -c ablate -f\n");
	add_options(out, NULL, cmd_global_options);
	for (int i = 0; i < n; i++) {
		struct cmd_word word;
		const char *at = r[i].cmd->args, *before = at;
		if (r[i].cmd->hidden)
			continue;
		str_addf(out, "complete -c ablate -n __fish_use_subcommand -f -a %s -d '", r[i].cmd->name);
		completion_quoted(out, r[i].cmd->summary, "\\'", "\\");
		str_add(out, "'\n");
		add_options(out, r[i].cmd, r[i].cmd->options);
		for (; cmd_next_word(&word, &at); before = at) {
			str_addf(out, "complete -c ablate -n '__fish_seen_subcommand_from %s'", r[i].cmd->name);
			source_of(out, r[i].cmd, before);
			str_addc(out, '\n');
		}
	}
}
