/* screen.c - see screen.h. */
#define _GNU_SOURCE
#include "harness/watch/screen.h"

#include "model/base/mem.h"
#include "model/base/progress.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static const int fatal[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };

static struct {
	bool began, keys, hung_up;
	volatile sig_atomic_t shown; /* the second page is there: whoever ends the process has to leave it */
	volatile sig_atomic_t end, stop, resumed, resized;
	struct termios before;
	sigset_t outside;  /* what was blocked before */
	struct str *lines; /* what is on the screen */
	int n, cap;
	char typed[64];
	size_t n_typed;
} screen;

static void hear(int number)
{
	if (number == SIGTSTP)
		screen.stop = 1;
	else if (number == SIGWINCH)
		screen.resized = 1;
	else if (number == SIGCONT)
		screen.resumed = 1;
	else
		screen.end = number;
}

/* Only what a signal handler may do. */
static void leave(void)
{
	if (!screen.shown)
		return;
	screen.shown = 0;
	(void)!write(STDOUT_FILENO, LEAVE, sizeof LEAVE - 1);
	if (screen.keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

static void crash(int number)
{
	leave();
	(void)raise(number); /* the default again by now */
}

static void forget_lines(void)
{
	for (int i = 0; i < screen.n; i++)
		str_release(&screen.lines[i]);
}

/* Everything is drawn anew. */
static void enter(void)
{
	if (screen.keys) {
		struct termios raw = screen.before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	screen.shown = 1;
	screen.hung_up |= write(STDOUT_FILENO, ENTER, sizeof ENTER - 1) < 0 && errno != EAGAIN && errno != EINTR;
	forget_lines();
}

/* A terminal moves or cuts its lines when its size changes: all of them are drawn again. */
static void clear(void)
{
	static const char text[] = "\033[2J";
	(void)!write(STDOUT_FILENO, text, sizeof text - 1);
	forget_lines();
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = hear };
	sigset_t all;
	(void)sigemptyset(&action.sa_mask);
	(void)sigemptyset(&all);
	const int others[] = { SIGTSTP, SIGWINCH, SIGCONT };
	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
		struct sigaction now;
		if (sigaction(ending[i], NULL, &now) || now.sa_handler == SIG_IGN)
			continue; /* nohup's */
		(void)sigaddset(&all, ending[i]);
		(void)sigaction(ending[i], &action, NULL);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		(void)sigaddset(&all, others[i]);
		(void)sigaction(others[i], &action, NULL);
	}
	(void)sigprocmask(SIG_BLOCK, &all, &screen.outside);
	struct sigaction last = { .sa_handler = crash, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER) };
	(void)sigemptyset(&last.sa_mask);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		(void)sigaction(fatal[i], &last, NULL);
}

int screen_begin(struct err *e)
{
	if (!isatty(STDOUT_FILENO))
		return err_code(e, EXIT_USAGE, "stdout is no terminal");
	REQUIRE(!screen.began);
	screen.keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &screen.before) == 0;
	catch_signals();
	screen.began = true;
	(void)atexit(leave);
	enter();
	return 0;
}

void screen_size(int *width, int *height)
{
	struct winsize w;
	bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0;
	*width = known ? w.ws_col : 80;
	*height = known ? w.ws_row : 24;
}

/* A terminal that has stopped (Ctrl-S) keeps write() until it goes on or a signal comes, which is heard meanwhile. */
static bool send(const struct str *text)
{
	size_t sent = 0;
	sigset_t inside;
	(void)sigprocmask(SIG_SETMASK, &screen.outside, &inside);
	while (sent < text->len && !screen.end && !screen.stop) {
		ssize_t n = write(STDOUT_FILENO, text->data + sent, text->len - sent);
		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno != EINTR) {
			screen.hung_up |= errno != EAGAIN;
			break;
		}
	}
	(void)sigprocmask(SIG_SETMASK, &inside, NULL);
	return sent == text->len;
}

void screen_draw(const struct str *lines, int n)
{
	SCOPED(str) struct str out = { 0 };
	if (!fd_takes_line(STDOUT_FILENO))
		return;
	int all = n > screen.n ? n : screen.n;
	while (screen.n < all)
		VEC_PUSH(screen.lines, screen.n, screen.cap) = (struct str){ 0 };
	for (int i = 0; i < all; i++) {
		const char *now = i < n ? str_text(&lines[i]) : "";
		struct str *before = &screen.lines[i];
		if (strcmp(now, str_text(before)) == 0)
			continue;
		str_addf(&out, "\033[%d;1H%s\033[K", i + 1, now);
		str_release(before);
		str_add(before, now);
	}
	if (out.len && !send(&out))
		forget_lines();
}

static enum key take_key(void)
{
	size_t used;
	if (!screen.n_typed)
		return KEY_NONE;
	enum key key = key_of(&used, screen.typed, screen.n_typed);
	if (key == KEY_PART && screen.n_typed == sizeof screen.typed)
		used = screen.n_typed; /* no key is so long */
	screen.n_typed -= used;
	memmove(screen.typed, screen.typed + used, screen.n_typed);
	return key;
}

static void read_keys(void)
{
	ssize_t n = read(STDIN_FILENO, screen.typed + screen.n_typed, sizeof screen.typed - screen.n_typed);
	if (n > 0)
		screen.n_typed += (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		screen.hung_up = true;
}

/* Ctrl-Z: the shell has the terminal until this process goes on. */
static void stop(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL }, ours;
	sigset_t it;
	leave();
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGTSTP, &action, &ours);
	(void)raise(SIGTSTP);
	(void)sigemptyset(&it);
	(void)sigaddset(&it, SIGTSTP);
	(void)sigaddset(&it, SIGCONT);
	(void)sigprocmask(SIG_UNBLOCK, &it, NULL); /* here it stops */
	(void)sigprocmask(SIG_BLOCK, &it, NULL);
	(void)sigaction(SIGTSTP, &ours, NULL);
	screen.stop = screen.resumed = 0;
	enter();
}

enum key screen_wait(double seconds)
{
	double until = monotonic_s() + seconds;
	for (;;) {
		enum key key = take_key();
		while (key == KEY_NONE && screen.n_typed)
			key = take_key();
		if (key != KEY_NONE && key != KEY_PART)
			return key;
		double left = until - monotonic_s();
		if (left <= 0 || screen_over())
			return KEY_NONE;
		struct pollfd p = { .fd = screen.keys ? STDIN_FILENO : -1, .events = POLLIN };
		struct timespec wait = { .tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9) };
		int n = ppoll(&p, 1, &wait, &screen.outside);
		if (screen.stop) {
			stop();
			return KEY_REDRAW;
		}
		if (screen.resumed) { /* after a stop that it did not hear of: whoever had the terminal has drawn on it */
			screen.resumed = 0;
			enter();
			return KEY_REDRAW;
		}
		if (screen.resized) {
			screen.resized = 0;
			clear();
			return KEY_REDRAW;
		}
		if (n > 0)
			read_keys();
	}
}

bool screen_over(void)
{
	return screen.end || screen.hung_up;
}

bool screen_is_asked(void)
{
	sigset_t pending;
	(void)sigpending(&pending);
	bool asked = screen_over() || screen.stop || sigismember(&pending, SIGTSTP) == 1;
	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
		asked |= sigismember(&pending, ending[i]) == 1;
	return asked;
}

void screen_end(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	leave();
	for (int i = 0; i < screen.n; i++)
		str_release(&screen.lines[i]);
	free(screen.lines);
	screen.lines = NULL;
	screen.n = screen.cap = 0;
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
		(void)sigaction(ending[i], &action, NULL);
	(void)sigprocmask(SIG_SETMASK, &screen.outside, NULL);
	if (screen.end && screen.end != SIGINT)
		(void)raise(screen.end);
}
