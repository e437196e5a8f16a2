/* slurm_client.c - talking to Slurm through its client programs, with a time limit. See slurm_client.h. */
#include "harness/slurm/slurm_client.h"

#include "harness/slurm/program_call.h"
#include "model/base/mem.h"

int slurm_call(struct str *out, const char *const argv[], struct err *e)
{
	SCOPED(program_answer) struct program_answer a = { 0 };
	if (program_call(&a, &(struct program_ask){ .argv = argv, .limit_s = SLURM_CALL_S }, e))
		return -1;
	if (!a.code) {
		str_addn(out, str_text(&a.out), a.out.len);
		return 0;
	}
	const char *words = program_words(a.said.len ? &a.said : &a.out);
	if (a.code < 0)
		return err_code(e, EXIT_USAGE, "%s: no answer within %.0f s: %.700s", argv[0], SLURM_CALL_S,
		                a.said.len ? words : "the controller of Slurm does not answer");
	return err_code(e, EXIT_USAGE, "%s refused: %.700s", argv[0], *words ? words : "without a message");
}

int slurm_is_here(struct err *e)
{
	static const char *const version[] = { "sbatch", "--version", NULL };
	SCOPED(str) struct str answer = { 0 };
	struct err why = ERR_INIT;
	if (!slurm_call(&answer, version, &why))
		return 0;
	return err_code(e, EXIT_USAGE,
	                "%s: --engine slurm needs Slurm's client programs (Debian: slurm-client), or use --engine local",
	                why.msg);
}
