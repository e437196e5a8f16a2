/* image_ahead.c - see image_ahead.h. A ring of two batches: threads claim pictures in order, each fills its own place,
 * and the caller takes a batch when it is complete. */
#include "model/data/image_ahead.h"

#include "model/base/mem.h"
#include "model/base/cpu.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { MAX_THREADS = 16, AHEAD_BYTES = 256 << 20 };

struct making {
	struct err e;
	bool failed, there;
};

struct image_ahead {
	struct image_maker maker;
	int64_t n, claimed, taken; /* pictures: their end; the next for a thread; those the caller is done with */
	size_t largest;            /* bytes of a picture so far */
	int batch, held;           /* held: given to the caller at the last call */
	struct image_u8 *images;   /* [2 batch]: picture i is in place (i - first) % (2 batch) */
	int64_t first;
	struct making *makings;
	pthread_t threads[MAX_THREADS];
	int n_threads;
	bool stop;
	pthread_mutex_t mutex;
	pthread_cond_t room, filled;
};

static int places(const struct image_ahead *a)
{
	return 2 * a->batch;
}

static size_t place_of(const struct image_ahead *a, int64_t i)
{
	return (size_t)((i - a->first) % places(a));
}

/* How far threads may go: not beyond one batch while no size is known, or where two are too large to hold. */
static int64_t limit(const struct image_ahead *a)
{
	bool two = a->largest && a->largest * (size_t)places(a) <= AHEAD_BYTES;
	return a->taken + (two ? places(a) : a->batch);
}

static void *make_pictures(void *arg)
{
	struct image_ahead *a = arg;
	(void)pthread_mutex_lock(&a->mutex);
	while (!a->stop && a->claimed < a->n) {
		if (a->claimed >= limit(a)) {
			(void)pthread_cond_wait(&a->room, &a->mutex);
			continue;
		}
		int64_t i = a->claimed++;
		struct making *m = &a->makings[place_of(a, i)];
		struct image_u8 *im = &a->images[place_of(a, i)];
		(void)pthread_mutex_unlock(&a->mutex);
		m->e = ERR_INIT;
		m->failed = a->maker.make(a->maker.ctx, i, im, &m->e) != 0;
		(void)pthread_mutex_lock(&a->mutex);
		m->there = true;
		if (!a->largest)
			(void)pthread_cond_broadcast(&a->room); /* there may be more of it, now that a size is known */
		a->largest = im->cap > a->largest ? im->cap : a->largest;
		(void)pthread_cond_signal(&a->filled);
	}
	(void)pthread_mutex_unlock(&a->mutex);
	return NULL;
}

/* Signals remain with the caller, who may rely on them to end a wait. */
static void start_threads(struct image_ahead *a)
{
	sigset_t all, before;
	int want = a->maker.parallel ? cpu_threads() : 1;
	want = want < MAX_THREADS ? want : MAX_THREADS;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (a->n_threads < want && pthread_create(&a->threads[a->n_threads], NULL, make_pictures, a) == 0)
		a->n_threads++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct image_ahead *image_ahead_new(const struct image_maker *m, int64_t first, int64_t n, int batch)
{
	REQUIRE(batch > 0);
	struct image_ahead *a = xcalloc(1, sizeof *a);
	*a = (struct image_ahead){ .maker = *m, .first = first, .n = n, .claimed = first, .taken = first, .batch = batch };
	a->images = xcalloc((size_t)places(a), sizeof *a->images);
	a->makings = xcalloc((size_t)places(a), sizeof *a->makings);
	(void)pthread_mutex_init(&a->mutex, NULL);
	(void)pthread_cond_init(&a->room, NULL);
	(void)pthread_cond_init(&a->filled, NULL);
	start_threads(a);
	return a;
}

/* Gives the places of the last batch back and waits for those of the next. */
static void await_batch(struct image_ahead *a)
{
	(void)pthread_mutex_lock(&a->mutex);
	for (int k = 0; k < a->held; k++)
		a->makings[place_of(a, a->taken + k)].there = false;
	a->taken += a->held;
	a->held = a->n - a->taken < a->batch ? (int)(a->n - a->taken) : a->batch;
	(void)pthread_cond_broadcast(&a->room);
	for (int k = 0; k < a->held; k++)
		while (!a->makings[place_of(a, a->taken + k)].there)
			(void)pthread_cond_wait(&a->filled, &a->mutex);
	(void)pthread_mutex_unlock(&a->mutex);
}

int image_ahead_next(struct image_ahead *a, const struct image_u8 **images, int *n, struct err *e)
{
	*n = 0;
	if (!a->n_threads)
		return err_set(e, "cannot start a thread to read pictures");
	await_batch(a);
	*images = &a->images[place_of(a, a->taken)];
	for (; *n < a->held; ++*n) {
		const struct making *m = &a->makings[place_of(a, a->taken + *n)];
		if (m->failed && e)
			*e = m->e;
		if (m->failed)
			return -1;
	}
	return 0;
}

void image_ahead_free(struct image_ahead *a)
{
	if (!a)
		return;
	(void)pthread_mutex_lock(&a->mutex);
	a->stop = true;
	(void)pthread_cond_broadcast(&a->room);
	(void)pthread_mutex_unlock(&a->mutex);
	for (int i = 0; i < a->n_threads; i++)
		(void)pthread_join(a->threads[i], NULL);
	for (int i = 0; i < places(a); i++)
		image_u8_release(&a->images[i]);
	(void)pthread_cond_destroy(&a->filled);
	(void)pthread_cond_destroy(&a->room);
	(void)pthread_mutex_destroy(&a->mutex);
	free(a->images);
	free(a->makings);
	free(a);
}

void scoped_image_ahead(struct image_ahead **a)
{
	image_ahead_free(*a);
}
