/* terminal.h - what the terminal behind a descriptor can do. One whose TERM is unset or "dumb" shows lines and nothing
 * else: it gets no escape sequence, no colour and no line that is drawn over another. */
#ifndef ABLATE_TERMINAL_H
#define ABLATE_TERMINAL_H

#include "model/base/progress.h"

#include <stdbool.h>

/* Is it a terminal that can move its cursor? */
bool terminal_draws(int fd);
/* Does the user's locale say that text is UTF-8? */
bool terminal_is_utf8(void);
/* progress_start, but with plain lines where stderr is a terminal that cannot redraw one. */
void terminal_progress(struct progress *p, const char *what, const char *unit, int64_t total);

#endif
