/* watch_screen.h - a moment of a study as the lines of a screen: no terminal, no clock, no state. */
#ifndef ABLATE_WATCH_SCREEN_H
#define ABLATE_WATCH_SCREEN_H

#include "harness/watch/watch.h"
#include "model/base/str.h"

struct watch_view {
	int width, height; /* of the terminal */
	int first;         /* the first cell that is shown; beyond the end: as far as there is something to scroll */
	bool utf8, color;
};

struct watch_lines {
	struct str *v; /* without newlines; colours are in them where the view asks for them */
	int n, cap;
	int first, rows; /* what view.first became; how many cells are shown */
};

/* At most view->height lines of at most view->width columns. */
void watch_screen(struct watch_lines *out, const struct watch *w, const struct watch_view *view);
void watch_lines_release(struct watch_lines *l);
/* A line about all cells: "small: 12 cells: 7 done, 2 running, 1 failed, 2 to come". */
void watch_summary(struct str *out, const struct watch *w);
/* "running", "failed", ..., "gone": what the cell's first column says. */
const char *watch_word(const struct watch_cell *c);

#endif
