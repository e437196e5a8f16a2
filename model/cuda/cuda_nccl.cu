/* cuda_nccl.cu - see cuda_nccl.h. The few declarations that are needed are our own, so that no NCCL header is: they are
 * those of its version 2, which keeps them. */
#include "model/cuda/cuda_nccl.h"

extern "C" {
#include "model/cuda/nvidia.h"
}

#include <stdlib.h>
#include <string.h>

extern "C" {
typedef struct ncclComm *nccl_comm;
struct nccl_name {
	char bytes[TEAM_NAME_BYTES];
};
}
enum { NCCL_OK = 0, NCCL_FLOAT32 = 7, NCCL_MEAN = 4 };

static struct {
	int (*get_name)(struct nccl_name *out);
	int (*init)(nccl_comm *out, int size, struct nccl_name name, int rank);
	int (*all_reduce)(const void *from, void *to, size_t n, int type, int how, nccl_comm comm, cudaStream_t stream);
	int (*destroy)(nccl_comm comm);
	int (*abort)(nccl_comm comm);
	const char *(*error)(int rc);
} nccl;

static const struct nvidia_function functions[] = {
	/* those of version 2.10 and newer */
	{ "ncclGetUniqueId", &nccl.get_name },
	{ "ncclCommInitRank", &nccl.init },
	{ "ncclAllReduce", &nccl.all_reduce },
	{ "ncclCommDestroy", &nccl.destroy },
	{ "ncclCommAbort", &nccl.abort },
	{ "ncclGetErrorString", &nccl.error },
	{ NULL, NULL },
};
static struct nvidia_library library = { &nvidia_rows[NVIDIA_NCCL], functions, false, NULL, "" };

static int open_library(struct err *e)
{
	if (nvidia_open(&library))
		return 0;
	return err_set(e, "several GPUs need NCCL 2.10 or newer: %s", library.why_not);
}

int cuda_team_name(char name[TEAM_NAME_BYTES], struct err *e)
{
	struct nccl_name made;
	if (open_library(e))
		return -1;
	int rc = nccl.get_name(&made);
	if (rc != NCCL_OK)
		return err_set(e, "ncclGetUniqueId: %s", nccl.error(rc));
	memcpy(name, made.bytes, sizeof made.bytes);
	return 0;
}

struct cuda_team {
	nccl_comm comm;
};

int cuda_team_join(struct cuda_team **out, const char name[TEAM_NAME_BYTES], int rank, int size, struct err *e)
{
	struct nccl_name given;
	struct cuda_team *t = (struct cuda_team *)calloc(1, sizeof *t);
	if (!t)
		abort();
	memcpy(given.bytes, name, sizeof given.bytes);
	int rc = open_library(e) ? -1 : nccl.init(&t->comm, size, given, rank);
	if (rc == NCCL_OK) {
		*out = t;
		return 0;
	}
	free(t);
	return rc < 0 ? -1 : err_set(e, "ncclCommInitRank, process %d of %d: %s", rank, size, nccl.error(rc));
}

void cuda_team_mean(struct cuda *cu, struct cuda_team *t, float *values, size_t n, cudaStream_t stream)
{
	int rc = nccl.all_reduce(values, values, n, NCCL_FLOAT32, NCCL_MEAN, t->comm, stream);
	if (rc != NCCL_OK)
		cuda_fail(cu, __FILE__, __LINE__, "ncclAllReduce", nccl.error(rc));
}

void cuda_team_leave(struct cuda_team *t, bool lost)
{
	if (t)
		(void)(lost ? nccl.abort : nccl.destroy)(t->comm);
	free(t);
}
