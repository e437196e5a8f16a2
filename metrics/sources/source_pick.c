/* source_pick.c - some pictures of a source, in an order of their own; see sources.h. */
#include "metrics/sources/class_labels.h"

#include "metrics/math/randomstate.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct pick {
	struct source *whole;
	int64_t *index;
};

static int pick_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct pick *p = s->self;
	return p->whole->kind->read(p->whole, p->index[i], im, e);
}

static void pick_item(const struct source *s, int64_t i, struct str *out)
{
	const struct pick *p = s->self;
	p->whole->kind->item(p->whole, p->index[i], out);
}

/* The names stay those of the whole, also of a class of which nothing was picked. */
static int pick_labels(struct class_labels *out, struct source *s, struct err *e)
{
	const struct pick *p = s->self;
	SCOPED(class_labels) struct class_labels whole = { 0 };
	if (source_labels(&whole, p->whole, e))
		return -1;
	class_labels_init(out, s->n);
	for (int64_t i = 0; i < s->n; i++)
		out->of[i] = whole.of[p->index[i]];
	out->name = whole.name;
	out->n_names = whole.n_names;
	whole.name = NULL;
	whole.n_names = 0;
	return 0;
}

static void pick_close(struct source *s)
{
	struct pick *p = s->self;
	source_free(p->whole);
	free(p->index);
	free(p);
}

#define PICK(at_once) \
	{ \
		.name = "pick", .text = "some of a source", .read = pick_read, .parallel = at_once, .item = pick_item, \
		.labels = pick_labels, .close = pick_close \
	}
static const struct source_kind pick_one_by_one = PICK(false), pick_at_once = PICK(true);

void source_pick(struct source **s, int64_t *index, int64_t n)
{
	struct source *whole = *s;
	struct pick *p = xmalloc(sizeof *p);
	*p = (struct pick){ whole, index };
	struct source *some = xcalloc(1, sizeof *some);
	*some = (struct source){ .kind = whole->kind->parallel ? &pick_at_once : &pick_one_by_one,
		                     .path = xstrdup(whole->path),
		                     .n = n,
		                     .h = whole->h,
		                     .w = whole->w,
		                     .c = whole->c,
		                     .mixed_sizes = whole->mixed_sizes,
		                     .self = p };
	*s = some;
}

static int ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

void source_sample(struct source **s, int64_t n, uint32_t seed)
{
	REQUIRE(n > 0 && n <= (*s)->n);
	struct randomstate r;
	int64_t *index = xmalloc(sizeof *index * (size_t)n);
	randomstate_seed(&r, seed);
	randomstate_choice(&r, index, (*s)->n, n);
	qsort(index, (size_t)n, sizeof *index, ascending);
	source_pick(s, index, n);
}
