/* journal.h - the truth of an attempt: one append-only file of JSON lines, written by the process that does the work,
 * from which the database can be rebuilt.
 *
 * Every line is an object that names its kind: "t" is the name of a table of schema.sql, the other keys are its
 * columns (the column `attempt` is left out: a journal is about one attempt). Lines that are not rows:
 *   {"t":"curve","step":N,"values":{"loss":0.5,...}}   points of curves at one step; "nan", "inf", "-inf" as text
 *   {"t":"beat","at":TIME,"boot_s":S,"step":N}         sign of life; with resumed_step when it has begun
 *   {"t":"note","text":...}                            for a person; makes no row
 *   {"t":"end","state":...,...}                        how it ended: the columns of attempt that are set at the end
 *   {"t":"seal","lines":N,"sha256":HEX}                the last line: number and SHA-256 of all lines before it
 * The first lines are env, arm, cell and attempt, so that a journal can be merged anywhere.
 *
 * When another process has meanwhile ended the attempt (on a machine that saw no sign of life for longer than the
 * lease), the writer continues as a separate attempt in a folder beside the old one: a late result is filed, nothing is
 * mixed.
 *
 * The writer holds a lock on the file as long as it lives, which is how others know that it does. Lines are written
 * whole: after a failed write the file is cut back to its last whole line. What decides (checkpoint, metric, end)
 * is synced to disk, and the lines before it with it; curve points wait up to a second in memory. All functions may be
 * called from any thread. */
#ifndef ABLATE_JOURNAL_H
#define ABLATE_JOURNAL_H

#include "harness/record/record_state.h"
#include "model/base/err.h"
#include "model/base/io.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What an attempt begins with. Texts are borrowed; NULL where it does not apply. */
struct journal_head {
	const char *attempt; /* UUID */
	const char *cell, *arm, *config, *dataset;
	int64_t seed, numerics;
	int64_t n;           /* 1-based number of this attempt */
	const char *purpose; /* "run" or "verify" */
	const char *resumed_from;
	const char *env_hash, *env_json;
	const char *fingerprint; /* numerics fingerprint, as attempt.fingerprint */
	int64_t generation;      /* as attempt.generation */
	const char *slurm_job;
	int64_t slurm_restart;
	int64_t pid; /* 0 = this process */
};

/* How it ended. */
struct journal_end {
	enum record_state state;
	const char *reason;         /* as in attempt.reason */
	int exit_code, signal;      /* -1 = unknown */
	int64_t step, resumed_step; /* -1 = unknown */
	double wall_s, cpu_s;       /* < 0 = unknown */
	int64_t max_rss;            /* bytes; < 0 = unknown */
};
#define JOURNAL_END_INIT \
	{ \
		.exit_code = -1, .signal = -1, .step = -1, .resumed_step = -1, .wall_s = -1, .cpu_s = -1, .max_rss = -1 \
	}

struct journal;

/* Creates the file (which must not exist), locks it and writes the first lines, which are not synced: nothing was
 * computed yet. */
MUST_CHECK int journal_create(struct journal **out, const char *path, const struct journal_head *head, struct err *e);
/* Opens the file of a dead writer to write its end; a torn last line is cut off (its bytes: *torn). Fails when the
 * writer lives or the file is sealed. */
MUST_CHECK int journal_adopt(struct journal **out, const char *path, int64_t *torn, struct err *e);
/* Appends a line (the reference is taken over); `sync` waits until it and all before it are on disk. */
MUST_CHECK int journal_add(struct journal *j, json_t *line, bool sync, struct err *e);
/* Appends a curve point to the batch; a failure to write shows at the next call that can fail. */
void journal_curve(struct journal *j, const char *name, int64_t step, double value);
/* Appends a sign of life and writes the batch. */
MUST_CHECK int journal_beat(struct journal *j, int64_t step, struct err *e);
/* The same, and that the work goes on from the checkpoint of that step. */
MUST_CHECK int journal_resumed(struct journal *j, int64_t step, struct err *e);
/* A metric row: value is stored in decimal and as "%a". lo, hi may be NAN (none); n < 0: none; computed_by as
 * in the schema, NULL = on the host. */
struct journal_metric {
	const char *name, *weights, *protocol, *computed_by;
	int nfe;
	int64_t step, eval_seed, n;
	double value, lo, hi;
	const char *asked, *taken_from; /* as in the schema; may be NULL */
};
MUST_CHECK int journal_metric(struct journal *j, const struct journal_metric *m, struct err *e);
/* A file by content, and its role: table is "input" or "output", or "checkpoint" with role NULL and step. */
struct journal_file {
	const char *table, *role, *kind, *name, *sha256;
	int64_t step, bytes, n_items;
	const char *sampling; /* of an output that is samples, as in the schema; else NULL */
};                        /* bytes, n_items < 0: unknown */
MUST_CHECK int journal_file(struct journal *j, const struct journal_file *f, struct err *e);
MUST_CHECK int journal_note(struct journal *j, const char *text, struct err *e);
/* Writes the end and the seal, syncs. The journal can only be closed after. */
MUST_CHECK int journal_end(struct journal *j, const struct journal_end *end, struct err *e);
/* The same, and it keeps the lock: another thread that comes to write waits until the process ends, which must be
 * soon. */
MUST_CHECK int journal_end_for_all(struct journal *j, const struct journal_end *end, struct err *e);
/* The seal alone, for a writer that died between the two. */
MUST_CHECK int journal_seal(struct journal *j, struct err *e);
void journal_close(struct journal *j); /* without journal_end the file stays unsealed; accepts NULL */

/* Does a writer hold the file's lock? A file that does not exist has none. */
bool journal_is_alive(const char *path);
bool journal_any(const char *runs); /* is there a journal in the run folder? */

/* --- reading --- */

/* Where a scan stands; zero-initialised: at the start. */
struct journal_scan {
	int64_t bytes, lines; /* of whole lines taken so far */
	int64_t torn;         /* bytes after the last whole line */
	bool ended, sealed;
	bool hashing;            /* it began with the first line, so that the seal can be checked */
	struct sha256 sha;       /* of the lines taken so far */
	char sha256[SHA256_HEX]; /* when sealed: of the lines before the seal */
};
typedef int journal_line_fn(void *ctx, const char *type, json_t *line, struct err *e);
/* Calls fn for each whole line of data[0..n), which follows what `scan` has taken. A line that is not a JSON object
 * with "t", or that stands after the seal, or a seal that does not fit the lines before it: EXIT_RECORD with its
 * number. The seal itself is not passed to fn. */
MUST_CHECK int journal_scan_bytes(struct journal_scan *scan, const char *data, size_t n, journal_line_fn *fn, void *ctx,
                                  struct err *e);
/* The same for what a file has beyond scan->bytes. */
MUST_CHECK int journal_scan_file(struct journal_scan *scan, const char *path, journal_line_fn *fn, void *ctx,
                                 struct err *e);
/* For a sealed file: do its bytes have the SHA-256 and the number of lines that the seal says? EXIT_RECORD if not. An
 * unsealed file passes. */
MUST_CHECK int journal_check_seal(const char *path, struct err *e);
/* The same for bytes; path is for the message. What the seal says: "" and 0 without a seal. */
struct journal_sealed {
	char sha256[SHA256_HEX]; /* of the lines before it */
	int64_t lines;           /* with the seal */
};
MUST_CHECK int journal_seal_of(struct journal_sealed *out, const char *data, size_t n, const char *path, struct err *e);
/* Is the file's last line a seal, right or not? From its last bytes, for who has many files to look at. */
bool journal_is_sealed(const char *path);
/* First line of a type; NULL when there is none. The caller owns the reference. */
MUST_CHECK int journal_find(json_t **out, const char *path, const char *type, struct err *e);
/* The same of bytes, as far as that line; what comes after it is not looked at. path is for the message. */
MUST_CHECK int journal_first(json_t **out, const char *data, size_t n, const char *type, const char *path,
                             struct err *e);

/* A double as JSON: a number, or "nan", "inf", "-inf"; and back (false when it is neither). */
json_t *journal_number(double x);
bool journal_number_value(double *out, const json_t *v);

#endif
