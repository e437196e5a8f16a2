/* arrays.c - see arrays.h: finding the kind, and what all kinds share. */
#define _GNU_SOURCE
#include "model/formats/arrays.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/unread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct arrays_kind *const kinds[] = { &arrays_npz, &arrays_npy, &arrays_hdf5, &arrays_pickle };

static const struct arrays_kind *kind_of(const uint8_t *head, size_t n)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i]->is(head, n))
			return kinds[i];
	return NULL;
}

bool arrays_is(const uint8_t *head, size_t n)
{
	return kind_of(head, n) != NULL;
}

int arrays_open(struct arrays **out, const char *path, struct err *e)
{
	uint8_t head[16] = { 0 };
	if (io_is_dir(path) || io_is_special(path))
		return err_set(e, "%s: not a file of arrays", path);
	SCOPED(file) FILE *f = fopen(path, "rbe");
	if (!f)
		return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	const struct arrays_kind *kind = kind_of(head, fread(head, 1, sizeof head, f));
	if (!kind)
		return unread_refuse(path, e) ? -1 : err_set(e, "%s: not an .npz, .npy, HDF5 or pickle of arrays", path);
	SCOPED(arrays) struct arrays *a = xcalloc(1, sizeof *a);
	a->kind = kind;
	a->path = xstrdup(path);
	if (kind->open(a, e))
		return -1;
	*out = a;
	a = NULL;
	return 0;
}

void arrays_free(struct arrays *a)
{
	if (!a)
		return;
	if (a->self)
		a->kind->close(a->self);
	for (int i = 0; i < a->n; i++) {
		free(a->entry[i].name);
		free(a->entry[i].why);
	}
	free(a->entry);
	free(a->path);
	free(a);
}

void scoped_arrays(struct arrays **a)
{
	arrays_free(*a);
}

static int find(const struct arrays *a, const char *key)
{
	for (int i = 0; i < a->n; i++)
		if ((a->entry[i].info.item || a->entry[i].why) && strcmp(a->entry[i].name, key) == 0)
			return i;
	return -1;
}

bool arrays_has(const struct arrays *a, const char *key)
{
	return find(a, key) >= 0;
}

int arrays_info(struct npy_info *out, const struct arrays *a, const char *key, struct err *e)
{
	int i = find(a, key);
	if (i < 0)
		return err_set(e, "%s: no array '%s' in it", a->path, key);
	if (a->entry[i].why)
		return err_set(e, "%s", a->entry[i].why);
	*out = a->entry[i].info;
	return 0;
}

enum { LISTED = 12 };

void arrays_list(struct str *out, const struct arrays *a)
{
	char text[128];
	for (int i = 0; i < a->n && i < LISTED; i++) {
		const struct array_entry *x = &a->entry[i];
		str_addf(out, "%s%.60s%s%s", i ? ", " : "", x->name, *x->name ? " " : "",
		         x->info.item ? npy_describe(text, &x->info)
		         : x->why     ? "(unreadable)"
		                      : "(not numbers)");
	}
	if (a->n > LISTED)
		str_addf(out, " and %d more", a->n - LISTED);
	if (!a->n)
		str_add(out, "no array");
}

int arrays_read(struct arrays *a, const char *key, uint64_t at, void *buf, size_t n, struct err *e)
{
	int i = find(a, key);
	REQUIRE(i >= 0 && !a->entry[i].why);
	REQUIRE(at + n <= (uint64_t)a->entry[i].info.count * (uint64_t)a->entry[i].info.item);
	return n ? a->kind->read(a, i, at, buf, n, e) : 0;
}

struct reading {
	struct arrays *a;
	int i;
	uint64_t at;
};

static int more(void *ctx, void *buf, size_t n, struct err *e)
{
	struct reading *r = ctx;
	uint64_t at = r->at;
	r->at += n;
	return r->a->kind->read(r->a, r->i, at, buf, n, e);
}

static int read_all(void **out, struct npy_info *info, struct arrays *a, const char *key, int64_t max_count,
                    size_t size, struct err *e)
{
	struct reading r = { a, find(a, key), 0 };
	struct npy_info own;
	SCOPED(free) char *place = arrays_place(a, key);
	if (arrays_info(&own, a, key, e) || npy_convert(out, &own, max_count, size, more, &r, place, e))
		return -1;
	if (info)
		*info = own;
	return 0;
}

int arrays_doubles(double **out, struct npy_info *info, struct arrays *a, const char *key, int64_t max_count,
                   struct err *e)
{
	void *p;
	if (read_all(&p, info, a, key, max_count, sizeof(double), e))
		return -1;
	*out = p;
	return 0;
}

int arrays_floats(float **out, struct npy_info *info, struct arrays *a, const char *key, int64_t max_count,
                  struct err *e)
{
	void *p;
	if (read_all(&p, info, a, key, max_count, sizeof(float), e))
		return -1;
	*out = p;
	return 0;
}

int arrays_text(char **out, struct arrays *a, const char *key, struct err *e)
{
	struct npy_info info;
	if (arrays_info(&info, a, key, e))
		return -1;
	if (info.kind != NPY_BYTES || info.n_dims != 0)
		return err_set(e, "%s:%s: expected a text", a->path, key);
	SCOPED(free) char *text = xcalloc((size_t)info.item + 1, 1);
	if (arrays_read(a, key, 0, text, (size_t)info.item, e))
		return -1;
	*out = text;
	text = NULL;
	return 0;
}
