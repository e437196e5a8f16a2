/* completion.h - scripts that complete command lines of this program, one writer per shell. All is taken from the
 * commands' tables; words that come from elsewhere (words.h) are asked of the program when TAB is pressed: `ablate
 * completion words KIND [WORD]`. */
#ifndef ABLATE_COMPLETION_H
#define ABLATE_COMPLETION_H

#include "harness/cli/cmd.h"

void completion_bash(struct str *out, const struct cmds *all);
void completion_zsh(struct str *out, const struct cmds *all);
void completion_fish(struct str *out, const struct cmds *all);

/* How a word is completed. */
struct completion {
	const char *choices; /* "a|b|c"; NULL = none */
	const char *kind;    /* words of that kind (words.h); NULL = none */
	bool files;          /* paths */
};
/* Of an argument of `cmd` (NULL: of every command), or of an option's value: by what stands for it in the help. */
void completion_of(struct completion *out, const struct cmd *cmd, const struct cmd_word *word);
/* Appends choices with `between` in place of each "|". */
void completion_choices(struct str *out, const char *choices, char between);
/* Appends text as it stands inside 'single quotes', each of the characters `special` behind a backslash; a quote
 * becomes `quote`. */
void completion_quoted(struct str *out, const char *text, const char *quote, const char *special);

#endif
