/* hidden.h - records without identity: whose machine it was stays out of them.
 *
 * With $ABLATE_NO_IDENTITY (which `ablate run --no-identity` sets for itself and its workers) what is recorded has no
 * host name, no number by which a device can be told from others of its kind, and no path in a reason or note; the boot
 * id, by which a dead process is known, is recorded as a salted hash. What decides numbers stays: processor,
 * instruction sets, libraries, device and driver; and so do the process id, a job's number of Slurm, and the texts of
 * grids. Logs, jobs and frozen plans in the run folder are no records: they stay on the machine.
 *
 * What leaves by an export is hidden in the same way unless identity is asked for: db_hide_identity. */
#ifndef ABLATE_HIDDEN_H
#define ABLATE_HIDDEN_H

#include "harness/record/db.h"
#include "model/base/str.h"

#include <stdbool.h>

bool hidden_on(void);
void hidden_begin(void); /* for this process and those that it starts */

#define HIDDEN_BOOT 128
/* What is recorded of this machine: NULL where its name is hidden; its boot id, hidden or not, "" where it has none. */
const char *hidden_host(void);
const char *hidden_boot(char buf[HIDDEN_BOOT]);
/* Is that the recorded boot id, hidden or not, of the present boot of this machine? */
bool hidden_is_this_boot(const char *recorded);

/* Appends text with every absolute path cut to its last name, and this machine's name left out. */
void hidden_text(struct str *dst, const char *text);
/* The paths alone, of a text that is JSON and stays so: a host may be called like one of its keys. */
void hidden_paths(struct str *dst, const char *json);

/* Every later question of this connection is answered without host names, boot ids, devices' numbers and paths. */
MUST_CHECK int db_hide_identity(struct db *db, struct err *e);

#endif
