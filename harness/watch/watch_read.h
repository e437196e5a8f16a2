/* watch_read.h - watch.h's moment out of a database: its cells, the curves of those that run, how fast they are. */
#ifndef ABLATE_WATCH_READ_H
#define ABLATE_WATCH_READ_H

#include "harness/watch/status_read.h"
#include "harness/watch/watch.h"

/* What is remembered from one moment to the next: where each attempt was a minute ago. Zero-initialised is empty. */
struct watch_memory {
	struct watch_mark *v;
	int n, cap;
};
void watch_memory_release(struct watch_memory *m);

/* st: of the same store, read just before. only: as status_read's. The caller releases *out also after a failure. */
MUST_CHECK int watch_read(struct watch *out, struct watch_memory *memory, const struct store *s,
                          const struct status *st, const char *only, struct err *e);

#endif
