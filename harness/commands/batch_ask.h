/* batch_ask.h - what a command line, a grid and the site say of tasks of --engine command, for the commands that submit
 * or plan. */
#ifndef ABLATE_BATCH_ASK_H
#define ABLATE_BATCH_ASK_H

#include "harness/batch/batch_settings.h"
#include "harness/batch/engine_batch.h"
#include "harness/cli/cmd.h"

/* Texts are of the command line, the grid and the site's file. */
struct batch_ask {
	struct batch_options options;
	struct batch_settings settings;
};
/* Everything is checked before anything is written. */
MUST_CHECK int batch_ask(struct batch_ask *out, const struct cli *c, const struct grid *g, struct err *e);
void scoped_batch_ask(struct batch_ask *a); /* SCOPED(batch_ask) struct batch_ask a = { 0 }; */

#endif
