/* test_last_words.c - what the ends of real logs say: Open MPI 4.1's mpirun, Slurm 22.05's srun and MPICH 4.0's Hydra
 * as they were captured, with most of a backtrace cut; prterun of Open MPI 5 and Intel MPI as their sources and manuals
 * have it. */
#include "harness/run/last_words.h"

#include "model/base/mem.h"
#include "model/base/str.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define RULER "--------------------------------------------------------------------------\n"
#define ABORTED \
	RULER "Primary job  terminated normally, but 1 process returned\n" \
		  "a non-zero exit code. Per user-direction, the job has been aborted.\n" RULER
#define DOUBLE "===================================================================================\n"
#define ADVICE \
	"This typically refers to a problem with your application.\nPlease see the FAQ page for debugging suggestions\n"
#define KILLED "YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)\n"
#define HYDRA(facts) \
	"\n" DOUBLE "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n" facts \
	"=   CLEANING UP REMAINING PROCESSES\n=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES\n" DOUBLE

static const struct {
	const char *name, *log, *line, *end;
} logs[] = {
	{ "mpirun 4.1, SIGKILL",
	  "first words\nlast words of rank 1\n" ABORTED RULER
	  "mpirun noticed that process rank 1 with PID 11147 on node vm exited on signal 9 (Killed).\n" RULER,
	  "last words of rank 1", "rank 1 was killed by signal 9 (Killed)" },
	{ "mpirun 4.1, SIGSEGV",
	  "last words of rank 1\n"
	  "[vm:11248] *** Process received signal ***\n"
	  "[vm:11248] Signal: Segmentation fault (11)\n"
	  "[vm:11248] [ 1] /lib/x86_64-linux-gnu/libc.so.6(+0x8aeec)[0x7f3e5cef4eec]\n"
	  "[vm:11248] *** End of error message ***\n" ABORTED RULER
	  "mpirun noticed that process rank 1 with PID 11248 on node vm exited on signal 11 (Segmentation fault).\n" RULER,
	  "last words of rank 1", "rank 1 was killed by signal 11 (Segmentation fault)" },
	{ "mpirun 4.1, exit 3",
	  "last words of rank 1\n" ABORTED RULER
	  "mpirun detected that one or more processes exited with non-zero status, thus causing\n"
	  "the job to be terminated. The first process to do so was:\n\n"
	  "  Process name: [[16399,1],1]\n  Exit code:    3\n" RULER,
	  "last words of rank 1", "rank 1 exited with code 3" },
	{ "mpirun 4.1, MPI_Abort",
	  "last words of rank 1\n" RULER "MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD\n"
	  "with errorcode 5.\n\nNOTE: invoking MPI_ABORT causes Open MPI to kill all MPI processes.\n"
	  "You may or may not see output from other processes, depending on\nexactly when Open MPI kills them.\n" RULER,
	  "last words of rank 1", "rank 1 exited with code 5" },
	{ "mpirun 4.1, without a word of its own",
	  ABORTED RULER
	  "mpirun noticed that process rank 0 with PID 0 on node vm exited on signal 15 (Terminated).\n" RULER,
	  "", "rank 0 was killed by signal 15 (Terminated)" },
	{ "mpirun 4.1, cut short",
	  "last words of rank 12\n" RULER
	  "mpirun noticed that process rank 12 with PID 0 on node node-7.cluster exited on signal 9 (Kil",
	  "last words of rank 12", "rank 12 was killed by signal 9 (Killed)" },
	{ "srun 22.05, SIGKILL",
	  "srun: cluster configuration lacks support for cpu binding\n"
	  "last words of rank 1\n"
	  "srun: error: vm: task 1: Killed\n"
	  "srun: launch/slurm: _step_signal: Terminating StepId=5.0\n"
	  "slurmstepd-vm: error: *** STEP 5.0 ON vm CANCELLED AT 2026-11-30T21:41:28 ***\n"
	  "srun: error: vm: task 0: Terminated\n"
	  "srun: Force Terminated StepId=5.0\n",
	  "last words of rank 1", "rank 1 was killed by signal 9 (Killed)" },
	{ "srun 22.05, SIGKILL, without a word of its own",
	  "[vm:17169] Read -1, expected 720832, errno = 3\n"
	  "srun: error: vm: task 1: Killed\n"
	  "srun: launch/slurm: _step_signal: Terminating StepId=1.1\n"
	  "slurmstepd-vm: error: *** STEP 1.1 ON vm CANCELLED AT 2026-11-30T22:11:09 ***\n"
	  "slurmstepd-vm: error:  mpi/pmix_v4: _errhandler: vm [0]: pmixp_client_v2.c:211: Error handler invoked: status = "
	  "-61, source = [slurm.pmix.1.1:1]\n"
	  "srun: Job step aborted: Waiting up to 7 seconds for job step to finish.\n"
	  "srun: error: vm: task 0: Killed\n",
	  "", "rank 1 was killed by signal 9 (Killed)" },
	{ "srun 22.05, exit 3, without a word of its own",
	  "srun: error: vm: task 1: Exited with exit code 3\n"
	  "slurmstepd-vm: error:  mpi/pmix_v4: _errhandler: vm [0]: pmixp_client_v2.c:211: Error handler invoked\n",
	  "", "rank 1 exited with code 3" },
	{ "srun 22.05, SIGSEGV",
	  "last words of rank 1\n[vm:11181] *** End of error message ***\n"
	  "srun: error: vm: task 1: Segmentation fault (core dumped)\n"
	  "srun: launch/slurm: _step_signal: Terminating StepId=5.2\n"
	  "srun: error: vm: task 0: Terminated\n",
	  "last words of rank 1", "rank 1 was killed by signal 11 (Segmentation fault)" },
	{ "srun 22.05, exit 3",
	  "last words of rank 1\nsrun: error: vm: task 1: Exited with exit code 3\n"
	  "srun: launch/slurm: _step_signal: Terminating StepId=5.6\n"
	  "slurmstepd-vm: error: *** STEP 5.6 ON vm CANCELLED AT 2026-11-30T21:41:36 ***\n"
	  "srun: error: vm: task 0: Terminated\nsrun: Force Terminated StepId=5.6\n",
	  "last words of rank 1", "rank 1 exited with code 3" },
	{ "srun 22.05, MPI_Abort",
	  "srun: Job step aborted: Waiting up to 7 seconds for job step to finish.\n"
	  "last words of rank 1\n" RULER "MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD\n"
	  "with errorcode 5.\n" RULER "slurmstepd-vm: error: *** STEP 5.8 ON vm CANCELLED AT 2026-11-30T21:41:38 ***\n"
	  "srun: error: vm: task 0: Killed\nsrun: error: vm: task 1: Exited with exit code 5\n",
	  "last words of rank 1", "rank 1 exited with code 5" },
	{ "srun, several tasks of a node with a digit in its name",
	  "last words\nsrun: error: node7: tasks 4-7,9: Exited with exit code 1\n", "last words",
	  "rank 4 exited with code 1" },
	{ "srun, want of memory",
	  "last words\nslurmstepd: error: Detected 1 oom_kill event in StepId=9.0. Some of the step tasks have been OOM "
	  "Killed.\n"
	  "srun: error: node7: task 3: Out Of Memory\n",
	  "last words", "rank 3 was killed by signal 9 (Killed)" },
	{ "srun that cannot begin",
	  "srun: error: Unable to create step for job 7: More processors requested than permitted\n",
	  "srun: error: Unable to create step for job 7: More processors requested than permitted", NULL },
	{ "srun, time limit",
	  "slurmstepd: error: *** STEP 5.0 ON vm CANCELLED AT 2026-11-30T21:41:28 DUE TO TIME LIMIT ***\n",
	  "slurmstepd: error: *** STEP 5.0 ON vm CANCELLED AT 2026-11-30T21:41:28 DUE TO TIME LIMIT ***", NULL },
	{ "srun that cannot launch",
	  "srun: launch/slurm: launch_p_step_launch: StepId=4.1 aborted before step completely launched.\n"
	  "srun: Job step aborted: Waiting up to 7 seconds for job step to finish.\n"
	  "srun: error: task 0 launch failed: Unspecified error\nsrun: error: task 1 launch failed: Unspecified error\n",
	  "srun: error: task 0 launch failed: Unspecified error", NULL },
	{ "an MPI without Slurm's PMI",
	  "[vm:07636] OPAL ERROR: Unreachable in file ext3x_client.c at line 112\n" RULER
	  "The application appears to have been direct launched using \"srun\",\n"
	  "but OMPI was not built with SLURM's PMI support and therefore cannot\nexecute.\n" RULER
	  "*** An error occurred in MPI_Init_thread\n*** on a NULL communicator\n"
	  "srun: error: vm: tasks 0-1: Exited with exit code 1\n",
	  "The application appears to have been direct launched using \"srun\", but OMPI was not built with SLURM's PMI "
	  "support and therefore cannot execute.",
	  "rank 0 exited with code 1" },
	{ "a library's words alone", "[vm:07636] one\n*** two\n", "*** two", NULL },
	{ "prterun of Open MPI 5, SIGKILL",
	  "last words of rank 1\n" RULER "prterun noticed that process rank 1 with PID 4711 on node vm exited on\n"
	  "signal 9 (Killed).\n" RULER,
	  "last words of rank 1", "rank 1 was killed by signal 9 (Killed)" },
	{ "prterun of Open MPI 5, exit 3",
	  "last words of rank 1\n" RULER "prterun detected that one or more processes exited with non-zero status,\n"
	  "thus causing the job to be terminated. The first process to do so was:\n\n"
	  "   Process name: [prterun-vm-4711@1,1]\n   Exit code:    3\n" RULER,
	  "last words of rank 1", "rank 1 exited with code 3" },
	{ "Hydra 4.0, SIGKILL",
	  "last words of rank 1\n" HYDRA("=   PID 12177 RUNNING AT vm\n=   EXIT CODE: 9\n") KILLED ADVICE,
	  "last words of rank 1", "one of its processes was killed by signal 9 (Killed)" },
	{ "Hydra 4.0, exit 3", "last words of rank 1\n" HYDRA("=   PID 12177 RUNNING AT vm\n=   EXIT CODE: 3\n"),
	  "last words of rank 1", "one of its processes exited with code 3" },
	{ "Hydra of Intel MPI, SIGKILL",
	  "last words of rank 1\n\n" DOUBLE "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES\n"
	  "=   RANK 1 PID 4711 RUNNING AT vm\n=   KILLED BY SIGNAL: 9 (Killed)\n" DOUBLE,
	  "last words of rank 1", "rank 1 was killed by signal 9 (Killed)" },
	{ "nothing at all", "", "", NULL },
	{ "no launcher's words", "epoch 1\n-- a short rule --\n\n", "-- a short rule --", NULL },
	{ "what cannot be printed", "caf\xc3\xa9\tbar\n", "caf???bar", NULL },
};

Test(last_words, tell_the_process_from_its_launcher)
{
	for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
		struct last_words w;
		char end[160] = "";
		last_words_of(&w, logs[i].log, true);
		cr_assert_str_eq(w.line, logs[i].line, "%s: '%s'", logs[i].name, w.line);
		cr_assert_eq(last_words_tell(&w), logs[i].end != NULL, "%s", logs[i].name);
		if (logs[i].end)
			last_words_end(end, &w);
		cr_assert_str_eq(end, logs[i].end ? logs[i].end : "", "%s: '%s'", logs[i].name, end);
	}
}

/* One process has no launcher: what looks like one's words is its own. */
Test(last_words, of_one_process_are_its_last_line)
{
	struct last_words w;
	last_words_of(&w, "one\nsrun: error: vm: task 1: Killed\n" RULER "\n", false);
	cr_assert_eq(strncmp(w.line, RULER, strlen(RULER) - 1), 0, "%s", w.line);
	cr_assert_not(last_words_tell(&w));
}

Test(last_words, of_a_log_that_is_not_there_are_none)
{
	struct last_words w;
	last_words_read(&w, "/nowhere", true);
	cr_assert_str_eq(w.line, "");
	cr_assert_not(last_words_tell(&w));
}

Test(last_words, of_a_long_log_are_at_its_end)
{
	struct last_words w;
	SCOPED(str) struct str log = { 0 };
	char *dir = tempdir_make();
	while (log.len < 200000)
		str_addf(&log, "line %zu\n", log.len);
	str_add(&log, "the last one\nsrun: error: vm: task 1: Killed\n");
	free(tempdir_file(dir, "log", log.data, log.len));
	last_words_read(&w, dir, true);
	cr_assert_str_eq(w.line, "the last one");
	cr_assert_eq(w.signal, 9);
	tempdir_remove(dir);
}
