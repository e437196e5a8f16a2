/* sources.h - a set of pictures, in whatever form: one interface over folders, zips, tars, LMDB, arrays (.npz, .npy,
 * HDF5, pickles), IDX and CIFAR-10.
 *
 *     SCOPED(source) struct source *s = NULL;
 *     if (source_open(&s, "samples/", e)) return -1;
 *     for (int64_t i = 0; i < s->n; i++)
 *         if (source_read(s, i, &image, e)) return -1;
 *
 * Pictures come in a fixed order (folders, zips, tars, LMDB: picture_files.h) as uint8 H,W,C with C = 3, or 1 for grey
 * arrays. source_read holds one picture at a time, source_ahead two batches; IDX files are held whole. All pictures of
 * a source have one size, unless the caller sets mixed_sizes before reading: the first that differs is an error that
 * names it, as are pictures smaller than 2 x 2 pixels.
 * Any order of reading works; ascending order is fast for all kinds (a compressed .npz is read from its start again
 * when asked to go back). */
#ifndef ABLATE_SOURCES_H
#define ABLATE_SOURCES_H

#include "model/base/err.h"
#include "model/base/str.h"
#include "model/data/image_u8.h"
#include "model/data/shapes.h"

#include <stdbool.h>
#include <stdint.h>

#define SOURCE_MAX_FILE ((size_t)256 << 20) /* bytes of one image file */

struct source;
struct class_labels;
/* One kind of source. `is` looks at s->path and the file's first bytes; what it opens for that it may leave in s->self,
 * for `open` to go on with. The first row that matches opens it. */
struct source_kind {
	const char *name, *text;
	bool (*is)(struct source *s, const uint8_t *head, size_t n);
	int (*open)(struct source *s, struct err *e); /* sets n and self */
	int (*read)(struct source *s, int64_t i, struct image_u8 *im, struct err *e);
	bool parallel; /* read may be asked for several pictures at once */
	void (*item)(const struct source *s, int64_t i, struct str *out); /* appends the picture's name */
	/* NULL, or the classes of the pictures (class_labels.h); none where out->n stays 0 */
	int (*labels)(struct class_labels *out, struct source *s, struct err *e);
	void (*close)(struct source *s);
};
extern const struct source_kind source_files, source_cifar, source_arrays, source_idx; /* source_*.c */
/* Of pictures in memory: struct source { .kind = &source_memory, .path, .n, .h, .w, .c, .self = bytes }; nothing is to
 * be freed. */
extern const struct source_kind source_memory;

struct source {
	const struct source_kind *kind;
	char *path;
	int64_t n;
	int h, w, c;      /* of every picture (of the first, with mixed_sizes); 0 until the first is read */
	bool mixed_sizes; /* set by the caller: pictures may differ in size */
	struct str notes; /* lines worth telling the user: files that were left out and why. Never NULL via str_text */
	void *self;
};

/* Fails with a message that names the path: absent, of no known kind, no pictures in it. */
MUST_CHECK int source_open(struct source **out, const char *path, struct err *e);
/* A path; where there is none of that name, a data set: NAME (its split `bare`), NAME-train, NAME-test, NAME@SIDE
 * (dataset.h). Where there are both, the path is taken and a note says so. What is neither, or a set whose data is
 * missing, is an error that says what would do. */
MUST_CHECK int source_find(struct source **out, const char *name, enum data_split bare, struct err *e);
MUST_CHECK int source_read(struct source *s, int64_t i, struct image_u8 *im, struct err *e);
/* The first n pictures in batches, read ahead: see model/data/image_ahead.h, and what source_read checks is checked.
 * Meanwhile s is not to be read otherwise; it outlives the reader. */
struct source_ahead;
struct source_ahead *source_ahead_new(struct source *s, int64_t n, int batch);
MUST_CHECK int source_ahead_next(struct source_ahead *a, const struct image_u8 **images, int *n, struct err *e);
void source_ahead_free(struct source_ahead *a); /* accepts NULL */
void scoped_source_ahead(struct source_ahead **a);

/* *s becomes the n pictures index[0], index[1], ... of what it was, under their own names; takes over both, index from
 * the heap. */
void source_pick(struct source **s, int64_t *index, int64_t n);
/* *s becomes a random sample of n of its pictures, without repetition and in their order: numpy's
 * RandomState(seed).choice(s->n, n, replace=False), sorted. n from 1 to s->n. */
void source_sample(struct source **s, int64_t n, uint32_t seed);

/* Heap text: "samples/00017.png", "batch.npz[17]". */
char *source_item(const struct source *s, int64_t i);
/* Its name within the source, without ending: "00017" of the first; NULL where pictures have none (arrays, data sets).
 * Heap. */
char *source_stem(const struct source *s, int64_t i);
/* Makes picture i of *b the partner of picture i of a: the one of the same stem where both have names, *named, else
 * the i-th. A picture without a partner, or two of one name, is an error that names it. */
MUST_CHECK int source_pair(const struct source *a, struct source **b, bool *named, struct err *e);
void source_free(struct source *s); /* accepts NULL */
void scoped_source(struct source **s);

/* `item` of kinds that are one array: "batch.npz[17]". */
void source_item_of_array(const struct source *s, int64_t i, struct str *out);

/* The array of a file that is pictures rather than features, by its name and type; NULL: there is none. */
struct arrays;
const char *source_array_key(const struct arrays *a);

#endif
