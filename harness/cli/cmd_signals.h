/* cmd_signals.h - what the program is to the process around it, before any command begins: which signals end it, and
 * what happens to output that nobody takes. */
#ifndef ABLATE_CMD_SIGNALS_H
#define ABLATE_CMD_SIGNALS_H

#include <stdbool.h>

/* Called once, first of all:
 *  - descriptors 0 to 2 that the caller closed are opened on /dev/null, so that no file of ours becomes "stdout";
 *  - a pipe that nobody reads makes a write fail and does not end the process. Programs that we start get the default
 *  back;
 *  - SIGINT, SIGTERM and SIGHUP end the process as by default, without half-written files (model/base/temporary.h).
 *  What the caller
 *    ignores stays ignored (nohup). Code with more to save (runner_signals.h, worker.h) catches them itself. */
void cmd_signals_begin(void);
/* Has the reader of this descriptor left: a pipe without a reader, a terminal that was closed? */
bool cmd_reader_left(int fd);

#endif
