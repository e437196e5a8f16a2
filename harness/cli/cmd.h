/* cmd.h - the command line as tables.
 *
 * A command is one file, harness/cmd-NAME.c, which holds one `const struct cmd cmd_NAME` (dashes of the name become
 * underscores), and one row in cmds.def. cli_main is given the commands: this file knows none of them.
 * Parsing, --help, completion and the man page all come from their tables:
 *
 *     static const struct opt options[] = {
 *             { .name = "jobs", .letter = 'j', .kind = OPT_INT, .arg = "N", .min = 1, .max = 1024, .help = "cells at
 *             once" }, { .name = "format", .kind = OPT_STRING, .arg = "md|csv|json", .help = "form of the table" },
 *             { 0 } };
 *     static int run(struct cli *c) {
 *             struct err e = ERR_INIT;
 *             int jobs = (int)cli_int(c, "jobs", 1);
 *             if (work(c->args[0], jobs, &e)) return cli_fail(c, &e);
 *             if (c->json) return cli_print_json(c, object);           // takes the reference
 *             printf("...\n");
 *             return EXIT_OK; }
 *     const struct cmd cmd_table = { .name = "table", .args = "NAME|FILE.toml", .summary = "...", .help = "...",
 *                                    .options = options, .json = json, .run = run };
 *
 * What --json prints is documented key by key in `json` (json_keys.h), and `ablate schema --json-output`, the manual
 * and the test follow; what is printed without it is BUG().
 *
 * stdout is the result; everything else goes through cli_say and its like to stderr, and to --log FILE.
 * `args` is read as well as shown: WORD one argument, [WORD] an optional one, WORD... one or more, [WORD]... any
 * number; a word of lower-case alternatives (bash|zsh|fish) is a closed choice. An option's `arg` likewise. */
#ifndef ABLATE_CMD_H
#define ABLATE_CMD_H

#include "harness/text/json_keys.h"
#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum opt_kind {
	OPT_FLAG,    /* no value; may be given several times */
	OPT_INT,     /* decimal, within [min, max] unless both are 0 */
	OPT_DOUBLE,  /* finite, within [min, max] unless both are 0 */
	OPT_STRING,  /* the last one counts */
	OPT_STRINGS, /* all of them, in order */
};

struct opt {
	const char *name; /* without the dashes; NULL ends a table */
	char letter;      /* short form, or 0 */
	enum opt_kind kind;
	const char *arg;  /* name of the value in the help; NULL for flags */
	const char *help; /* one line, lower case, no full stop */
	double min, max;
};

struct cli;
struct cmd {
	const char *name;
	const char *args;             /* see above; "" or NULL: none */
	const char *summary;          /* one line, lower case, no full stop */
	const char *help;             /* paragraphs, separated by empty lines; wrapped when shown */
	const struct opt *options;    /* may be NULL */
	const struct json_form *json; /* what --json prints, key by key; NULL: errors alone */
	bool hidden;                  /* not listed: called by the program itself */
	bool computes;                /* works with OpenMP threads in this process: threads_restart */
	int (*run)(struct cli *c);    /* returns the exit code */
};

struct cmd_row {
	const struct cmd *cmd;
	const char *group;
};
struct cmds {
	const struct cmd_row *rows;
	int n;
}; /* the commands of a program, in the order of its help */
/* Every shown command, group by group, whose rows need not be adjacent: group(), then command() for each of it. */
void cmds_each(const struct cmds *all, void *ctx, void (*group)(void *ctx, const char *name),
               void (*command)(void *ctx, const struct cmd *cmd));
const struct cmd *cmds_find(const struct cmds *all, const char *name); /* NULL when there is none */
extern const struct opt cmd_global_options[]; /* accepted everywhere, before and after the command's name */

/* ====== a parsed command line ====== */

struct cli {
	const struct cmds *all; /* the commands among which cmd was found */
	const struct cmd *cmd;  /* NULL when only --help or --version was asked for */
	char **args;            /* n_args arguments and a NULL; "-" is stdin by convention */
	int n_args;
	bool json, quiet;
	int verbose;
	const char *db;           /* --db, else $ABLATE_DB, else ablate.db */
	bool help, version;       /* asked for instead of a run */
	struct cli_value *values; /* by cli_flag and its like */
	int n_values, cap_values;
	void *log; /* FILE * of --log */
};

/* Parses argv[1..]. A wrong command line is EXIT_USAGE with the nearest names. **c must be released in either case; its
 * texts point into argv. c->json is set as far as parsing got, so that an error can be reported as JSON. */
MUST_CHECK int cli_parse(struct cli *c, const struct cmds *all, int argc, char **argv, struct err *e);
void cli_release(struct cli *c);
/* Parses, runs, reports: all of main() of a program with these commands. Returns the exit code. */
int cli_main(const struct cmds *all, int argc, char **argv);

/* Values by option name; a name or kind that the command's table does not have is BUG(). */
int cli_flag(const struct cli *c, const char *name);   /* how often it was given */
bool cli_given(const struct cli *c, const char *name); /* any kind */
int64_t cli_int(const struct cli *c, const char *name, int64_t fallback);
double cli_double(const struct cli *c, const char *name, double fallback);
const char *cli_string(const struct cli *c, const char *name, const char *fallback);
/* All values of a repeated option, in order: heap array of n (may be NULL when n = 0), texts not owned. */
const char **cli_strings(const struct cli *c, const char *name, int *n);

/* ====== messages ====== */

void cli_say(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3); /* one line to stderr, not with -q */
void cli_say_line(const void *cli, const char *line); /* the same as a callback of library code; cli: a struct cli */
void cli_verbose(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3); /* the same, only with -v */
void cli_warn(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3); /* "ablate: warning: ...", also with -q */
void cli_warn_lines(const struct cli *c, const char *lines);                /* a warning for each line; "" is none */
/* Reports e ("ablate: ..." on stderr; with --json also {"schema":1,"error":{...}} on stdout). Returns its exit code. */
int cli_fail(const struct cli *c, const struct err *e);
/* cli_fail with EXIT_USAGE and a pointer to `ablate CMD --help`. */
int cli_usage(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prints an object (reference taken) with "schema":1 before its keys, which are those of cmd->json. Returns EXIT_OK. */
int cli_print_json(const struct cli *c, json_t *object);

/* ====== help, from the tables ====== */

void cmd_help(struct str *dst, const struct cmds *all,
              const struct cmd *cmd); /* of one command, or of the program when cmd is NULL */
/* Every exit code of the program, as text. */
void cmd_each_exit(void *ctx, void (*row)(void *ctx, const char *code, const char *meaning));
/* One word of `args`, or an option's `arg`. */
struct cmd_word {
	char text[96]; /* without brackets and dots */
	bool optional, repeated;
	bool choice; /* closed: text is a|b|c */
};
bool cmd_next_word(struct cmd_word *out, const char **at);
bool cmd_choice_has(const char *choices, const char *word);
/* Appends text and a newline. Each line of it is wrapped at `width` columns, the first from `column` on, others behind
 * `indent` spaces; lines that begin with a space are kept as they are. */
void cmd_wrap(struct str *dst, const char *text, int column, int indent, int width);
/* "ablate 1.2.3 (numerics 1, database schema 1)". Heap text. */
char *cmd_version_text(void);
json_t *cmd_version_json(void);

#endif
