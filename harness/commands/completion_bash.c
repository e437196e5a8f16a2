/* completion_bash.c - the script for bash, which needs nothing but bash. */
#include "harness/commands/completion.h"

/* bash breaks words at = and :, and hands over quotes and backslashes as they were typed. `cur` is the whole word,
 * plain; what is offered leaves out what bash holds for earlier words, and is quoted again. */
static const char head[] =
	"# bash completion for ablate; install as /usr/share/bash-completion/completions/ablate\n"
	"_ablate_offer() { # candidates on stdin, one per line\n"
	"\tlocal word\n"
	"\twhile IFS= read -r word; do\n"
	"\t\t[[ $word == \"$cur\"* ]] || continue\n"
	"\t\t[[ $word == *= ]] && compopt -o nospace\n"
	"\t\tword=${word#\"$before\"}\n"
	"\t\t[[ $open$paths ]] || printf -v word %q \"$word\"\n"
	"\t\tCOMPREPLY+=(\"$word\")\n"
	"\tdone\n"
	"}\n"
	"_ablate_list() { _ablate_offer < <(printf '%s\\n' $1); }\n"
	"_ablate_files() {\n"
	"\tlocal path\n"
	"\tcompopt -o filenames\n"
	"\twhile IFS= read -r path; do COMPREPLY+=(\"${path#\"$before\"}\"); done < <(compgen -f -- \"$cur\")\n"
	"}\n"
	"_ablate_words() { _ablate_offer < <(\"${COMP_WORDS[0]}\" ${db:+--db \"$db\"} completion words \"$1\" -- \"$cur\" "
	"2>/dev/null); }\n"
	"_ablate() {\n"
	"\tlocal words=() cur= prev= cmd= place=0 db= before= open= paths= joined i w\n"
	"\tfor ((i = 0; i <= COMP_CWORD; i++)); do # = and : join what they parted\n"
	"\t\tw=${COMP_WORDS[i]} joined=\n"
	"\t\tif ((${#words[@]} > 1)); then\n"
	"\t\t\tjoined=${words[-1]}$w\n"
	"\t\t\t[[ ($w == [=:]* || ${words[-1]} == *[=:]) && $COMP_LINE == *\"$joined\"* ]] || joined=\n"
	"\t\tfi\n"
	"\t\tif [[ $joined ]]; then words[-1]=$joined; else words+=(\"$w\"); fi\n"
	"\tdone\n"
	"\tcur=${words[-1]} prev=${words[-2]}\n"
	"\tif [[ $cur == --*=* ]]; then prev=${cur%%=*} cur=${cur#*=}; fi\n"
	"\tcase $cur in\n"
	"\t[\\\"\\']*) open=${cur:0:1} cur=${cur:1} ;;\n"
	"\t*) cur=${cur//\\\\/} ;;\n"
	"\tesac\n"
	"\t[[ $open ]] || before=${cur%\"${cur##*[=:]}\"}\n"
	"\tfor ((i = 1; i < ${#words[@]} - 1; i++)); do\n"
	"\t\tw=${words[i]}\n"
	"\t\tcase $w in\n"
	"\t\t--db) db=${words[i+1]}; ((i++)) ;;\n"
	"\t\t--db=*) db=${w#--db=} ;;\n";

/* How bash fills in a word: a list, words from the program, files, or several of these. */
static void source_of(struct str *s, const struct cmd *cmd, const char *arg)
{
	struct cmd_word word;
	const char *at = arg;
	if (!arg || !cmd_next_word(&word, &at)) {
		str_addc(s, ':');
		return;
	}
	struct completion is;
	completion_of(&is, cmd, &word);
	if (is.choices) {
		str_add(s, "_ablate_list \"");
		completion_choices(s, is.choices, ' ');
		str_addc(s, '"');
	}
	if (is.files) /* readline quotes everything where it knows of files */
		str_add(s, is.kind ? "paths=1; " : "");
	if (is.kind)
		str_addf(s, "_ablate_words %s", is.kind);
	if (is.files)
		str_addf(s, "%s_ablate_files", is.kind ? "; " : "");
	if (!is.choices && !is.kind && !is.files)
		str_addc(s, ':');
}

/* "CMD:--name|CMD:-n) SOURCE; return ;;" of each option with a value; without a command, "--name) ...". */
static void add_values(struct str *s, const struct cmd *cmd, const struct opt *o)
{
	for (; o && o->name; o++) {
		if (o->kind == OPT_FLAG)
			continue;
		str_addf(s, "\t%s%s--%s", cmd ? cmd->name : "", cmd ? ":" : "", o->name);
		if (o->letter)
			str_addf(s, "|%s%s-%c", cmd ? cmd->name : "", cmd ? ":" : "", o->letter);
		str_add(s, ") ");
		source_of(s, cmd, o->arg);
		str_add(s, "; return ;;\n");
	}
}

static void add_names(struct str *s, const struct opt *o)
{
	for (; o && o->name; o++)
		str_addf(s, " --%s", o->name);
}

/* The options that take the next word, so that it is no argument: "--set|-m|...". */
static void add_takers(struct str *s, const struct cmd *cmd, const struct opt *o)
{
	for (; o && o->name; o++) {
		if (o->kind == OPT_FLAG)
			continue;
		str_addf(s, "\t\t%s%s--%s", cmd ? cmd->name : "*", ":", o->name);
		if (o->letter)
			str_addf(s, "|%s:-%c", cmd ? cmd->name : "*", o->letter);
		str_add(s, ") ((i++)) ;;\n");
	}
}

/* The positions of a command's arguments; the last repeated word fills all positions after it. */
static void add_places(struct str *s, const struct cmd *cmd)
{
	struct cmd_word word;
	const char *at = cmd->args, *before = at;
	for (int i = 1; cmd_next_word(&word, &at); i++, before = at) {
		str_addf(s, word.repeated ? "\t%s:*) " : "\t%s:%d) ", cmd->name, i);
		source_of(s, cmd, before);
		str_add(s, " ;;\n");
	}
}

void completion_bash(struct str *out, const struct cmds *all)
{
	int n = all->n;
	const struct cmd_row *r = all->rows;
	str_add(out, head);
	str_add(out, "\t\t-*)\n\t\t\tcase $cmd:$w in\n");
	add_takers(out, NULL, cmd_global_options);
	for (int i = 0; i < n; i++)
		add_takers(out, r[i].cmd, r[i].cmd->options);
	str_add(out, "\t\t\tesac ;;\n\t\t*) if [[ -z $cmd ]]; then cmd=$w; else ((place++)); fi ;;\n\t\tesac\n\tdone\n"
	             "\tcase $prev in\n");
	add_values(out, NULL, cmd_global_options);
	str_add(out, "\tesac\n\tcase $cmd:$prev in\n");
	for (int i = 0; i < n; i++)
		add_values(out, r[i].cmd, r[i].cmd->options);
	str_add(out, "\tesac\n\tif [[ $cur == -* ]]; then\n\t\tlocal names=\"");
	add_names(out, cmd_global_options);
	str_add(out, "\"\n\t\tcase $cmd in\n");
	for (int i = 0; i < n; i++) {
		if (!r[i].cmd->options)
			continue;
		str_addf(out, "\t\t%s) names+=\"", r[i].cmd->name);
		add_names(out, r[i].cmd->options);
		str_add(out, "\" ;;\n");
	}
	str_add(out,
	        "\t\tesac\n\t\t_ablate_list \"$names\"\n\t\treturn\n\tfi\n\tif [[ -z $cmd ]]; then\n\t\t_ablate_list \"");
	for (int i = 0; i < n; i++)
		if (!r[i].cmd->hidden)
			str_addf(out, "%s ", r[i].cmd->name);
	str_add(out, "\"\n\t\treturn\n\tfi\n\tcase $cmd:$((place + 1)) in\n");
	for (int i = 0; i < n; i++)
		if (!r[i].cmd->hidden)
			add_places(out, r[i].cmd);
	str_add(out, "\tesac\n}\ncomplete -F _ablate ablate\n");
}
