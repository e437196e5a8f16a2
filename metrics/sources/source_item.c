/* source_item.c - the names of pictures, which all kinds of sources have. See sources.h. */
#include "metrics/sources/sources.h"

char *source_item(const struct source *s, int64_t i)
{
	struct str name = { 0 };
	s->kind->item(s, i, &name);
	return str_detach(&name);
}
