/* progress.h - long work seen by a person: one redrawn line with bar, rate and ETA when stderr is a terminal, one
 * plain line per `plain_every_s` seconds elsewhere. Everything goes to stderr. Only programs use it: library code
 * takes a `struct progress *`, which may be NULL, and calls progress_step(). Output that nobody reads is not drawn: no
 * work waits for a reader. */
#ifndef ABLATE_PROGRESS_H
#define ABLATE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what, *unit; /* "train huber seed 1", "images" */
	int64_t total, done;     /* in units; total 0 = unknown */
	double started_s, last_s, plain_every_s;
	bool tty, quiet;
	char note[64]; /* e.g. "loss 0.0123", shown after the rate */
};

/* Can a line be written to fd without waiting for its reader (a pager, a terminal that was stopped by Ctrl-S)? True if
 * it fails at once. */
bool fd_takes_line(int fd);

void progress_start(struct progress *p, const char *what, const char *unit, int64_t total);
void progress_step(struct progress *p, int64_t done); /* done is absolute; cheap: draws at most 10 times a second */
void progress_end(struct progress *p);                /* clears the bar, or writes the last plain line */

/* Is stderr/stdout a terminal that wants colour? Honours NO_COLOR, TERM=dumb and --color (set by the program). */
enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
void color_set(enum color_mode mode);
bool color_on(int fd);
/* "1h02m", "3m20s", "12s"; buf >= 32. Returns buf. */
char *duration_text(char *buf, double seconds);
double monotonic_s(void);

#endif
