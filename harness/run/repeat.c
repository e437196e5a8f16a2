/* repeat.c - see repeat.h. */
#include "harness/run/repeat.h"

#include "harness/record/host.h"
#include "model/base/mem.h"
#include "model/config/config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Lives that follow each other and ran alike: going on from a checkpoint changes no bits, so they are one. */
struct part {
	int threads, ranks, microbatch;
	struct engine_devices devices;
	int64_t until; /* 0: to the end */
};

static int count_in(const json_t *env, const char *key, int missing)
{
	const json_t *v = json_object_get(env, key);
	json_int_t n = json_is_integer(v) ? json_integer_value(v) : 0;
	return n > 0 && n < INT_MAX ? (int)n : missing;
}

/* "life 2 of 3 (1a2b3c4d)"; one that has been the only one: "the attempt". Heap. */
static char *name_of(const struct lives *all, const struct life *l)
{
	return all->all > 1 ? xstrfmt("life %d of %d (%.8s)", l->number, all->all, l->attempt) : xstrdup("the attempt");
}

/* The life's own device; where it has another number here, another one of its kind. */
static bool find_device(struct engine_devices *out, const char *device, int ranks)
{
	struct err why = ERR_INIT;
	return engine_devices(out, device, ranks, &why) == 0 ||
	       (strncmp(device, "cuda", 4) == 0 && engine_devices(out, "cuda", ranks, &why) == 0);
}

static int place(struct part *out, char **missing, const struct lives *all, const struct life *l, int threads,
                 const char *device, struct err *e)
{
	json_t *env = l->env ? json_loads(l->env, 0, NULL) : NULL;
	const char *own = json_string_value(json_object_get(env, "device"));
	*out = (struct part){ .threads = threads ? threads : count_in(env, "threads", host_cpus()),
		                  .ranks = count_in(env, "ranks", 1),
		                  .microbatch = count_in(env, "microbatch", 0),
		                  .until = l->to == INT64_MAX ? 0 : l->to };
	int rc = 0;
	if (device || !own)
		rc = engine_devices(&out->devices, device ? device : "auto", out->ranks, e);
	else if (!find_device(&out->devices, own, out->ranks)) {
		SCOPED(free) char *name = name_of(all, l);
		const char *card = json_string_value(json_object_get(json_object_get(env, "device_facts"), "device"));
		*missing = xstrfmt("%s ran on %s%s%s%s, which is not here (--device repeats it on another)", name, own,
		                   card ? " (" : "", card ? card : "", card ? ")" : "");
	}
	json_decref(env);
	return rc;
}

static bool alike(const struct part *a, const struct part *b)
{
	return a->threads == b->threads && a->ranks == b->ranks && a->microbatch == b->microbatch &&
	       strcmp(a->devices.v[0].name, b->devices.v[0].name) == 0;
}

/* The parts in their order; n is 0 where something is missing. */
static int split(struct part *parts, int *n, char **missing, const struct lives *lives, const struct run_set *set,
                 int threads, const char *device, struct err *e)
{
	*n = 0;
	if (set->run.cells[0].numerics != NUMERICS_VERSION)
		*missing = xstrfmt("made by numerics %lld, and this program has %d", (long long)set->run.cells[0].numerics,
		                   NUMERICS_VERSION);
	for (int i = 0; i < lives->n && !*missing; i++) {
		const struct life *l = &lives->v[i];
		struct part p;
		if (!l->known) {
			SCOPED(free) char *name = name_of(lives, l);
			*missing = xstrfmt("%s is not in this database: `ablate merge` takes it in", name);
			break;
		}
		if (place(&p, missing, lives, l, threads, device, e))
			return -1;
		if (*n && alike(&p, &parts[*n - 1]))
			parts[*n - 1].until = p.until;
		else
			parts[(*n)++] = p;
	}
	*n = *missing ? 0 : *n;
	return 0;
}

static void tell_crowd(const struct run_options *o, const char *attempt, const struct part *p)
{
	if (p->threads <= host_cpus() || !o->say) /* fewer might give a score other bits */
		return;
	SCOPED(free)
	char *line = xstrfmt("%.8s had %d threads and is repeated with as many, although this process may use %d", attempt,
	                     p->threads, host_cpus());
	o->say(o->say_ctx, line, false);
}

int repeat_lives(char attempt[64], char **missing, const struct lives *lives, struct run_set *set,
                 const struct run_options *options, int threads, const char *device, struct err *e)
{
	SCOPED(free) struct part *parts = xcalloc((size_t)lives->n + 1, sizeof *parts);
	char before[64] = "";
	int n, rc;
	*missing = NULL;
	rc = split(parts, &n, missing, lives, set, threads, device, e);
	for (int i = 0; i < n && !rc; i++) {
		struct run_options o = *options;
		const struct repetition part = { .from = *before ? before : NULL, .until = parts[i].until };
		o.devices = &parts[i].devices;
		o.threads = parts[i].threads;
		o.ranks = parts[i].ranks;
		set->cells[0].microbatch = parts[i].microbatch;
		tell_crowd(&o, lives->v[lives->n - 1].attempt, &parts[i]);
		rc = runner_repeat(attempt, &part, &set->run, &o, e);
		memcpy(before, attempt, sizeof before);
	}
	return rc;
}
