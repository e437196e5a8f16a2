/* arrays_entries.c - how a kind of container tells its arrays, and what they are called (arrays.h). */
#include "model/formats/arrays.h"

#include "model/base/mem.h"

void arrays_add(struct arrays *a, const char *name, const struct npy_info *info)
{
	VEC_PUSH(a->entry, a->n, a->cap) = (struct array_entry){ xstrdup(name), *info, NULL };
}

void arrays_add_unreadable(struct arrays *a, const char *name, const char *why)
{
	arrays_add(a, name, &(struct npy_info){ 0 });
	a->entry[a->n - 1].why = xstrdup(why);
}

char *arrays_place(const struct arrays *a, const char *key)
{
	return *key ? xstrfmt("%s:%s", a->path, key) : xstrdup(a->path);
}
