/* err.h - failure as a value.
 *
 * Three kinds of failure, three tools. Our own mistake is BUG(): both values are printed with file and line and
 * the process aborts. The world (a file, a TOML text, a database, missing data) is a `struct err` filled by
 * the callee: a fallible function returns 0, or -1 with the error set, and takes `struct err *e` last. A
 * device remembers its first failure, which is reported at the next backend_check (model/cuda/cuda.h). Library code
 * never prints and never exits, but by BUG() and err_give_up(); programs do.
 *
 *     if (!f) return err_set(e, "%s: cannot open: %s", path, strerror(errno));
 *     if (load(path, e)) return err_in(e, "cell lr=1e-4,seed=2");   // "cell lr=1e-4,seed=2: x.ckpt: cannot open"
 *
 * Both return -1, so failing is one expression and each layer adds only what it alone knows. */
#ifndef ABLATE_ERR_H
#define ABLATE_ERR_H

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* What the process exits with when this error reaches the top (README has the table). */
enum exit_code {
	EXIT_OK = 0,           /* all that was asked for is done and passed */
	EXIT_INCOMPLETE = 1,   /* cells failed, missing or blocked; disk too small; any failure without a code of its own */
	EXIT_USAGE = 2,        /* usage or grid error; nothing was run */
	EXIT_GATE = 3,         /* a gate failed */
	EXIT_INCONCLUSIVE = 4, /* a gate cannot tell, and on_inconclusive = "fail"; verify cannot */
	EXIT_RECORD = 5,       /* database, provenance or protocol problem */
	EXIT_NOT_EQUAL = 6,    /* verify: not bit-identical */
	EXIT_DEVICE = 69,      /* of a worker alone: its device cannot be opened; the runner then tries another */
	EXIT_BUDGET = 75,      /* budget, or a task of Slurm was asked to stop: state saved, run again */
	EXIT_INTERRUPTED = 130,
	EXIT_NO_READER =
		141, /* the reader of stdout has left, as with `| head`: other programs die of SIGPIPE then, 128 + 13 */
	EXIT_TERMINATED = 143,
};

struct err {
	int code;       /* an enum exit_code; 0 = not given, which programs read as EXIT_INCOMPLETE */
	char msg[1000]; /* one line, no newline, names the file, the place and the remedy */
};

#define ERR_INIT ((struct err){ 0 })

/* Sets the message (the code is kept). Always returns -1. e may be NULL. */
int err_set(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same with an exit code. Always returns -1. */
int err_code(struct err *e, enum exit_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Puts "context: " before the message. Always returns -1. */
int err_in(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The exit code of a set error: e->code, or EXIT_INCOMPLETE. */
int err_exit_code(const struct err *e);

/* What the world refuses in the middle of a computation, where no error can be returned (memory, a library): one line
 * on stderr, and the process ends with EXIT_INCOMPLETE. */
void err_give_up(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

void bug(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4) __attribute__((noreturn));
#define BUG(...) bug(__FILE__, __LINE__, __VA_ARGS__)
/* An assertion that no build removes. */
#define REQUIRE(cond) \
	do { \
		if (!(cond)) \
			BUG("%s does not hold", #cond); \
	} while (0)

#endif
