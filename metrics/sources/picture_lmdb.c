/* picture_lmdb.c - the pictures in an LMDB database (picture_files.h), in the order of its keys: LSUN's, which
 * torchvision reads (a key, an encoded picture), and those of rosinality's StyleGAN2 (keys 256-00000, and `length`).
 * Where a key is no text, all are named by their bytes in hexadecimal, so that the order of names is that of the
 * keys. */
#include "metrics/sources/picture_place.h"

#include "model/base/mem.h"
#include "model/base/utf8.h"
#include "model/data/image_decode.h"
#include "model/formats/lmdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values up to this size lie in the tree's own pages, which are read for the keys anyway; of larger ones, only the
 * first is looked at before all are read. */
enum { SMALL = 1024 };

struct lmdb_files {
	struct lmdb *db;
	const uint8_t *first; /* the value that places count from */
	bool in_hex;          /* names are keys in hexadecimal */
	bool looked;          /* at a large value */
};

static bool is_text(const struct lmdb_entry *x)
{
	const char *key = (const char *)x->key;
	size_t n, i = 0;
	for (; i < x->n_key && key[i] && (n = utf8_len(key + i, x->n_key - i)); i += n)
		;
	return i && i == x->n_key;
}

/* What some writers put beside the pictures. */
static bool is_count(const struct lmdb_entry *x)
{
	static const char *const known[] = { "length", "__len__", "__keys__" };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (x->n_key == strlen(known[i]) && memcmp(x->key, known[i], x->n_key) == 0)
			return true;
	return false;
}

static char *name_of(const struct lmdb_files *f, const struct lmdb_entry *x)
{
	struct str name = { 0 };
	if (!f->in_hex)
		return xstrndup((const char *)x->key, x->n_key);
	str_add(&name, "0x");
	for (size_t i = 0; i < x->n_key; i++)
		str_addf(&name, "%02x", (unsigned)x->key[i]);
	return str_detach(&name);
}

static int look(struct picture_files *p, const struct lmdb_entry *x, const char *name, struct err *e)
{
	struct lmdb_files *f = p->self;
	if (x->n_value > SMALL && f->looked)
		return 0;
	f->looked |= x->n_value > SMALL;
	const struct image_format *format = image_format_of(x->value, x->n_value < IMAGE_HEAD ? x->n_value : IMAGE_HEAD);
	if (format && format->decode)
		return 0;
	SCOPED(free) char *item = picture_item(p, name);
	return format
	           ? image_format_refuse(format, item, e)
	           : err_set(e,
	                     "%s: its value is no encoded picture (%zu bytes); values are files of pictures, such as PNG "
	                     "or JPEG, and beside them only length, __len__ and __keys__",
	                     item, x->n_value);
}

/* "256" of "256-00000"; 0: the name is none of that kind. */
static int resolution_of(const char *name)
{
	static const char digits[] = "0123456789";
	size_t n = strspn(name, digits), m = name[n] == '-' ? strspn(name + n + 1, digits) : 0;
	return n && n < 6 && m >= 5 && !name[n + 1 + m] ? (int)strtol(name, NULL, 10) : 0;
}

/* StyleGAN2's prepare_data.py puts each picture in at every size that it is asked for. */
static int check_one_resolution(const struct picture_files *p, struct err *e)
{
	enum { LISTED = 8 };
	int seen[LISTED], n = 0;
	SCOPED(str) struct str text = { 0 };
	for (int64_t i = 0; i < p->n; i++) {
		int r = resolution_of(p->v[i].name), k = 0;
		if (!r)
			return 0;
		while (k < n && seen[k] != r)
			k++;
		if (k < n || n == LISTED)
			continue;
		seen[n++] = r;
		str_addf(&text, "%s%d", n > 1 ? ", " : "", r);
	}
	return n < 2
	           ? 0
	           : err_set(e,
	                     "%s: the same pictures in several resolutions: %s; write those of one to a folder, or prepare "
	                     "the database with one size",
	                     p->path, str_text(&text));
}

static int lmdb_list(struct picture_files *p, struct err *e)
{
	struct lmdb_files *f = p->self = xcalloc(1, sizeof *f);
	struct lmdb_entry x;
	int more;
	bool counted = false;
	if (lmdb_open(&f->db, p->path, e))
		return -1;
	while ((more = lmdb_next(f->db, &x, e)) > 0)
		f->in_hex |= !is_text(&x);
	if (more < 0)
		return -1;
	lmdb_rewind(f->db);
	while ((more = lmdb_next(f->db, &x, e)) > 0) {
		SCOPED(free) char *name = name_of(f, &x);
		if (is_count(&x)) {
			counted = true;
			continue;
		}
		if (look(p, &x, name, e))
			return -1;
		f->first = f->first ? f->first : x.value;
		picture_add(p, name, x.value - f->first, (int64_t)x.n_value);
	}
	return more < 0 || (counted && check_one_resolution(p, e)) ? -1 : 0;
}

static int lmdb_read(struct picture_files *p, int64_t at, int64_t size, const char *file, struct str *out, size_t max,
                     const char *name, struct err *e)
{
	const struct lmdb_files *f = p->self;
	(void)file;
	if ((uint64_t)size > max)
		return err_set(e, "%s: larger than %zu bytes", name, max);
	str_addn(out, (const char *)f->first + at, (size_t)size);
	return 0;
}

static void lmdb_close(struct picture_files *p)
{
	struct lmdb_files *f = p->self;
	lmdb_free(f->db);
	free(f);
}

const struct picture_place picture_lmdb = {
	.text = "an LMDB database of pictures", .between = ":", .list = lmdb_list, .read = lmdb_read, .close = lmdb_close
};
