/* run_stale.c - what `run` says about cells that another build made. See run_command.h. */
#include "harness/commands/plan_open.h"
#include "harness/commands/run_command.h"

#include "harness/record/fingerprint.h"
#include "model/base/str.h"

#include <stdlib.h>

void run_tell_stale(const struct cli *c, const struct run_result *r)
{
	char here[SHA256_HEX];
	if (!r->stale)
		return;
	json_decref(fingerprint_parts(here, "cpu", NULL));
	SCOPED(free) char *command = plan_command(c, c->cmd->name);
	const char *one = r->stale == 1 ? "was" : "were", *it = r->stale == 1 ? "it" : "them";
	cli_warn(c,
	         "%d of %d cached cell%s %s made by another build (fingerprint %s; now %.*s): `%s --rebuild stale` makes "
	         "%s again",
	         r->stale, r->cached, str_plural(r->cached), one, r->made_by, FINGERPRINT_SHOWN, here, command, it);
}
