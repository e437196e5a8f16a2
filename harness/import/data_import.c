/* data_import.c - see data_import.h. */
#include "harness/import/data_import.h"
#include "harness/text/terminal.h"

#include "model/base/mem.h"
#include "model/data/image_ahead.h"
#include "model/data/image_resize.h"
#include "model/data/shapes.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT_VERSION \
	1 /* bumped when the same source would give other bytes: a part from an older version is not continued */

struct import {
	const char *name, *source;
	const struct import_options *o;
	struct labelled *l;
	struct set_ref ref;
	bool known; /* a set in our table, whose shape decides */
};

enum { AHEAD = 64 }; /* images that are read and fitted while earlier ones are written */

/* The shape of the images to keep. */
static int decide_shape(struct import *m, struct err *e)
{
	const struct data_shape *rows;
	int n;
	rows = data_shapes(&n);
	for (int i = 0; i < n; i++)
		if (strcmp(rows[i].name, m->name) == 0) {
			m->known = true;
			m->ref = (struct set_ref){ .h = rows[i].h, .w = rows[i].w, .c = rows[i].c, .classes = rows[i].classes };
			if (m->o->side && (m->o->side != rows[i].h || m->o->side != rows[i].w))
				return err_code(e, EXIT_USAGE, "%s is %dx%d: give the set another name to keep it at %d", m->name,
				                rows[i].w, rows[i].h, m->o->side);
		}
	if (!m->known) {
		SCOPED(image_u8) struct image_u8 im = { 0 };
		if (labelled_read(m->l, 0, &im, e))
			return -1;
		m->ref = (struct set_ref){ .h = m->o->side ? m->o->side : im.h,
			                       .w = m->o->side ? m->o->side : im.w,
			                       .c = im.c,
			                       .classes = m->l->classes };
	}
	m->ref.n = m->l->n;
	if (m->l->classes > m->ref.classes)
		return err_set(e, "%s: label %d is out of range: %s has %d classes", m->source, m->l->classes - 1, m->name,
		               m->ref.classes);
	return 0;
}

/* Two attempts with one key write the same bytes. */
static void key_of(char key[SHA256_HEX], const struct import *m)
{
	char labels[SHA256_HEX], files[SHA256_HEX];
	io_sha256(labels, m->l->labels, (size_t)m->l->n * sizeof *m->l->labels);
	labelled_stamp(files, m->l);
	SCOPED(free)
	char *text = xstrfmt("%d %s %s %d %" PRId64 " %dx%dx%d %d", IMPORT_VERSION, files, labels, (int)m->l->split,
	                     m->ref.n, m->ref.h, m->ref.w, m->ref.c, m->ref.classes);
	io_sha256(key, text, strlen(text));
}

/* One image in the shape that is kept. */
static int fit(void *ctx, int64_t i, struct image_u8 *im, struct err *e)
{
	const struct import *m = ctx;
	SCOPED(free) char *name = xstrfmt("%s, image %" PRId64, m->source, i);
	if (labelled_read(m->l, i, im, e))
		return -1;
	if (m->ref.c == 1)
		image_u8_to_grey(im);
	else
		image_u8_to_rgb(im);
	if (im->h == m->ref.h && im->w == m->ref.w)
		return 0;
	if (m->ref.h != m->ref.w)
		return err_set(e, "%s: %d x %d pixels, but the set is %d x %d: give --size N to crop all to squares", name,
		               im->w, im->h, m->ref.w, m->ref.h);
	return image_u8_centre_crop(im, m->ref.h, name, e);
}

/* Images done .. n - 1. What came before a failure is kept. */
static int copy_images(struct import *m, struct set_writer *w, struct progress *progress, int64_t done, struct err *e)
{
	SCOPED(image_ahead)
	struct image_ahead *ahead = image_ahead_new(&(struct image_maker){ fit, m, m->l->kind->parallel }, done, m->ref.n,
	                                            AHEAD);
	const struct image_u8 *images;
	int n, rc;
	do {
		rc = image_ahead_next(ahead, &images, &n, e);
		for (int k = 0; k < n; k++)
			if (set_writer_add(w, images[k].px, e))
				return -1;
		progress_step(progress, done += n);
	} while (!rc && n);
	return rc;
}

static int copy(struct import *m, struct imported *out, struct err *e)
{
	struct set_writer *w = NULL;
	struct progress progress;
	char key[SHA256_HEX];
	int64_t done = 0;
	key_of(key, m);
	if (set_writer_open(&w, &m->ref, m->l->labels, key, &done, e))
		return -1;
	out->resumed_from = done;
	terminal_progress(&progress, m->l->split == SPLIT_TRAIN ? "import train" : "import test", "images", m->ref.n);
	progress.quiet = m->o->quiet;
	int rc = copy_images(m, w, &progress, done, e);
	progress_end(&progress);
	if (!rc)
		rc = set_writer_commit(w, &out->ref, e) || set_ref_write(&out->ref, m->name, m->l->split, e) ? -1 : 0;
	set_writer_free(w);
	return rc;
}

/* m->l stays NULL where the source has no such split. */
static int open_split(struct import *m, enum data_split split, struct err *e)
{
	int absent = labelled_open(&m->l, m->source, split, m->o->rule, e);
	if (absent)
		return absent < 0 ? -1 : 0;
	if (m->o->notes && !m->o->notes->len) /* the same for both splits */
		str_add(m->o->notes, str_text(&m->l->notes));
	return decide_shape(m, e);
}

/* Both splits are looked into before either is written, so that a source that is refused leaves nothing. */
static int import_splits(struct imported out[2], const char *name, const char *source, const struct import_options *o,
                         struct err *e)
{
	SCOPED(labelled) struct labelled *train = NULL;
	SCOPED(labelled) struct labelled *test = NULL;
	struct labelled **l[2] = { [SPLIT_TRAIN] = &train, [SPLIT_TEST] = &test };
	struct import m[2];
	for (int s = SPLIT_TRAIN; s <= SPLIT_TEST; s++) {
		m[s] = (struct import){ .name = name, .source = source, .o = o };
		if (o->only_split && o->split != (enum data_split)s)
			continue;
		int rc = open_split(&m[s], (enum data_split)s, e);
		*l[s] = m[s].l;
		if (rc)
			return -1;
	}
	for (int s = SPLIT_TRAIN; s <= SPLIT_TEST; s++) {
		if (!m[s].l)
			continue;
		if (copy(&m[s], &out[s], e))
			return -1;
		out[s].found = true;
	}
	return 0;
}

/* A name is a folder of the cache and a value of data.name. */
static int check_name(const char *name, struct err *e)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !(i && strchr("-_.", name[i])))
			return err_code(
				e, EXIT_USAGE,
				"'%s' is not a valid data set name: use letters, digits, and after the first character also - _ .",
				name);
	return n && n <= 64 ? 0 : err_code(e, EXIT_USAGE, "a data set's name has 1 to 64 characters");
}

int data_import(struct imported out[2], const char *name, const char *source, const struct import_options *o,
                struct err *e)
{
	out[0] = out[1] = (struct imported){ .found = false };
	if (check_name(name, e) || import_splits(out, name, source, o, e))
		return -1;
	if (!out[0].found && !out[1].found)
		return err_set(e, "%s: holds no images of the %s set", source,
		               !o->only_split            ? "training or test"
		               : o->split == SPLIT_TRAIN ? "training"
		                                         : "test");
	return 0;
}
