/* progress.c - see progress.h. */
#define _GNU_SOURCE
#include "model/base/progress.h"
#include "model/base/env.h"

#include "model/base/utf8.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static enum color_mode mode = COLOR_AUTO;

void color_set(enum color_mode m)
{
	mode = m;
}

bool color_on(int fd)
{
	const char *no = env_get(ENV_NO_COLOR), *term = env_get(ENV_TERM);
	if (mode != COLOR_AUTO)
		return mode == COLOR_ALWAYS;
	return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

double monotonic_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

char *duration_text(char *buf, double seconds)
{
	long s = seconds < 0 ? 0 : seconds > 1e8 ? 100000000 : (long)(seconds + 0.5);
	if (s >= 3600)
		(void)snprintf(buf, 32, "%ldh%02ldm", s / 3600, s / 60 % 60);
	else if (s >= 60)
		(void)snprintf(buf, 32, "%ldm%02lds", s / 60, s % 60);
	else
		(void)snprintf(buf, 32, "%lds", s);
	return buf;
}

void progress_start(struct progress *p, const char *what, const char *unit, int64_t total)
{
	double now = monotonic_s();
	*p = (struct progress){ .what = what,
		                    .unit = unit,
		                    .total = total,
		                    .started_s = now,
		                    .last_s = now,
		                    .plain_every_s = 10,
		                    .tty = isatty(STDERR_FILENO) };
}

/* Of the terminal; 80 if it does not say. */
static int columns_of(int fd)
{
	struct winsize w;
	return ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col : 80;
}

/* Bytes of the longest part of UTF-8 text with at most n characters: a line that wraps could not be redrawn. */
static size_t fitting(const char *text, int n)
{
	size_t i = 0;
	for (; text[i]; i++)
		if (!utf8_continues(text[i]) && n-- <= 0)
			break;
	return i;
}

bool fd_takes_line(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	return poll(&p, 1, 0) != 0;
}

static void draw(struct progress *p, double now)
{
	if (!fd_takes_line(STDERR_FILENO))
		return;
	double elapsed = now - p->started_s, rate = elapsed > 0 ? (double)p->done / elapsed : 0;
	char eta[32] = "?", bar[25];
	if (p->total > 0 && rate > 0)
		(void)duration_text(eta, (double)(p->total - p->done) / rate);
	if (!p->tty) {
		(void)fprintf(stderr, "%s: %lld/%lld %s, %.3g %s/s, ETA %s%s%s\n", p->what, (long long)p->done,
		              (long long)p->total, p->unit, rate, p->unit, eta, *p->note ? ", " : "", p->note);
		return;
	}
	int most = (int)sizeof bar - 1, columns = columns_of(STDERR_FILENO),
		width = columns / 4 < most ? columns / 4 : most;
	char line[512];
	int full = p->total > 0 ? (int)((double)width * (double)p->done / (double)p->total) : 0;
	for (int i = 0; i < width; i++)
		bar[i] = i < full ? '#' : '.';
	bar[width] = '\0';
	char drawn[sizeof bar + 3] = ""; /* on a narrow terminal the numbers say more than a few dots */
	if (columns >= 48)
		(void)snprintf(drawn, sizeof drawn, " [%s]", bar);
	(void)snprintf(line, sizeof line, "%s%s %lld/%lld %.3g %s/s ETA %s %s", p->what, drawn, (long long)p->done,
	               (long long)p->total, rate, p->unit, eta, p->note);
	(void)fprintf(stderr, "\r\033[K%.*s", (int)fitting(line, columns - 1), line);
	(void)fflush(stderr);
}

void progress_step(struct progress *p, int64_t done)
{
	if (!p || p->quiet)
		return;
	p->done = done;
	double now = monotonic_s();
	if (now - p->last_s < (p->tty ? 0.1 : p->plain_every_s))
		return;
	p->last_s = now;
	draw(p, now);
}

void progress_end(struct progress *p)
{
	if (p && p->tty && !p->quiet && fd_takes_line(STDERR_FILENO))
		(void)fputs("\r\033[K", stderr);
}
