/* export_crate.h - a grid's run as a Workflow Run RO-Crate: a folder with
 *     ro-crate-metadata.json       JSON-LD: what ran, on what, out of what, with which scores
 *     NAME.toml                    the grid file, which is the crate's workflow
 *     inherited/N-NAME             the files that it inherits
 *     statements.intoto.jsonl      the valid signed statements about its attempts, if there are any
 * by the profiles Workflow Run Crate 0.5 and Process Run Crate 0.5 over RO-Crate 1.1.
 *
 * The grid is the ComputationalWorkflow and the main entity. One CreateAction, whose instrument it is, stands for the
 * whole run; each attempt that is used for a cell is a CreateAction of the program (SoftwareApplication, by version and
 * commit): object are the cell's settings and seed and what was read, result are its scores (PropertyValue) and what
 * was written, both by SHA-256, as the files themselves are not in the crate; additionalProperty is the environment,
 * resourceUsage what it took. The same records give the same bytes. */
#ifndef ABLATE_EXPORT_CRATE_H
#define ABLATE_EXPORT_CRATE_H

#include "harness/record/db.h"

/* grid: hash of a grid of the database; dir: made if it is not there. identity: with the signer of each attempt, where
 * there is one, as agent; without it the caller hides the rest (db_hide_identity). *actions: attempts described. */
MUST_CHECK int export_crate(int *actions, struct db *db, const char *grid, const char *dir, bool identity,
                            struct err *e);

#endif
