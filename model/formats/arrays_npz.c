/* arrays_npz.c - .npz as a file of arrays (arrays.h). One array is streamed at a time; going back in it, or to another,
 * inflates it from its start again. */
#include "model/formats/arrays.h"

#include "model/base/mem.h"
#include "model/formats/npz.h"

#include <stdlib.h>
#include <string.h>

struct npz_arrays {
	struct npz *z;
	struct npz_stream *stream;
	int of; /* the array that is streamed */
	uint64_t at;
};

static bool is(const uint8_t *head, size_t n)
{
	return n >= 4 && memcmp(head, "PK\3\4", 4) == 0;
}

/* Member "mu.npy" is array "mu"; other members are not arrays. One that cannot be read is an error when asked for. */
static int open_npz(struct arrays *a, struct err *e)
{
	struct npz_arrays *x = a->self = xcalloc(1, sizeof *x);
	if (npz_open(&x->z, a->path, e))
		return -1;
	for (int i = 0; i < npz_count(x->z); i++) {
		const char *member = npz_name(x->z, i);
		struct npy_info info = { 0 };
		if (!member)
			continue;
		SCOPED(free) char *name = xstrndup(member, strlen(member) - 4);
		struct err why = ERR_INIT;
		if (npz_info(&info, x->z, name, &why))
			arrays_add_unreadable(a, name, why.msg);
		else
			arrays_add(a, name, &info);
	}
	return a->n ? 0 : err_set(e, "%s: a zip without arrays", a->path);
}

static int read_npz(struct arrays *a, int i, uint64_t at, void *buf, size_t n, struct err *e)
{
	enum { CHUNK = 1 << 16 };
	struct npz_arrays *x = a->self;
	if (!x->stream || x->of != i || at < x->at) {
		npz_stream_free(x->stream);
		x->stream = NULL;
		x->at = 0;
		x->of = i;
		if (npz_stream_open_any(&x->stream, x->z, a->entry[i].name, e))
			return -1;
	}
	SCOPED(free) uint8_t *skipped = x->at < at ? xmalloc(CHUNK) : NULL;
	while (x->at < at) {
		size_t k = at - x->at < CHUNK ? (size_t)(at - x->at) : CHUNK;
		if (npz_stream_read(x->stream, skipped, k, e))
			return -1;
		x->at += k;
	}
	if (npz_stream_read(x->stream, buf, n, e))
		return -1;
	x->at += n;
	return 0;
}

static void close_npz(void *self)
{
	struct npz_arrays *x = self;
	npz_stream_free(x->stream);
	npz_free(x->z);
	free(x);
}

const struct arrays_kind arrays_npz = { "an .npz archive", is, open_npz, read_npz, close_npz };
