/* slurm_ask.c - see slurm_ask.h. */
#include "harness/commands/slurm_ask.h"

#include "harness/commands/place_options.h"

#include <stdlib.h>

int slurm_options_of(struct slurm_options *out, const struct cli *c, struct err *e)
{
	int microbatch;
	*out = (struct slurm_options){ .db = c->db,
		                           .device = cli_string(c, "device", "auto"),
		                           .microbatch = cli_string(c, "microbatch", NULL),
		                           .jobs = (int)cli_int(c, "jobs", 0),
		                           .threads = (int)cli_int(c, "threads", 0),
		                           .ranks = (int)cli_int(c, "ranks", 1) };
	return engine_devices_named(out->device, e) || microbatch_of(&microbatch, c, e) ? -1 : 0;
}

int slurm_ask(struct slurm_ask *out, const struct cli *c, const struct grid *g, struct err *e)
{
	*out = (struct slurm_ask){ 0 };
	if (slurm_options_of(&out->options, c, e))
		return -1;
	out->extra = cli_strings(c, "sbatch", &out->options.n_extra);
	out->options.extra = out->extra;
	if (slurm_settings_find(&out->settings, g, e) ||
	    slurm_check_options(out->extra, out->options.n_extra, "--sbatch", e)) {
		scoped_slurm_ask(out);
		return -1;
	}
	out->options.slurm = out->settings.v;
	return 0;
}

void scoped_slurm_ask(struct slurm_ask *a)
{
	scoped_slurm_settings(&a->settings);
	free(a->extra);
	*a = (struct slurm_ask){ 0 };
}
