/* batch_ask.c - see batch_ask.h. */
#include "harness/commands/batch_ask.h"

#include "harness/commands/place_options.h"

#include <unistd.h>

int batch_ask(struct batch_ask *out, const struct cli *c, const struct grid *g, struct err *e)
{
	int microbatch;
	struct slurm_options *job = &out->options.job;
	*out = (struct batch_ask){ 0 };
	*job = (struct slurm_options){ .db = c->db,
		                           .device = cli_string(c, "device", "auto"),
		                           .microbatch = cli_string(c, "microbatch", NULL),
		                           .jobs = (int)cli_int(c, "jobs", 0),
		                           .threads = (int)cli_int(c, "threads", 0),
		                           .ranks = (int)cli_int(c, "ranks", 1) };
	if (!getcwd(out->options.dir, sizeof out->options.dir))
		return err_set(e, "the working directory has no path");
	if (engine_devices_named(job->device, e) || microbatch_of(&microbatch, c, e) ||
	    batch_settings_find(&out->settings, g, e))
		return -1;
	out->options.command = out->settings.v;
	job->slurm = out->settings.v.job;
	if (job->threads <= 0)
		job->threads = job->slurm.cpus;
	return 0;
}

void scoped_batch_ask(struct batch_ask *a)
{
	scoped_batch_settings(&a->settings);
	*a = (struct batch_ask){ 0 };
}
