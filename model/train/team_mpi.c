/* team_mpi.c - libablate_mpi.so: what team.h asks of a plugin, by MPI. Sums are non-blocking; their order over ranks is
 * MPI's, which is the same for the same number of ranks and the same length. */
#include "model/train/team.h"

#include <limits.h>
#include <mpi.h>
#include <stdio.h>

enum { MAX_SUMS = 4096 };

/* Sums that were begun and have not ended. Of the process, as MPI_COMM_WORLD is; called by one thread. */
static MPI_Request sums[MAX_SUMS];
static int n_sums;

static int said(int rc, const char *what, char error[200])
{
	char words[MPI_MAX_ERROR_STRING] = "";
	int n;
	if (rc == MPI_SUCCESS)
		return 0;
	(void)MPI_Error_string(rc, words, &n);
	(void)snprintf(error, 200, "%s: %.150s", what, words);
	return -1;
}

static int join(int *rank, int *size, char error[200])
{
	int have;
	error[0] = 0;
	if (said(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &have), "MPI_Init_thread", error))
		return -1;
	(void)MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	return said(MPI_Comm_rank(MPI_COMM_WORLD, rank), "MPI_Comm_rank", error) ||
	               said(MPI_Comm_size(MPI_COMM_WORLD, size), "MPI_Comm_size", error)
	           ? -1
	           : 0;
}

static int sums_end(char error[200])
{
	int rc = MPI_Waitall(n_sums, sums, MPI_STATUSES_IGNORE);
	n_sums = 0;
	return said(rc, "MPI_Waitall", error);
}

static int sum_begin(float *values, size_t n, char error[200])
{
	if (n > INT_MAX || (n_sums == MAX_SUMS && sums_end(error))) {
		(void)snprintf(error, 200, "a sum of %zu values is too long", n);
		return -1;
	}
	return said(MPI_Iallreduce(MPI_IN_PLACE, values, (int)n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, &sums[n_sums++]),
	            "MPI_Iallreduce", error);
}

static int poll_sums(char error[200])
{
	int done;
	return said(MPI_Testall(n_sums, sums, &done, MPI_STATUSES_IGNORE), "MPI_Testall", error);
}

static int tell(void *bytes, size_t n, char error[200])
{
	return said(MPI_Bcast(bytes, (int)n, MPI_BYTE, 0, MPI_COMM_WORLD), "MPI_Bcast", error);
}

static void leave(void)
{
	(void)MPI_Finalize();
}

extern const struct team_plugin ablate_team_plugin;
const struct team_plugin ablate_team_plugin = {
	.join = join,
	.sum_begin = sum_begin,
	.sums_end = sums_end,
	.poll = poll_sums,
	.tell = tell,
	.leave = leave,
};
