/* extractor_command.h - features of a program of the user's own, "command:PROGRAM ARGS" (command_pipe.h says how the
 * two talk). The text is split at blanks; no shell reads it, so a program that needs one is a script.
 *
 * In protocols it is "command-TEXT@FILES:NAME", where TEXT is the first 12 digits of the SHA-256 of the command's text,
 * FILES are 8 of NAME, of that text and of the content of every word of it that is a file, and NAME is what the program
 * calls what it does. What the program itself reads (an interpreter's modules, weights) is not hashed: it belongs into
 * NAME. The program is started anew for each set of pictures, and gets RGB, grey being repeated. */
#ifndef ABLATE_EXTRACTOR_COMMAND_H
#define ABLATE_EXTRACTOR_COMMAND_H

#include "metrics/features/extractor.h"

#define EXTRACTOR_COMMAND "command:"
enum { EXTRACTOR_LABEL_MAX = 32 };

bool extractor_is_command(const char *name);
MUST_CHECK int extractor_command_open(struct extractor **out, const char *name, const struct extractor_options *o,
                                      struct err *e);
/* What records and tables call an extractor: "command:0123456789ab" for a command, any other by its name. Returns
 * buf. */
const char *extractor_label(char buf[EXTRACTOR_LABEL_MAX], const char *name);
/* What a score depends on: the name, and for a command the content of the files that it names, too. Heap text. */
char *extractor_identity(const char *name);
/* Can the program of a command be run, as far as one can tell without running it? */
MUST_CHECK int extractor_command_check(const char *name, struct err *e);

#endif
