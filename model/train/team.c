/* team.c - see team.h. */
#include "model/train/team.h"

#include "model/base/env.h"
#include "model/base/mem.h"
#include "model/base/own_files.h"
#include "model/base/plugin.h"
#include "model/base/str.h"
#include "model/graph/graph_impl.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKET = 1 << 18 }; /* floats of one sum: large enough to be worth a message, small enough to begin early */

/* A range of the gradients' store, and the node after which all of it has been written. */
struct bucket {
	size_t at, n;
	int ready;
};

struct team {
	const struct team_plugin *plugin;
	struct backend *device; /* that carries the sums; NULL: the plugin does */
	int rank, size;
	float *grad, *loss;
	size_t n;
	struct bucket *buckets;
	int n_buckets, begun;
	bool at_end; /* no sum begins before team_average */
	bool failed;
	char error[200];
};

int team_join(struct team **out, int expected, struct err *e)
{
	const char *named = env_get(ENV_ABLATE_TEAM_PLUGIN);
	SCOPED(free) char *path = named && *named ? xstrdup(named) : own_plugin_file("libablate_mpi.so");
	if (!path)
		return err_set(
			e, "no libablate_mpi.so beside the program: it is built if CMake finds MPI (Debian: libopenmpi-dev)");
	void *library; /* for all: MPI opens parts of its own that look for its symbols */
	if (plugin_open(&library, path, RTLD_NOW | RTLD_GLOBAL, e))
		return -1;
	const struct team_plugin *p = dlsym(library, "ablate_team_plugin");
	if (!p)
		return err_set(e, "%s: not a team plugin of ablate", path);
	struct team *t = xcalloc(1, sizeof *t);
	t->plugin = p;
	if (p->join(&t->rank, &t->size, t->error)) {
		(void)err_set(e, "cannot join the other processes: %s", t->error);
		free(t);
		return -1;
	}
	if (t->size != expected) {
		(void)err_code(e, EXIT_USAGE,
		               "processes that train together: %d, but %d were asked for; start the worker with mpirun -n %d",
		               t->size, expected, expected);
		team_leave(t);
		return -1;
	}
	*out = t;
	return 0;
}

static int rank_on_machine(void)
{
	static const enum env ranks[] = { ENV_OMPI_COMM_WORLD_LOCAL_RANK, ENV_MPI_LOCALRANKID, ENV_SLURM_LOCALID };
	for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
		if (env_get(ranks[i]))
			return (int)strtol(env_get(ranks[i]), NULL, 10);
	return 0;
}

void team_device(char out[32], const struct team *t, const char *asked)
{
	const char *number = asked && strncmp(asked, "cuda:", 5) == 0 ? asked + 5 : NULL;
	if (t && (number || (asked && strcmp(asked, "cuda") == 0)))
		(void)snprintf(out, 32, "cuda:%ld", (number ? strtol(number, NULL, 10) : 0) + rank_on_machine());
	else
		(void)snprintf(out, 32, "%s", asked ? asked : "cpu");
}

int team_join_devices(struct team *t, struct backend *b, struct err *e)
{
	char name[TEAM_NAME_BYTES] = "";
	bool named = true;
	if (b->ops->host_memory)
		return 0;
	if (!b->ops->team)
		return err_code(e, EXIT_USAGE,
		                "%s cannot take part in a team: only on the CPU can several processes train one cell", b->name);
	if (t->rank == 0)
		named = b->ops->team->name(b, name, e) == 0;
	if (team_agree(t, &named, NULL, e) || !named)
		return t->rank == 0 ? -1 : err_set(e, "the first process cannot begin a team");
	if (t->plugin->tell(name, sizeof name, t->error))
		return err_set(e, "%d processes lost contact: %s", t->size, t->error);
	t->device = b;
	return b->ops->team->join(b, name, t->rank, t->size, e);
}

void team_leave(struct team *t)
{
	if (!t)
		return;
	t->plugin->leave();
	free(t->buckets);
	free(t);
}

int team_rank(const struct team *t)
{
	return t ? t->rank : 0;
}

int team_size(const struct team *t)
{
	return t ? t->size : 1;
}

/* values = their sum over the team, which is what the plugin computes, or their mean, which is what a device
 * computes. */
static bool begin_sum(struct team *t, float *values, size_t n)
{
	if (!t->device)
		return t->plugin->sum_begin(values, n, t->error) == 0;
	t->device->ops->team->mean(t->device, values, n);
	return true;
}

/* Begins the sums that are ready once `node` has run; if none is, lets those under way proceed. */
static void after_node(void *ctx, int node)
{
	struct team *t = ctx;
	int before = t->begun;
	while (!t->failed && t->begun < t->n_buckets && t->buckets[t->begun].ready <= node) {
		const struct bucket *b = &t->buckets[t->begun++];
		t->failed = !begin_sum(t, t->grad + b->at, b->n);
	}
	if (!t->failed && !t->device && t->begun > 0 && t->begun == before)
		t->failed = t->plugin->poll(t->error) != 0;
}

static int by_readiness(const void *a, const void *b)
{
	const struct bucket *x = a, *y = b;
	if (x->ready != y->ready)
		return x->ready < y->ready ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

void team_watch(struct team *t, struct graph *g, float *grad, size_t n, float *loss)
{
	t->grad = grad, t->loss = loss, t->n = n;
	t->n_buckets = (int)((n + BUCKET - 1) / BUCKET);
	t->buckets = xcalloc((size_t)t->n_buckets, sizeof *t->buckets);
	for (int i = 0; i < t->n_buckets; i++) {
		size_t at = (size_t)i * BUCKET;
		t->buckets[i] = (struct bucket){ .at = at, .n = n - at < BUCKET ? n - at : BUCKET, .ready = 0 };
	}
	for (int i = 0; g && i < g->n_tensors; i++) {
		const struct tensor *x = g->tensors[i];
		if (x->role != TENSOR_PARAM || x->store != STORE_GRAD || tensor_count(x) == 0)
			continue;
		for (size_t b = x->at / BUCKET; b <= (x->at + tensor_count(x) - 1) / BUCKET; b++)
			if (t->buckets[b].ready < x->last)
				t->buckets[b].ready = x->last;
	}
	qsort(t->buckets, (size_t)t->n_buckets, sizeof *t->buckets, by_readiness);
	t->at_end = !g;
	if (g)
		graph_after_node(g, after_node, t);
}

int team_average(struct team *t, struct err *e)
{
	const float share = 1.0f / (float)t->size;
	if (t->at_end)
		after_node(t, 0);
	t->failed = t->failed || t->begun != t->n_buckets || !begin_sum(t, t->loss, 1) ||
	            (!t->device && t->plugin->sums_end(t->error));
	t->begun = 0;
	if (t->failed)
		return err_set(e, "a sum over %d processes failed: %s", t->size,
		               *t->error ? t->error : "the graph did not run to its end");
	if (t->device) {
		t->device->ops->team->wait(t->device);
		return 0;
	}
	for (size_t i = 0; i < t->n; i++)
		t->grad[i] *= share;
	*t->loss *= share;
	return 0;
}

int team_agree(struct team *t, bool *value, bool *also, struct err *e)
{
	unsigned char byte = (unsigned char)(*value | (also && *also) << 1);
	if (t->plugin->tell(&byte, 1, t->error))
		return err_set(e, "%d processes lost contact: %s", t->size, t->error);
	*value = byte & 1;
	if (also)
		*also = byte >> 1;
	return 0;
}
