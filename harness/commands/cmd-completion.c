/* cmd-completion.c - `ablate completion`: scripts for bash, zsh and fish, made from the command tables. Words that
 * come from knobs, presets or the database are asked of the program when TAB is pressed (`ablate completion words
 * KIND`). */
#include "harness/cli/cmd.h"

#include "harness/record/query.h"
#include "harness/record/query_show.h"
#include "model/base/mem.h"
#include "model/config/config.h"

#include <stdio.h>
#include <string.h>

/* ====== words ====== */

/* What a placeholder in `args` or `arg` means. */
static const struct placeholder {
	const char *text, *kind;
} placeholders[] = {
	{ "KEY", "keys" },           { "K=V", "settings" }, { "KEY=VALUE", "settings" }, { "COMMAND", "commands" },
	{ "PRESET", "presets" },     { "CELL", "cells" },   { "ATTEMPT", "attempts" },   { "CELL|ATTEMPT", "cells" },
	{ "ATTEMPT|CELL", "cells" }, { "LABEL", "labels" }, { "ARM", "labels" },
};

static const char *placeholder_kind(const char *text)
{
	for (size_t i = 0; i < sizeof placeholders / sizeof *placeholders; i++)
		if (strcmp(placeholders[i].text, text) == 0)
			return placeholders[i].kind;
	return NULL;
}

/* A completion that finds no database offers nothing; that is not a failure. */
static void print_recorded(const struct cli *c, const char *kind)
{
	SCOPED(db) struct db *db = NULL;
	struct db_rows rows;
	const char *word;
	struct err e = ERR_INIT;
	if (db_open(&db, c->db, DB_READ, &e) || query_words(&rows, db, kind, &e))
		return;
	while (query_text_next(&word, &rows))
		printf("%s\n", word);
	(void)!db_done(&rows, &e);
}

static int print_words(const struct cli *c, const char *kind)
{
	int n;
	if (strcmp(kind, "commands") == 0) {
		const struct cmd_row *r = c->all->rows;
		for (int i = 0; i < c->all->n; i++)
			if (!r[i].cmd->hidden)
				printf("%s\n", r[i].cmd->name);
		return EXIT_OK;
	}
	if (strcmp(kind, "keys") == 0 || strcmp(kind, "settings") == 0) {
		const struct knob *k = config_knobs(&n);
		for (int i = 0; i < n; i++)
			printf("%s%s\n", k[i].key, *kind == 's' ? "=" : "");
		return EXIT_OK;
	}
	if (strcmp(kind, "presets") == 0) {
		const struct preset *p = config_presets(&n);
		for (int i = 0; i < n; i++)
			printf("%s\n", p[i].name);
		return EXIT_OK;
	}
	if (query_knows_words(kind)) {
		print_recorded(c, kind);
		return EXIT_OK;
	}
	return cli_usage(
		c, "no words of kind '%s': it must be commands, keys, settings, presets, cells, attempts or labels", kind);
}

/* ====== scripts ====== */

static void spaced(struct str *s, const char *choices)
{
	for (; *choices; choices++)
		str_addc(s, *choices == '|' ? ' ' : *choices);
}

/* How bash fills in a word: a list, words from the program, or files. */
static void bash_source(struct str *s, const char *arg)
{
	struct cmd_word word;
	const char *at = arg;
	if (!arg || !cmd_next_word(&word, &at)) {
		str_add(s, "COMPREPLY=()");
	} else if (word.choice) {
		str_add(s, "_ablate_list \"");
		spaced(s, word.text);
		str_add(s, "\"");
	} else if (placeholder_kind(word.text)) {
		str_addf(s, "_ablate_list \"$(_ablate_words %s)\"", placeholder_kind(word.text));
	} else {
		str_add(s, "_ablate_files");
	}
}

static void bash_values(struct str *s, const char *cmd, const struct opt *o)
{
	for (; o && o->name; o++) {
		if (o->kind == OPT_FLAG)
			continue;
		str_addf(s, "\t%s:--%s", cmd, o->name);
		if (o->letter)
			str_addf(s, "|%s:-%c", cmd, o->letter);
		str_add(s, ") ");
		bash_source(s, o->arg);
		str_add(s, "; return ;;\n");
	}
}

static void bash_names(struct str *s, const struct opt *o)
{
	for (; o && o->name; o++)
		str_addf(s, " --%s", o->name);
}

/* The positions of a command's arguments; the last repeated word fills all positions after it. */
static void bash_places(struct str *s, const struct cmd *cmd)
{
	struct cmd_word word;
	const char *at = cmd->args, *before = at;
	for (int i = 1; cmd_next_word(&word, &at); i++, before = at) {
		str_addf(s, word.repeated ? "\t%s:*) " : "\t%s:%d) ", cmd->name, i);
		bash_source(s, before);
		str_add(s, " ;;\n");
	}
}

static void bash_script(struct str *s, const struct cmds *all)
{
	int n = all->n;
	const struct cmd_row *r = all->rows;
	str_add(s,
	        "# bash completion for ablate; install as /usr/share/bash-completion/completions/ablate\n"
	        "_ablate_list() { COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")); [[ ${COMPREPLY[0]} == *= ]] && compopt -o "
	        "nospace; }\n"
	        "_ablate_files() { compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); }\n"
	        "_ablate_words() { \"${COMP_WORDS[0]}\" ${db:+--db \"$db\"} completion words \"$1\" 2>/dev/null; }\n"
	        "_ablate() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= place=0 db= i w\n"
	        "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tw=${COMP_WORDS[i]}\n\t\tcase $w in\n"
	        "\t\t--db) db=${COMP_WORDS[i+1]}; ((i++)) ;;\n\t\t--color|--log) ((i++)) ;;\n\t\t-*) ;;\n"
	        "\t\t*) if [[ -z $cmd ]]; then cmd=$w; else ((place++)); fi ;;\n\t\tesac\n\tdone\n"
	        "\tif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n\tif [[ $cur == = ]]; then cur=; fi\n"
	        "\tcase $prev in\n");
	for (const struct opt *o = cmd_global_options; o->name; o++) {
		if (o->kind == OPT_FLAG)
			continue;
		str_addf(s, "\t--%s) ", o->name);
		bash_source(s, o->arg);
		str_add(s, "; return ;;\n");
	}
	str_add(s, "\tesac\n\tcase $cmd:$prev in\n");
	for (int i = 0; i < n; i++)
		bash_values(s, r[i].cmd->name, r[i].cmd->options);
	str_add(s, "\tesac\n\tif [[ $cur == -* ]]; then\n\t\tlocal names=\"");
	bash_names(s, cmd_global_options);
	str_add(s, "\"\n\t\tcase $cmd in\n");
	for (int i = 0; i < n; i++) {
		if (!r[i].cmd->options)
			continue;
		str_addf(s, "\t\t%s) names+=\"", r[i].cmd->name);
		bash_names(s, r[i].cmd->options);
		str_add(s, "\" ;;\n");
	}
	str_add(s,
	        "\t\tesac\n\t\t_ablate_list \"$names\"\n\t\treturn\n\tfi\n\tif [[ -z $cmd ]]; then\n\t\t_ablate_list \"");
	for (int i = 0; i < n; i++)
		if (!r[i].cmd->hidden)
			str_addf(s, "%s ", r[i].cmd->name);
	str_add(s, "\"\n\t\treturn\n\tfi\n\tcase $cmd:$((place + 1)) in\n");
	for (int i = 0; i < n; i++)
		if (!r[i].cmd->hidden)
			bash_places(s, r[i].cmd);
	str_add(s, "\tesac\n}\ncomplete -F _ablate ablate\n");
}

/* Inside 'single quotes' of zsh and fish, where : [ ] mean something to _arguments. */
static void quoted(struct str *s, const char *text, bool zsh)
{
	for (; *text; text++) {
		if (*text == '\'')
			str_add(s, zsh ? "'\\''" : "\\'");
		else if (zsh && strchr("[]:\\", *text))
			str_addf(s, "\\%c", *text);
		else if (!zsh && *text == '\\')
			str_add(s, "\\\\");
		else
			str_addc(s, *text);
	}
}

static void zsh_source(struct str *s, const char *arg)
{
	struct cmd_word word;
	const char *at = arg;
	if (!cmd_next_word(&word, &at))
		return;
	str_addc(s, ':');
	quoted(s, word.text, true);
	str_addc(s, ':');
	if (word.choice) {
		str_addc(s, '(');
		spaced(s, word.text);
		str_addc(s, ')');
	} else if (placeholder_kind(word.text)) {
		str_addf(s, "{_ablate_words %s}", placeholder_kind(word.text));
	} else {
		str_add(s, "_files");
	}
}

static void zsh_options(struct str *s, const struct opt *o)
{
	for (; o && o->name; o++) {
		for (int form = o->letter ? 0 : 1; form < 2; form++) {
			str_addf(s, " \\\n\t\t\t'%s", o->kind == OPT_STRINGS || o->kind == OPT_FLAG ? "*" : "");
			if (form == 0)
				str_addf(s, "-%c", o->letter);
			else
				str_addf(s, "--%s%s", o->name, o->kind == OPT_FLAG ? "" : "=");
			str_addc(s, '[');
			quoted(s, o->help, true);
			str_addc(s, ']');
			if (o->kind != OPT_FLAG)
				zsh_source(s, o->arg);
			str_addc(s, '\'');
		}
	}
}

static void zsh_script(struct str *s, const struct cmds *all)
{
	int n = all->n;
	const struct cmd_row *r = all->rows;
	str_add(s, "#compdef ablate\n# zsh completion for ablate; install as _ablate in a folder of $fpath\n"
	           "_ablate_words() { local -a w; w=(${(f)\"$(ablate completion words $1 2>/dev/null)\"}); compadd -a w }\n"
	           "_ablate() {\n\tlocal curcontext=$curcontext state line\n\t_arguments -C");
	zsh_options(s, cmd_global_options);
	str_add(s, " \\\n\t\t'1:command:->command' '*::argument:->argument'\n\tcase $state in\n\tcommand)\n\t\tlocal -a "
	           "commands\n\t\tcommands=(\n");
	for (int i = 0; i < n; i++) {
		if (r[i].cmd->hidden)
			continue;
		str_addf(s, "\t\t\t'%s:", r[i].cmd->name);
		quoted(s, r[i].cmd->summary, true);
		str_add(s, "'\n");
	}
	str_add(s, "\t\t)\n\t\t_describe command commands ;;\n\targument)\n\t\tcase $line[1] in\n");
	for (int i = 0; i < n; i++) {
		struct cmd_word word;
		const char *at = r[i].cmd->args, *before = at;
		if (r[i].cmd->hidden)
			continue;
		str_addf(s, "\t\t%s) _arguments", r[i].cmd->name);
		zsh_options(s, cmd_global_options);
		zsh_options(s, r[i].cmd->options);
		for (int place = 1; cmd_next_word(&word, &at); place++, before = at) {
			str_addf(s, " \\\n\t\t\t'%s", "");
			if (word.repeated)
				str_addc(s, '*');
			else
				str_addf(s, "%d%s", place, word.optional ? ":" : "");
			zsh_source(s, before);
			str_addc(s, '\'');
		}
		str_add(s, " ;;\n");
	}
	str_add(s, "\t\tesac ;;\n\tesac\n}\n_ablate \"$@\"\n");
}

static void fish_source(struct str *s, const char *arg)
{
	struct cmd_word word;
	const char *at = arg;
	if (!cmd_next_word(&word, &at))
		return;
	if (word.choice) {
		str_add(s, " -f -a '");
		spaced(s, word.text);
		str_add(s, "'");
	} else if (placeholder_kind(word.text)) {
		str_addf(s, " -f -a '(ablate completion words %s 2>/dev/null)'", placeholder_kind(word.text));
	} else {
		str_add(s, " -F");
	}
}

static void fish_options(struct str *s, const char *cmd, const struct opt *o)
{
	for (; o && o->name; o++) {
		str_add(s, "complete -c ablate");
		if (cmd)
			str_addf(s, " -n '__fish_seen_subcommand_from %s'", cmd);
		str_addf(s, " -l %s", o->name);
		if (o->letter)
			str_addf(s, " -s %c", o->letter);
		str_add(s, " -d '");
		quoted(s, o->help, false);
		str_add(s, "'");
		if (o->kind != OPT_FLAG) {
			str_add(s, " -r");
			fish_source(s, o->arg);
		}
		str_addc(s, '\n');
	}
}

static void fish_script(struct str *s, const struct cmds *all)
{
	int n = all->n;
	const struct cmd_row *r = all->rows;
	str_add(s, "# fish completion for ablate; install as ~/.config/fish/completions/ablate.fish\n");
	fish_options(s, NULL, cmd_global_options);
	for (int i = 0; i < n; i++) {
		struct cmd_word word;
		const char *at = r[i].cmd->args, *before = at;
		if (r[i].cmd->hidden)
			continue;
		str_addf(s, "complete -c ablate -n __fish_use_subcommand -f -a %s -d '", r[i].cmd->name);
		quoted(s, r[i].cmd->summary, false);
		str_add(s, "'\n");
		fish_options(s, r[i].cmd->name, r[i].cmd->options);
		for (; cmd_next_word(&word, &at); before = at) {
			str_addf(s, "complete -c ablate -n '__fish_seen_subcommand_from %s'", r[i].cmd->name);
			fish_source(s, before);
			str_addc(s, '\n');
		}
	}
}

static int run(struct cli *c)
{
	static const struct {
		const char *shell;
		void (*write)(struct str *s, const struct cmds *all);
	} shells[] = {
		{ "bash", bash_script },
		{ "zsh", zsh_script },
		{ "fish", fish_script },
	};
	SCOPED(str) struct str s = { 0 };
	if (strcmp(c->args[0], "words") == 0)
		return c->n_args < 2 ? cli_usage(c, "completion words: KIND is missing") : print_words(c, c->args[1]);
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
	.args = "bash|zsh|fish|words [KIND]",
	.summary = "print a completion script for a shell",
	.help =
		"Source the script, or install it where its first lines say:\n\n"
		"    source <(ablate completion bash)\n\n"
		"Commands, options, knobs, presets, labels, cells and attempts are completed. `ablate completion words KIND` "
		"is what the scripts call: it prints commands, keys, settings, presets, cells, attempts or labels, one per "
		"line.",
	.run = run,
};
