/* gate_values.h - a gate over values given in a file, without a database: `ablate gate --values FILE.toml`.
 *
 *     [candidate]
 *     values = [10.1, 10.4, 9.8]        # one number per training seed; nan and inf are read and judged an error
 *     seeds = [1, 2, 3]                 # optional: seeds that both sides share make pairs
 *     protocol = "fid:..."              # optional, as is numerics = "1": both given and different = error
 *     [baseline]
 *     values = [10.0, 10.4, 9.7]        # or a summary instead: mean = 10.0, sd = 0.3, n = 8
 *     seeds = [1, 2, 3]
 *     sd = 0.3                          # beside values: a stored spread, for when a side has one seed; sd_n its seeds
 *     [gate]                            # every key is optional
 *     name = "no-regression"            # default "values"
 *     metric = "fid@1"
 *     test = "non-inferiority"          # default; or "superiority"
 *     margin = { relative = 0.05 }      # or { absolute = 0.5 }, or a number, which is absolute; default 0
 *     alpha = 0.05                      # one-sided; default 0.05
 *     paired = true                     # default: pair when both sides have the same seeds
 *     looks = [3, 5]
 *     better = "lower"                  # default; or "higher"
 *     on_inconclusive = "fail"          # default; or "warn"
 *
 * The [gate] reader serves a grid's [[gate]] entries, too. */
#ifndef ABLATE_GATE_VALUES_H
#define ABLATE_GATE_VALUES_H

#include "harness/judge/gate.h"
#include "harness/text/toml.h"

struct gate_values {
	struct toml *doc; /* holds the texts */
	struct gate_rule rule;
	struct gate_side candidate, baseline;
	double *value[2];
	int64_t *seed[2];
};

/* Errors: file:line:col, exit 2. On failure *out is empty. */
MUST_CHECK int gate_values_read(struct gate_values *out, const char *path, struct err *e);
void gate_values_release(struct gate_values *v);

/* Reads one gate's margin (a number, { absolute = x } or { relative = x }), test, alpha, looks, better and
 * on_inconclusive from a TOML table into *rule; absent keys keep what *rule has. */
MUST_CHECK int gate_rule_from_toml(struct gate_rule *rule, const struct toml_value *table, struct err *e);

#endif
