/* command_pipe.h - a program beside this one that turns pictures into features: it says once what it gives, then
 * answers each batch of pictures on its stdin with floats on its stdout.
 *
 *     we read     ablate-features 1 DIM NAME\n   once, after it has started
 *     we write    N H W 3\n                      then N*H*W*3 bytes: rows of red, green, blue
 *     we read     N*DIM float32, little-endian   and so on, batch by batch, until
 *     we close its stdin                         and it ends with exit code 0, having written nothing else
 *
 * NAME is 1 to 63 letters, digits, '.', '_' or '-'. stderr is ours. Both directions are served at once, so a program
 * may answer before it has read all, and neither side can block the other for ever. The first line has a time limit
 * (ABLATE_COMMAND_WAIT), as a program that never heard of all this, such as cat, would be waited for without end. An
 * answer has none: a network may take its time, and Ctrl-C reaches the program as it reaches us.
 *
 * A process that uses this does not die of SIGPIPE (harness/cli/cmd_signals.c, harness/run/worker.c). */
#ifndef ABLATE_COMMAND_PIPE_H
#define ABLATE_COMMAND_PIPE_H

#include "model/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { COMMAND_NAME_MAX = 64, COMMAND_DIM_MAX = 16384 };

struct command_pipe {
	const char *text; /* the command, for messages; borrowed */
	int dim;          /* what its first line says */
	char name[COMMAND_NAME_MAX];
	int64_t given; /* floats read so far */
	pid_t pid;     /* 0 = it does not run */
	int to, from;
};

/* The first line, without its newline: dim from 1 to COMMAND_DIM_MAX, and the name. False, and both untouched, for any
 * other text. */
MUST_CHECK bool command_greeting_parse(int *dim, char name[COMMAND_NAME_MAX], const char *line);
/* Who is told, in one line, that a program is being waited for. say may be NULL. */
struct command_listener {
	void (*say)(const void *ctx, const char *line);
	const void *ctx;
};
/* Starts argv (found along PATH, no shell) and reads its first line; l is told after 5 s without one. */
MUST_CHECK int command_pipe_start(struct command_pipe *p, const char *text, char *const *argv,
                                  const struct command_listener *l, struct err *e);
/* Writes len bytes, and reads n floats meanwhile. An error where it ends, or has written more than that by then. */
MUST_CHECK int command_pipe_ask(struct command_pipe *p, float *out, int64_t n, const void *request, size_t len,
                                struct err *e);
/* Closes its stdin and waits for its end: an error where it writes more, or ends otherwise than with exit code 0. */
MUST_CHECK int command_pipe_finish(struct command_pipe *p, struct err *e);
/* Ends it, by force where it does not end in 5 s without stdin and stdout. Accepts one that does not run. */
void command_pipe_stop(struct command_pipe *p);

#endif
