/* source_ahead.c - see source_ahead.h. A ring of two batches: readers claim pictures in order, each fills the place of its own, and the caller
 * takes a batch when all of it is there. */
#include "source_ahead.h"

#include "model/base/mem.h"
#include "model/cpu.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_READERS = 16, AHEAD_BYTES = 256 << 20 };

struct reading { struct err e; bool failed, there; };

struct source_ahead {
	struct source *s;
	int64_t n, claimed, taken;      /* pictures: in all; that readers went for; that the caller is done with */
	int batch, held;                /* held: given to the caller at the last call */
	struct image_u8 *images;        /* [2 batch]: picture i is in place i % (2 batch) */
	struct reading *readings;
	pthread_t readers[MAX_READERS];
	int n_readers;
	bool stop;
	pthread_mutex_t mutex;
	pthread_cond_t room, filled;
};

static int places(const struct source_ahead *a)
{
	return 2 * a->batch;
}

/* How far readers may go: not beyond one batch while the size is not known, or where two are too large to hold. */
static int64_t limit(const struct source_ahead *a)
{
	int64_t each = (int64_t)a->s->h * a->s->w * a->s->c;
	return a->taken + (each && each * places(a) <= AHEAD_BYTES ? places(a) : a->batch);
}

static void *read_ahead(void *arg)
{
	struct source_ahead *a = arg;
	SCOPED(str) struct str file = { 0 };
	(void)pthread_mutex_lock(&a->mutex);
	while (!a->stop && a->claimed < a->n) {
		if (a->claimed >= limit(a)) {
			(void)pthread_cond_wait(&a->room, &a->mutex);
			continue;
		}
		int64_t i = a->claimed++;
		struct reading *r = &a->readings[i % places(a)];
		(void)pthread_mutex_unlock(&a->mutex);
		r->e = ERR_INIT;
		r->failed = source_fetch(a->s, i, &a->images[i % places(a)], &file, &r->e) != 0;
		(void)pthread_mutex_lock(&a->mutex);
		r->there = true;
		(void)pthread_cond_signal(&a->filled);
	}
	(void)pthread_mutex_unlock(&a->mutex);
	return NULL;
}

/* Signals stay the caller's, who may be counting on them to end a wait. */
static void start_readers(struct source_ahead *a)
{
	sigset_t all, before;
	int want = a->s->kind->load ? cpu_threads() : 1;
	want = want < MAX_READERS ? want : MAX_READERS;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (a->n_readers < want && pthread_create(&a->readers[a->n_readers], NULL, read_ahead, a) == 0)
		a->n_readers++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct source_ahead *source_ahead_new(struct source *s, int64_t n, int batch)
{
	REQUIRE(n <= s->n && batch > 0);
	struct source_ahead *a = xcalloc(1, sizeof *a);
	*a = (struct source_ahead){ .s = s, .n = n, .batch = batch };
	a->images = xcalloc((size_t)places(a), sizeof *a->images);
	a->readings = xcalloc((size_t)places(a), sizeof *a->readings);
	(void)pthread_mutex_init(&a->mutex, NULL);
	(void)pthread_cond_init(&a->room, NULL);
	(void)pthread_cond_init(&a->filled, NULL);
	start_readers(a);
	return a;
}

/* Gives the places of the last batch back and waits for those of the next. */
static void await_batch(struct source_ahead *a)
{
	(void)pthread_mutex_lock(&a->mutex);
	for (int k = 0; k < a->held; k++)
		a->readings[(a->taken + k) % places(a)].there = false;
	a->taken += a->held;
	a->held = a->n - a->taken < a->batch ? (int)(a->n - a->taken) : a->batch;
	(void)pthread_cond_broadcast(&a->room);
	for (int k = 0; k < a->held; k++)
		while (!a->readings[(a->taken + k) % places(a)].there)
			(void)pthread_cond_wait(&a->filled, &a->mutex);
	(void)pthread_mutex_unlock(&a->mutex);
}

/* Picture k of the batch: was it read, and does it belong to the others? */
static int judge(struct source_ahead *a, int k, const struct image_u8 *im, struct err *e)
{
	const struct reading *r = &a->readings[(a->taken + k) % places(a)];
	if (!r->failed)
		return source_accept(a->s, a->taken + k, im, e);
	if (e)
		*e = r->e;
	return -1;
}

int source_ahead_next(struct source_ahead *a, const struct image_u8 **images, int *n, struct err *e)
{
	if (!a->n_readers)
		return err_set(e, "%s: no thread could be started to read it", a->s->path);
	await_batch(a);
	*n = a->held;
	*images = &a->images[a->taken % places(a)];
	(void)pthread_mutex_lock(&a->mutex); /* readers look at the size, too */
	int rc = 0;
	for (int k = 0; k < *n && !rc; k++)
		rc = judge(a, k, &(*images)[k], e);
	(void)pthread_cond_broadcast(&a->room); /* once the size is known there may be more of it */
	(void)pthread_mutex_unlock(&a->mutex);
	return rc;
}

void source_ahead_free(struct source_ahead *a)
{
	if (!a)
		return;
	(void)pthread_mutex_lock(&a->mutex);
	a->stop = true;
	(void)pthread_cond_broadcast(&a->room);
	(void)pthread_mutex_unlock(&a->mutex);
	for (int i = 0; i < a->n_readers; i++)
		(void)pthread_join(a->readers[i], NULL);
	for (int i = 0; i < places(a); i++)
		image_u8_release(&a->images[i]);
	(void)pthread_cond_destroy(&a->filled);
	(void)pthread_cond_destroy(&a->room);
	(void)pthread_mutex_destroy(&a->mutex);
	free(a->images);
	free(a->readings);
	free(a);
}

void scoped_source_ahead(struct source_ahead **a)
{
	source_ahead_free(*a);
}
