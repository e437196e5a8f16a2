/* float_store.c - see float_store.h. fd is 0 while there is no file: descriptor 0 is never handed out for one. */
#define _GNU_SOURCE
#include "metrics/features/float_store.h"

#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int spill(struct float_store *s, struct err *e)
{
	const char *dir = env_get(ENV_TMPDIR);
	SCOPED(free) char *path = xstrfmt("%s/ablate-features-XXXXXX", dir && *dir ? dir : "/tmp");
	int fd = mkostemp(path, 0);
	if (fd < 0)
		return err_set(e, "%s: cannot create: %s", path, strerror(errno));
	(void)unlink(path);
	if (io_write_all(fd, s->heap, sizeof *s->heap * (size_t)s->n, path, e)) {
		(void)close(fd);
		return -1;
	}
	free(s->heap);
	s->heap = NULL;
	s->cap = 0;
	s->fd = fd;
	return 0;
}

static void unmap(struct float_store *s)
{
	if (s->map)
		(void)munmap(s->map, sizeof *s->map * (size_t)s->n);
	s->map = NULL;
}

int float_store_append(struct float_store *s, const float *x, int64_t n, struct err *e)
{
	unmap(s);
	if (!s->fd && s->n + n > FLOAT_STORE_HEAP && spill(s, e))
		return -1;
	if (s->fd) {
		if (io_write_all(s->fd, x, sizeof *x * (size_t)n, "temporary file of features", e))
			return -1;
		s->n += n;
		return 0;
	}
	if (s->n + n > s->cap) {
		s->cap = 2 * (s->n + n);
		s->heap = xrealloc(s->heap, (size_t)s->cap, sizeof *s->heap);
	}
	memcpy(s->heap + s->n, x, sizeof *x * (size_t)n);
	s->n += n;
	return 0;
}

int float_store_get(const float **out, struct float_store *s, struct err *e)
{
	if (s->fd && !s->map) {
		void *p = mmap(NULL, sizeof *s->map * (size_t)s->n, PROT_READ, MAP_SHARED, s->fd, 0);
		if (p == MAP_FAILED)
			return err_set(e, "temporary file of features: cannot map: %s", strerror(errno));
		s->map = p;
	}
	*out = s->fd ? s->map : s->heap;
	return 0;
}

void float_store_release(struct float_store *s)
{
	unmap(s);
	if (s->fd)
		(void)close(s->fd);
	free(s->heap);
	*s = (struct float_store){ 0 };
}
