/* screen.h - the whole terminal as a screen of lines, of which only those that changed are sent.
 *
 * It uses the terminal's second page, so that what was there before is there again afterwards, whatever ends the
 * program: a return, exit(), Ctrl-C, a signal, a crash. Stopped by Ctrl-Z it gives the terminal back, and takes it when
 * it goes on. There is one screen in a process.
 *
 *     if (screen_begin(e)) return -1;
 *     while (!screen_over()) {
 *             screen_draw(lines, n);
 *             while ((key = screen_wait(seconds_left)) != KEY_NONE) ...
 *     }
 *     screen_end();            // ends the process by the signal that asked for it, if it was not Ctrl-C */
#ifndef ABLATE_SCREEN_H
#define ABLATE_SCREEN_H

#include "harness/watch/keys.h"
#include "model/base/err.h"
#include "model/base/str.h"

#include <stdbool.h>

/* Takes the terminal of stdout; keys come from stdin where that is a terminal, too. From here on signals that end, stop
 * or resize are heard in screen_wait alone. */
MUST_CHECK int screen_begin(struct err *e);
void screen_size(int *width, int *height);
/* Shows n lines, which are no wider than the screen. What would have to wait is left to the next call. */
void screen_draw(const struct str *lines, int n);
/* Waits for a key, at most so long. KEY_NONE: none came, and it is time to draw; KEY_REDRAW also for another size. */
enum key screen_wait(double seconds);
/* Has a signal come that ends or stops the program? screen_wait acts on it. */
bool screen_is_asked(void);
/* Is it to end: Ctrl-C, a signal, a terminal that is gone? */
bool screen_over(void);
void screen_end(void);

#endif
