/* source_named.c - pictures by the name that somebody typed: a path, or a data set where there is no such path. */
#include "metrics/sources/class_labels.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/data/dataset.h"

#include <stdlib.h>
#include <string.h>

static int set_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct dataset *d = s->self;
	struct source pictures = *s;
	pictures.self = d->images;
	return source_memory.read(&pictures, i, im, e);
}

/* An imported set without labels has one class. */
static int set_labels(struct class_labels *out, struct source *s, struct err *e)
{
	const struct dataset *d = s->self;
	(void)e;
	if (d->classes < 2)
		return 0;
	class_labels_init(out, s->n);
	for (int64_t i = 0; i < s->n; i++)
		out->of[i] = d->labels[i];
	return 0;
}

static void set_close(struct source *s)
{
	dataset_release(s->self);
	free(s->self);
}

static const struct source_kind source_dataset = { .name = "dataset",
	                                               .text = "a data set",
	                                               .read = set_read,
	                                               .parallel = true,
	                                               .item = source_item_of_array,
	                                               .labels = set_labels,
	                                               .close = set_close };

/* The set that a name means, without its split, and the split; NULL when there is no set of that name. Heap text. */
static char *set_of(enum data_split *split, const char *name, enum data_split bare, struct err *why)
{
	struct data_shape unused;
	SCOPED(free) char *base = xstrdup(name);
	*split = dataset_cut_split(base);
	if (strlen(base) == strlen(name))
		*split = bare;
	if (data_shape_find(&unused, base, why))
		return NULL;
	char *found = base;
	base = NULL;
	return found;
}

static int open_set(struct source **out, const char *name, const char *base, enum data_split split, struct err *e)
{
	struct dataset *d = xcalloc(1, sizeof *d);
	if (dataset_open(d, base, split, e)) {
		free(d);
		return -1;
	}
	*out = xcalloc(1, sizeof **out);
	**out = (struct source){
		.kind = &source_dataset, .path = xstrdup(name), .n = d->n, .h = d->h, .w = d->w, .c = d->c, .self = d
	};
	return 0;
}

int source_find(struct source **out, const char *name, enum data_split bare, struct err *e)
{
	struct err why = ERR_INIT;
	enum data_split split;
	SCOPED(free) char *base = set_of(&split, name, bare, &why);
	if (!io_exists(name)) {
		if (base)
			return open_set(out, name, base, split, e);
		if (strchr(name, '/'))
			return source_open(out, name, e);
		return err_set(e, "%s: no such file or folder; %s", name, why.msg);
	}
	if (source_open(out, name, e))
		return -1;
	if (base)
		str_addf(&(*out)->notes, "%s: read as the path of that name, not as the data set %s\n", name, base);
	return 0;
}
