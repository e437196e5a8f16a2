/* bench_process.h - a program run once, for its wall time, its largest resident memory, and what it printed. */
#ifndef ABLATE_BENCH_PROCESS_H
#define ABLATE_BENCH_PROCESS_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stdint.h>

struct bench_process {
	double seconds;
	int64_t peak_bytes; /* not below the memory of the process that started it, which a fork copies: keep that small */
	struct str out;     /* its stdout; the caller releases it */
};

/* Runs words (found along PATH; NULL at the end) and waits for its end, with as many threads in the environment of
 * those libraries that read it. stdout and stderr go to files in `folder`. It dies with this process. A failure names
 * `what`, how it ended and the last line that it said. */
MUST_CHECK int bench_process_run(struct bench_process *out, const char *what, const char *const *words, int threads,
                                 const char *folder, struct err *e);

/* The last line that is not blank, of a text that is cut behind it. */
const char *bench_last_line(struct str *s);

/* A new folder below $TMPDIR with the folders named in subs (NULL at the end); it goes with bench_folder_remove, or
 * with this process where a signal ends that. */
struct bench_folder {
	char *path;
	int kept[4];
	int n_kept;
};
MUST_CHECK int bench_folder_make(struct bench_folder *f, const char *const *subs, struct err *e);
void bench_folder_remove(struct bench_folder *f); /* an empty one is fine */
void scoped_bench_folder(struct bench_folder *f); /* SCOPED(bench_folder) struct bench_folder f = { 0 }; */

#endif
