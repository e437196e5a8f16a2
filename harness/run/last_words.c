/* last_words.c - see last_words.h. */
#define _GNU_SOURCE
#include "harness/run/last_words.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RULER = 20,        /* characters that make a line a ruler; the launchers' own have 50 to 83 */
	LOG_END = 1 << 16, /* bytes of a log that are looked at */
	SIGNALS = 64,
};

/* --- facts --- */

/* The first process that ended is the cause: the others were ended for it. */
static void learn(struct last_words *w, int rank, int signal, int exit_code)
{
	if (last_words_tell(w))
		return;
	w->rank = rank;
	w->signal = signal;
	w->exit_code = exit_code;
}

/* The number behind `before` in the text, blanks and a colon between them; -1 without one. *after is the rest. */
static int number_after(const char **after, const char *text, const char *before)
{
	const char *at = strstr(text, before);
	if (!at)
		return -1;
	at += strlen(before);
	at += strspn(at, ": ");
	char *end;
	long n = strtol(at, &end, 10);
	if (end == at || n < 0 || n > 1000000)
		return -1;
	if (after)
		*after = end;
	return (int)n;
}

/* "Process name: [[16399,1],1]", and "[prterun-node-4711@1,1]" of Open MPI 5: the number before the last bracket. */
static int rank_in_name(const char *text)
{
	const char *name = strstr(text, "Process name: ");
	const char *comma = name ? strrchr(name, ',') : NULL;
	return comma ? number_after(NULL, comma, ",") : -1;
}

/* What stands between two rulers, as one line. false: it says something else than how a process ended. */
static bool learn_block(struct last_words *w, const char *text)
{
	const char *rest = text;
	int rank, number;
	if ((rank = number_after(&rest, text, "noticed that process rank")) >= 0 &&
	    (number = number_after(NULL, rest, "exited on signal")) >= 0)
		learn(w, rank, number, -1);
	else if (((rank = rank_in_name(text)) >= 0 && (number = number_after(NULL, text, "Exit code")) >= 0) ||
	         ((rank = number_after(&rest, text, "MPI_ABORT was invoked on rank")) >= 0 &&
	          (number = number_after(NULL, rest, "rrorcode")) >= 0))
		learn(w, rank, -1, number);
	else if (strstr(text, "BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES")) {
		rank = number_after(NULL, text, "RANK");
		if ((number = number_after(NULL, text, "KILLED BY SIGNAL")) >= 0)
			learn(w, rank, number, -1);
		else if ((number = number_after(NULL, text, "EXIT CODE")) >= 0)
			learn(w, rank, -1, number); /* or a signal: EXIT STRING says so */
	} else
		return strstr(text, "the job has been aborted") != NULL;
	return true;
}

static int signal_named(const char *name)
{
	for (int i = 1; i < SIGNALS; i++) {
		const char *known = strsignal(i);
		if (known && strncmp(name, known, strlen(known)) == 0)
			return i;
	}
	return -1;
}

/* "srun: error: NODE: task 1: Killed", "... tasks 0,2-3: Exited with exit code 1". */
static bool learn_task(struct last_words *w, const char *line)
{
	static const char *const forms[] = { ": task ", ": tasks " };
	const char *what = NULL;
	int rank = -1;
	for (size_t i = 0; i < sizeof forms / sizeof *forms && rank < 0; i++)
		rank = number_after(&what, line, forms[i]);
	if (rank < 0 || !(what = strstr(what, ": ")))
		return false;
	what += 2;
	int code = number_after(NULL, what, "Exited with exit code"), number = signal_named(what);
	if (strncmp(what, "Out Of Memory", 13) == 0)
		number = 9; /* by the kernel, for the step's control group */
	if (code >= 0 || number >= 0)
		learn(w, rank, number, code);
	return code >= 0 || number >= 0;
}

/* --- lines --- */

static bool starts(const char *line, const char *with)
{
	return strncmp(line, with, strlen(with)) == 0;
}

static bool is_ruler(const char *line)
{
	size_t n = strspn(line, "-"), m = strspn(line, "=");
	n = n > m ? n : m;
	return n >= RULER && line[n + strspn(line + n, " ")] == '\0';
}

/* Whose lines are worth more, if there are any. */
enum speaker { NOBODY, LIBRARY, LAUNCHER, PROCESS, SPEAKERS };

/* "[node:4711] text": Open MPI and what it is made of, in any of the processes. */
static bool is_tagged(const char *line)
{
	size_t name = *line == '[' ? strcspn(line, ":] ") : 0;
	size_t pid = name > 1 && line[name] == ':' ? strspn(line + name + 1, "0123456789") : 0;
	return pid > 0 && line[name + 1 + pid] == ']';
}

static enum speaker speaker_of(struct last_words *w, const char *line)
{
	static const char *const advice[] = { "YOUR APPLICATION TERMINATED WITH THE EXIT STRING",
		                                  "This typically refers to a problem with your application",
		                                  "Please see the FAQ page for debugging suggestions" };
	if (starts(line, "srun: error: "))
		return learn_task(w, line) ? NOBODY : LAUNCHER;
	if (starts(line, "srun: "))
		return NOBODY;
	if (starts(line, "slurmstepd")) /* and what only follows from an end */
		return (strstr(line, "CANCELLED") && !strstr(line, " DUE TO ")) || strstr(line, ": _errhandler: ") ? NOBODY
		                                                                                                   : LAUNCHER;
	for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
		if (starts(line, advice[i])) {
			int number = i == 0 ? number_after(NULL, line, "(signal") : -1;
			if (number > 0) { /* which the block before called an exit code */
				w->signal = number;
				w->exit_code = -1;
			}
			return NOBODY;
		}
	return is_tagged(line) || starts(line, "*** ") ? LIBRARY : PROCESS;
}

/* Of a launcher the first line counts, which has the cause; of the others the last one. */
static void take(char lines[SPEAKERS][200], enum speaker who, const char *line)
{
	char *out = lines[who];
	if (who == NOBODY || (who == LAUNCHER && *out))
		return;
	(void)snprintf(out, 200, "%s", line);
	for (char *p = out; *p; p++) /* a cut multi-byte character, or worse, must not reach the journal */
		if ((unsigned char)*p < 32 || (unsigned char)*p > 126)
			*p = '?';
}

static void add_words(struct str *block, const char *line)
{
	while (isspace((unsigned char)*line))
		line++;
	str_addf(block, "%s%s", block->len ? " " : "", line);
}

void last_words_of(struct last_words *out, const char *log, bool by_launcher)
{
	SCOPED(str) struct str block = { 0 };
	char line[400], lines[SPEAKERS][200] = { "" };
	bool inside = false; /* a block between rulers */
	*out = (struct last_words){ .rank = -1, .signal = -1, .exit_code = -1 };
	for (const char *at = log, *end; *at; at = *end ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		(void)snprintf(line, sizeof line, "%.*s", (int)(end - at < 399 ? end - at : 399), at);
		if (by_launcher && is_ruler(line)) {
			if (inside && !learn_block(out, str_text(&block)))
				take(lines, LAUNCHER, str_text(&block));
			str_release(&block);
			inside = !inside;
			continue;
		}
		if (inside)
			add_words(&block, line);
		take(lines, inside || !*line ? NOBODY : by_launcher ? speaker_of(out, line) : PROCESS, line);
	}
	if (inside && !learn_block(out, str_text(&block))) /* cut short */
		take(lines, LAUNCHER, str_text(&block));
	/* of one that was killed nobody else knows more */
	for (int who = PROCESS; who > (out->signal >= 0 ? LAUNCHER : NOBODY) && !*out->line; who--)
		memcpy(out->line, lines[who], sizeof out->line);
}

void last_words_read(struct last_words *out, const char *dir, bool by_launcher)
{
	SCOPED(free) char *path = xstrfmt("%s/log", dir), *text = xcalloc(1, LOG_END + 1);
	SCOPED(file) FILE *f = fopen(path, "re");
	size_t n = 0;
	if (f) {
		bool cut = fseek(f, -(long)LOG_END, SEEK_END) == 0; /* a shorter file is read from its beginning */
		for (int c; cut && (c = getc(f)) != EOF && c != '\n';)
			;
		n = fread(text, 1, LOG_END, f);
	}
	text[n] = '\0';
	last_words_of(out, text, by_launcher);
}

bool last_words_tell(const struct last_words *w)
{
	return w->signal >= 0 || w->exit_code >= 0;
}

void last_words_end(char out[160], const struct last_words *w)
{
	char who[32] = "one of its processes";
	if (w->rank >= 0)
		(void)snprintf(who, sizeof who, "rank %d", w->rank);
	if (w->signal >= 0)
		(void)snprintf(out, 160, "%s was killed by signal %d (%s)", who, w->signal, strsignal(w->signal));
	else
		(void)snprintf(out, 160, "%s exited with code %d", who, w->exit_code);
}
