/* slurm_script.c - see slurm_script.h. */
#define _GNU_SOURCE
#include "harness/slurm/slurm_script.h"

#include "model/base/env.h"

#include <limits.h>
#include <unistd.h>

void slurm_quote(struct str *out, const char *text)
{
	str_addc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			str_add(out, "'\\''");
		else
			str_addc(out, *text);
	}
	str_addc(out, '\'');
}

static void export_line(struct str *out, const char *name, const char *value)
{
	str_addf(out, "export %s=", name);
	slurm_quote(out, value);
	str_addc(out, '\n');
}

/* A job gets this environment and nothing else of the submitter's. */
static void add_environment(struct str *out, const struct slurm_options *o)
{
	const struct grid_slurm *s = &o->slurm;
	for (int i = 0; i < ENV_COUNT; i++)
		if (env_row((enum env)i)->sent && env_get((enum env)i))
			export_line(out, env_row((enum env)i)->name, env_get((enum env)i));
	if (o->hidden)
		export_line(out, env_row(ENV_ABLATE_NO_IDENTITY)->name, "1");
	for (int i = 0; i < s->n_env; i++)
		export_line(out, s->env[i].name, s->env[i].value);
	for (int i = 0; i < s->prologue.n; i++)
		str_addf(out, "%s\n", s->prologue.v[i]);
}

/* which: the option that says which task; NULL: the merge job. */
static int add_command(struct str *out, const char *plan, const char *which, const struct slurm_options *o,
                       struct err *e)
{
	char exe[PATH_MAX];
	const char *program = o->slurm.program;
	ssize_t n = program ? 0 : readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n < 0)
		return err_set(e, "/proc/self/exe: cannot read: the program does not know where it is installed");
	exe[n] = '\0';
	for (int i = 0; i < o->slurm.container.n; i++) {
		slurm_quote(out, o->slurm.container.v[i]);
		str_addc(out, ' ');
	}
	slurm_quote(out, program ? program : exe);
	str_add(out, which ? " slurm-task " : " slurm-merge ");
	slurm_quote(out, plan);
	str_add(out, " --db ");
	slurm_quote(out, o->db);
	if (!which)
		return 0;
	str_addf(out, " %s --device ", which);
	slurm_quote(out, o->device);
	if (o->threads > 0)
		str_addf(out, " --threads %d", o->threads);
	if (o->ranks > 1)
		str_addf(out, " --ranks %d", o->ranks);
	if (o->again)
		str_add(out, " --again");
	if (o->microbatch) {
		str_add(out, " --microbatch ");
		slurm_quote(out, o->microbatch);
	}
	return 0;
}

/* A task that is told to stop writes its checkpoint and ends with 75. Its script, which Slurm's signal reaches, passes
 * it on and then puts the job back into the queue. */
static void add_requeue(struct str *out, const struct str *command)
{
	str_addf(
		out,
		"task=\n"
		"stop=\n"
		"trap 'stop=1; [ -z \"$task\" ] || kill -TERM \"$task\"' TERM\n"
		"%s &\n"
		"task=$!\n"
		"[ -z \"$stop\" ] || kill -TERM \"$task\"\n"
		"wait \"$task\"\n"
		"code=$?\n"
		"while kill -0 \"$task\" 2>/dev/null; do\n"
		"\twait \"$task\"\n"
		"\tcode=$?\n"
		"done\n"
		"if [ \"$code\" -eq %d ]; then\n"
		"\tjob=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID\n"
		"\tscontrol requeue \"$job\" ||\n"
		"\t\techo \"ablate: job $job was not requeued; the next \\`ablate run\\` submits it again, or [slurm] requeue "
		"= \\\"chain\\\" has a job wait behind it\" >&2\n"
		"fi\n"
		"exit \"$code\"\n",
		str_text(command), EXIT_OF_A_STOPPED_TASK);
}

int slurm_script(struct str *out, const char *plan, int base, enum slurm_requeue way, const struct slurm_options *o,
                 struct err *e)
{
	SCOPED(str) struct str command = { 0 };
	SCOPED(free) char *which = base < 0 ? NULL : xstrfmt("--base %d", base);
	if (add_command(&command, plan, which, o, e))
		return -1;
	str_add(out, "#!/bin/sh\n");
	add_environment(out, o);
	if (base >= 0 && way == SLURM_REQUEUE_SCONTROL)
		add_requeue(out, &command);
	else
		str_addf(out, "exec %s\n", str_text(&command)); /* so that Slurm's signals reach the program itself */
	return 0;
}

int slurm_script_of_index(struct str *out, const char *plan, const char *dir, const struct slurm_options *o,
                          struct err *e)
{
	SCOPED(str) struct str command = { 0 };
	if (add_command(&command, plan, "--index \"$1\"", o, e))
		return -1;
	str_add(out, "#!/bin/sh\ncd ");
	slurm_quote(out, dir);
	str_add(out, " || exit 1\n");
	add_environment(out, o);
	str_addf(out, "exec %s\n", str_text(&command)); /* so that TERM reaches the program itself */
	return 0;
}
