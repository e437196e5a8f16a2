/* emu_nccl.cc - cuda_nccl.h between processes of this machine: memory shared by a file whose path is the team's name.
 * Each process lays its values there, all wait, each sums them in the order of ranks, all wait again. Like the
 * library's, a sum is kept in a capture. A partner that does not come within a minute is a lost device. */
#include "model/cuda/cuda_nccl.h"

#include "tests/cuda_emu/emu_private.h"

#include <atomic>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <vector>

enum { MOST = 1 << 18, MAX_RANKS = 8 };

struct shared {
	std::atomic<int> arrived, round;
	float values[MAX_RANKS][MOST];
};
struct cuda_team {
	struct shared *at;
	int rank, size;
};

int cuda_team_name(char name[TEAM_NAME_BYTES], struct err *e)
{
	(void)snprintf(name, TEAM_NAME_BYTES, "/tmp/ablate-team-XXXXXX");
	int fd = mkstemp(name);
	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) || close(fd))
		return err_set(e, "%s: cannot be made", name);
	return 0;
}

/* false when a partner does not come. */
static bool meet(struct cuda_team *t)
{
	int round = t->at->round.load();
	if (t->at->arrived.fetch_add(1) + 1 == t->size) {
		t->at->arrived.store(0);
		t->at->round.store(round + 1);
		return true;
	}
	for (int i = 0; i < 600000; i++) {
		if (t->at->round.load() != round)
			return true;
		struct timespec pause = { 0, 100000 };
		(void)nanosleep(&pause, NULL);
	}
	return false;
}

int cuda_team_join(struct cuda_team **out, const char name[TEAM_NAME_BYTES], int rank, int size, struct err *e)
{
	int fd = open(name, O_RDWR);
	void *at = fd < 0 || size > MAX_RANKS
	               ? MAP_FAILED
	               : mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		(void)close(fd);
	if (at == MAP_FAILED)
		return err_set(e, "%s: process %d of %d cannot join", name, rank, size);
	struct cuda_team *t = new cuda_team;
	t->at = (struct shared *)at;
	t->rank = rank;
	t->size = size;
	bool met = meet(t);
	if (rank == 0)
		(void)unlink(name);
	*out = t;
	return met ? 0 : err_set(e, "process %d of %d waited for the others in vain", rank, size);
}

static void mean(struct cuda_team *t, float *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		t->at->values[t->rank][i] = values[i];
	if (!meet(t)) {
		(void)emu_lose(cudaErrorLaunchFailure);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		float sum = 0;
		for (int rank = 0; rank < t->size; rank++)
			sum += t->at->values[rank][i];
		values[i] = sum / (float)t->size;
	}
	if (!meet(t))
		(void)emu_lose(cudaErrorLaunchFailure);
}

void cuda_team_mean(struct cuda *cu, struct cuda_team *t, float *values, size_t n, cudaStream_t stream)
{
	if (n > MOST) {
		cuda_fail(cu, __FILE__, __LINE__, "a mean over processes", "too many values at once");
		return;
	}
	CUDA_CALL(cu, emu_call(stream, [=] { mean(t, values, n); }));
}

void cuda_team_leave(struct cuda_team *t, bool)
{
	if (t)
		(void)munmap(t->at, sizeof(struct shared));
	delete t;
}
