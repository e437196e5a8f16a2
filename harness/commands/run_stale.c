/* run_stale.c - what `run` says about cells that another build made. See run_command.h. */
#include "harness/commands/run_command.h"

#include "harness/record/fingerprint.h"
#include "model/base/str.h"

#include <stdlib.h>

/* The command line, with --rebuild. */
static char *rebuild_command(const struct cli *c)
{
	struct str s = { 0 };
	int n_sets, n_only;
	SCOPED(free) const char **sets = cli_strings(c, "set", &n_sets);
	SCOPED(free) const char **only = cli_strings(c, "only", &n_only);
	str_addf(&s, "ablate %s%s%s", c->cmd->name, c->n_args ? " " : "", c->n_args ? c->args[0] : "");
	for (int i = 0; i < n_sets; i++)
		str_addf(&s, " --set '%s'", sets[i]);
	for (int i = 0; i < n_only; i++)
		str_addf(&s, " --only '%s'", only[i]);
	str_addf(&s, " --db %s --rebuild stale", c->db);
	return str_detach(&s);
}

void run_tell_stale(const struct cli *c, const struct run_result *r)
{
	char here[SHA256_HEX];
	if (!r->stale)
		return;
	json_decref(fingerprint_parts(here, "cpu", NULL));
	SCOPED(free) char *command = rebuild_command(c);
	cli_warn(c, "%d of %d cached cell%s %s made by another build (fingerprint %s; now %.*s): `%s` makes %s again",
	         r->stale, r->cached, str_plural(r->cached), r->stale == 1 ? "was" : "were", r->made_by, FINGERPRINT_SHOWN,
	         here, command, r->stale == 1 ? "it" : "them");
}
