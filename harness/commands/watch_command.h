/* watch_command.h - `ablate watch`, which `ablate status --watch` is another name of. */
#ifndef ABLATE_WATCH_COMMAND_H
#define ABLATE_WATCH_COMMAND_H

#include "harness/cli/cmd.h"
#include "harness/watch/status_read.h"
#include "harness/text/json_keys.h"

extern const struct json_key watch_keys[]; /* of each object that watch_command prints */
/* Shows how the study stands until nothing runs any more: as a screen on a terminal, as lines of changes elsewhere,
 * with --json as an object in each line. only: as status_read's. Returns the exit code. */
int watch_command(const struct cli *c, const char *only);
/* The grid that c's argument means, as status_read takes it: *only is NULL without one, a name, or the hash of a file's
 * plan; *hash, heap, is where that is kept. --set without a file is EXIT_USAGE, and --only, too, unless cells of the
 * database are selected by it. */
MUST_CHECK int watch_grid(const char **only, char **hash, const struct cli *c, bool selects, struct err *e);
/* status_read, but a grid that is not there is EXIT_USAGE. */
MUST_CHECK int watch_status(struct status *out, const struct store *s, const struct cli *c, const char *only,
                            struct err *e);

#endif
