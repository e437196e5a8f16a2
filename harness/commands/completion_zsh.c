/* completion_zsh.c - the script for zsh: a file of $fpath, or to be sourced. */
#include "harness/commands/completion.h"

static void quoted(struct str *s, const char *text)
{
	completion_quoted(s, text, "'\\''", "[]:\\");
}

static void source_of(struct str *s, const struct cmd *cmd, const char *arg)
{
	struct cmd_word word;
	const char *at = arg;
	if (!cmd_next_word(&word, &at))
		return;
	struct completion is;
	completion_of(&is, cmd, &word);
	str_addc(s, ':');
	quoted(s, word.text);
	str_addc(s, ':');
	if (is.choices) {
		str_addc(s, '(');
		completion_choices(s, is.choices, ' ');
		str_addc(s, ')');
	} else if (is.kind && is.files) {
		str_addf(s, "{_ablate_words %s; _files}", is.kind);
	} else if (is.kind) {
		str_addf(s, "{_ablate_words %s}", is.kind);
	} else {
		str_add(s, is.files ? "_files" : " ");
	}
}

static void add_options(struct str *s, const struct cmd *cmd, const struct opt *o)
{
	for (; o && o->name; o++) {
		for (int form = o->letter ? 0 : 1; form < 2; form++) {
			str_addf(s, " \\\n\t\t\t'%s", o->kind == OPT_STRINGS || o->kind == OPT_FLAG ? "*" : "");
			if (form == 0)
				str_addf(s, "-%c", o->letter);
			else
				str_addf(s, "--%s%s", o->name, o->kind == OPT_FLAG ? "" : "=");
			str_addc(s, '[');
			quoted(s, o->help);
			str_addc(s, ']');
			if (o->kind != OPT_FLAG)
				source_of(s, cmd, o->arg);
			str_addc(s, '\'');
		}
	}
}

static void add_command(struct str *s, const struct cmd *cmd)
{
	struct cmd_word word;
	const char *at = cmd->args, *before = at;
	str_addf(s, "\t\t%s) _arguments", cmd->name);
	add_options(s, NULL, cmd_global_options);
	add_options(s, cmd, cmd->options);
	for (int place = 1; cmd_next_word(&word, &at); place++, before = at) {
		str_add(s, " \\\n\t\t\t'");
		if (word.repeated)
			str_addc(s, '*');
		else
			str_addf(s, "%d%s", place, word.optional ? ":" : "");
		source_of(s, cmd, before);
		str_addc(s, '\'');
	}
	str_add(s, " ;;\n");
}

void completion_zsh(struct str *out, const struct cmds *all)
{
	int n = all->n;
	const struct cmd_row *r = all->rows;
	str_add(out, "#compdef ablate\n"
	             "# zsh completion for ablate; source it, or install it as _ablate in a folder of $fpath\n"
	             "_ablate_words() {\n"
	             "\tlocal -a found open db\n"
	             "\tdb=${opt_args[--db]:-$_ablate_db}\n"
	             "\t[[ -n $db ]] && db=(--db ${(Q)db})\n"
	             "\tfound=(${(f)\"$($_ablate_program $db completion words $1 -- ${(Q)PREFIX} 2>/dev/null)\"})\n"
	             "\topen=(${(M)found:#*=})\n"
	             "\tfound=(${found:#*=})\n"
	             "\tcompadd -S '' -a open\n"
	             "\tcompadd -a found\n"
	             "}\n"
	             "_ablate() {\n"
	             "\tlocal curcontext=$curcontext state line _ablate_program=$words[1]\n"
	             "\ttypeset -A opt_args\n"
	             "\t_arguments -C -A '-*'");
	add_options(out, NULL, cmd_global_options);
	str_add(out, " \\\n\t\t'1:command:->command' '*::argument:->argument'\n\tcase $state in\n\tcommand)\n\t\tlocal -a "
	             "commands\n\t\tcommands=(\n");
	for (int i = 0; i < n; i++) {
		if (r[i].cmd->hidden)
			continue;
		str_addf(out, "\t\t\t'%s:", r[i].cmd->name);
		quoted(out, r[i].cmd->summary);
		str_add(out, "'\n");
	}
	str_add(out, "\t\t)\n\t\t_describe command commands ;;\n\targument)\n\t\tlocal _ablate_db=$opt_args[--db]\n"
	             "\t\tcase $line[1] in\n");
	for (int i = 0; i < n; i++)
		if (!r[i].cmd->hidden)
			add_command(out, r[i].cmd);
	str_add(out,
	        "\t\tesac ;;\n\tesac\n}\n"
	        "if [[ $funcstack[1] == _ablate ]]; then # zsh loads it, to complete\n\t_ablate \"$@\"\n"
	        "else # it is sourced\n"
	        "\t(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n\tcompdef _ablate ablate\nfi\n");
}
