/* backend.c - what all back ends share. See backend.h. */
#include "model/graph/backend.h"

const char *dtype_name(enum dtype_kind dtype)
{
	static const char *const names[] = { DTYPES(DTYPES_NAME, DTYPES_COMMA) };
	return names[dtype];
}

void backend_free(struct backend *b)
{
	if (b)
		b->ops->close(b);
}

int backend_check(struct backend *b, struct err *e)
{
	return b->ops->check(b, e);
}

int backend_lend(float **out, struct backend *b, float *host, size_t n, struct err *e)
{
	if (b->ops->host_memory) {
		*out = host;
		return 0;
	}
	float *lent = b->ops->memory.alloc(b, n * sizeof *lent, e);
	if (!lent)
		return -1;
	b->ops->memory.upload(b, lent, host, n * sizeof *lent);
	*out = lent;
	return 0;
}

void backend_return(struct backend *b, float *lent, const float *host)
{
	if (lent && lent != host)
		b->ops->memory.release(b, lent);
}
