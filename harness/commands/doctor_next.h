/* doctor_next.h - from what `ablate doctor` found missing to what to type next on this machine.
 *
 * A check hands over a remedy, which says what is wanted and does not depend on the machine: a package, an argument
 * list of this program, a line for the shell. Only here is decided how that is typed: by sudo or as root, by apt or,
 * where there is none, as the name of what to install by hand. Packages come first and in one command, then lines for
 * the shell, then this program's own commands, each in the order of the checks.
 *
 *     SCOPED(next_machine) struct next_machine m = { 0 };
 *     SCOPED(next) struct next n = { 0 };
 *     next_machine_read(&m);
 *     next_add(&n, &m, "mpirun", &(struct remedy){ REMEDY_PACKAGE, "openmpi-bin", "Open MPI", "runs with --ranks" });
 *     next_finish(&n, &m);
 *     next_text(&out, &n, "ablate run x.toml", "a study");    // "  sudo apt-get install openmpi-bin    # runs with
 *     --ranks", ... */
#ifndef ABLATE_DOCTOR_NEXT_H
#define ABLATE_DOCTOR_NEXT_H

#include "model/base/str.h"

#include <jansson.h>
#include <stdbool.h>

enum remedy_kind {
	REMEDY_PACKAGE, /* what: a Debian package */
	REMEDY_SHELL,   /* what: a line for the user's shell */
	REMEDY_ABLATE,  /* what: arguments of this program */
};

struct remedy {
	enum remedy_kind kind;
	const char *what;
	const char *by_hand; /* for a package: what to install where apt does not have it */
	const char *gives;   /* what the user gains, for the end of the line */
	bool card;           /* useless without an NVIDIA card */
};

struct next_machine {
	bool root;      /* what needs root can be typed unchanged */
	bool sudo;      /* or begins with sudo; neither: somebody else must type it */
	bool apt;       /* Debian or a derivative, with apt-get */
	bool apt_lists; /* apt has its package lists; otherwise it must be updated first */
	bool card;      /* an NVIDIA graphics card, with a driver or without */
	char *self;     /* how the user can type this program, quoted */
};
/* Looks at the machine. $ABLATE_DOCTOR_ROOT, for tests, names a folder in whose etc/os-release, var/lib/apt/lists, proc
 * and sys it looks instead of the machine's. */
void next_machine_read(struct next_machine *out);
void next_machine_release(struct next_machine *m);
void scoped_next_machine(struct next_machine *m);

struct next_line {
	enum remedy_kind kind;
	char *what, *by_hand; /* as in the remedy */
	char *command;        /* NULL: install by_hand */
	bool as_root;         /* the command needs root, which this user cannot become */
	json_t *gives, *of;   /* lists of distinct texts: what it is good for, and the checks that asked for it */
};
struct next {
	struct next_line *line;
	int n, cap;
};
void next_release(struct next *n);
void scoped_next(struct next *n);

/* Takes a remedy of the check `of`, unless it is useless on this machine. A remedy that was added before is listed
 * once, for both checks. */
void next_add(struct next *n, const struct next_machine *m, const char *of, const struct remedy *r);
/* After the last remedy: puts the lines in order and packages into one command. Asks apt-cache which of them it can
 * install. */
void next_finish(struct next *n, const struct next_machine *m);
/* Appends a line for each, commands in one column and "# what it gives" after them: all of it may be pasted into a
 * shell, but for what another user must type, which begins with "as root: ". The last line is `first`, what to begin
 * with once the rest is installed; where there is nothing else, that is stated before it. */
void next_text(struct str *dst, const struct next *n, const char *first, const char *first_gives);
/* [{"command": ..., "gives": [...], "for": [...]}]; with "as_root": true where the user cannot be root, and instead of
 * "command" an "install" where apt has no package. The caller owns it. */
json_t *next_json(const struct next *n);
/* Gives each of doctor's rows the commands of that list which fix it, as its "remedy". */
void next_into_rows(json_t *rows, const json_t *next);
/* What to begin with: the study that needs only what a Debian machine can install in a minute. Heap text. */
char *next_first(const struct next_machine *m);

/* Is there such a program in PATH? */
bool next_can_run(const char *program);
/* Does the answer of `apt-cache policy` (in English) have a version of that package to install? */
bool next_apt_has(const char *policy, const char *package);
/* Heap text: `text` as one word of a shell. */
char *next_quoted(const char *text);

#endif
