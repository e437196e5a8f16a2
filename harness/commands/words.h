/* words.h - the words that an argument may be, by kind: completion offers them, and errors suggest the nearest. */
#ifndef ABLATE_WORDS_H
#define ABLATE_WORDS_H

#include "harness/cli/cmd.h"

struct words {
	char **v; /* heap, each of them too */
	int n, cap;
};
void words_release(struct words *w);
void scoped_words(struct words *w); /* SCOPED(words) struct words w = { 0 }; */

/* Appends the words of a kind: "commands", "settings", "studies" and so on (words_kinds). `typed` is what there is of
 * the word already; only settings look at it, which have their values after the "=". What is recorded is asked of the
 * database c->db, and one that cannot be read has no words. False: there is no such kind. */
bool words_of(struct words *out, const struct cli *c, const char *kind, const char *typed);
/* Appends the names of all kinds: "commands, keys, ...". */
void words_kinds(struct str *out);
/* Appends "; did you mean A, B?" with those words near `wrong`, as str_suggest. */
void words_suggest(struct str *out, const struct words *w, const char *wrong);

#endif
