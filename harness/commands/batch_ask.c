/* batch_ask.c - see batch_ask.h. */
#include "harness/commands/batch_ask.h"

#include "harness/commands/slurm_ask.h"

#include <unistd.h>

int batch_ask(struct batch_ask *out, const struct cli *c, const struct grid *g, struct err *e)
{
	struct slurm_options *job = &out->options.job;
	*out = (struct batch_ask){ 0 };
	if (!getcwd(out->options.dir, sizeof out->options.dir))
		return err_set(e, "the working directory has no path");
	if (slurm_options_of(job, c, e) || batch_settings_find(&out->settings, g, e))
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
