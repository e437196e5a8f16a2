/* watch_changes.h - what became of cells since the moment before, for readers of lines: a log, a pipe, a program. */
#ifndef ABLATE_WATCH_CHANGES_H
#define ABLATE_WATCH_CHANGES_H

#include "harness/watch/watch.h"
#include "model/base/str.h"
#include "harness/text/json_keys.h"

#include <jansson.h>

/* What was last told of each cell. Zero-initialised: nothing yet. */
struct watch_told {
	struct watch_said *v; /* by hash of the cell */
	int n;
	bool begun;
};
void watch_told_release(struct watch_told *t);

/* Appends a line for each cell that has another state or attempt than before, or another tenth of its training behind
 * it; the first time the summary and a line for each that runs or needs somebody. now: wall clock, as host_now. */
void watch_changes_text(struct str *out, struct watch_told *told, const struct watch *w, const char *now);
extern const struct json_key watch_changes_keys[], watch_gpus_keys[]; /* of each object of these two */
/* The same cells, the first time all; here any step counts as a change. New reference. */
json_t *watch_changes_json(struct watch_told *told, const struct watch *w);
/* What the driver says of each. New reference. */
json_t *watch_gpus_json(const struct watch *w);

#endif
