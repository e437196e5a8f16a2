/* baseline.h - a gate's stored baseline: one small TOML file, reviewed and kept in git.
 *
 * It holds the value of each training seed (decimal and hex, which must agree: a file edited by hand is refused), what
 * they are values of (gate, metric, arm, protocol, numerics version, environment, commit) and why it was accepted.
 * `ablate baseline propose` writes NAME.proposed.toml; `accept --reason` turns it into NAME.toml. A passing gate never
 * moves it. The first accepted values of a numerics version are kept in [first], so that the sum of many small
 * steps stays in sight (gate_judge_drift).
 *
 *     schema = 1                                [first]                  # absent in a first baseline
 *     gate = "no-regression"                    commit = "..."
 *     metric = "fid@1"                          seeds = [1, 2, 3]
 *     label = "base"                            values = [10.5, 10.25, 10.125]
 *     arm = "64 hex digits"                     hex = ["0x1.5p+3", "0x1.48p+3", "0x1.44p+3"]
 *     protocol = "fid:..."
 *     numerics = "1"
 *     env = "64 hex digits"
 *     commit = "..."
 *     fingerprint = "64 hex digits"             # numerics fingerprint; "A+B": the values are of several builds
 *     state = "proposed"                        # or "accepted"
 *     reason = ""
 *     created = "2026-01-31T12:00:00Z"
 *     supersedes = ""                           # SHA-256 of the file that this one replaced
 *     seeds = [1, 2, 3]
 *     values = [10.5, 10.25, 10.125]
 *     hex = ["0x1.5p+3", "0x1.48p+3", "0x1.44p+3"] */
#ifndef ABLATE_BASELINE_H
#define ABLATE_BASELINE_H

#include "harness/judge/gate.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <stdbool.h>

struct baseline_values {
	int n;
	int64_t *seed;
	double *value;
}; /* in the baseline's arena */

struct baseline {
	struct arena arena; /* owns every text and value below */
	const char *gate, *metric, *label, *arm, *protocol, *numerics, *env, *commit, *fingerprint, *reason, *created,
		*supersedes; /* fingerprint: numerics fingerprint of the values, "" in files of before there were any */
	bool accepted;
	struct baseline_values now;
	const char *first_commit;
	struct baseline_values first; /* n = 0: this one is the first */
};

/* Reads and checks a file. Errors: exit 5, naming the file, line and key. On failure *out is untouched. */
MUST_CHECK int baseline_read(struct baseline *out, const char *path, struct err *e);
/* The file's text; the texts of b may be any UTF-8, NULL counts as "". */
void baseline_text(struct str *out, const struct baseline *b);
void baseline_release(struct baseline *b);
void scoped_baseline(struct baseline *b);
/* The gate's view of the values; lives as long as b. */
struct gate_side baseline_side(const struct baseline *b, const struct baseline_values *v);
/* Heap text DIR/GRID.GATE.toml (or .proposed.toml): names are reduced to letters, digits, '-', '_' and '.'. */
char *baseline_path(const char *dir, const char *grid, const char *gate, bool proposed);
/* Turns `proposed` (in place) into an accepted baseline that replaces `old` (NULL: none), whose file has SHA-256
 * `old_sha`. [first] is kept while the numerics version stays; an empty reason, another metric or an already
 * accepted one is an error. Texts handed in are copied. */
MUST_CHECK int baseline_accept(struct baseline *proposed, const struct baseline *old, const char *old_sha,
                               const char *reason, const char *created, struct err *e);

#endif
