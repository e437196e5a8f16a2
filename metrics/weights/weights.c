/* weights.c - opening, importing and checking weights files; see weights.h. */
#include "metrics/weights/weights.h"

#include "metrics/weights/imported.h"
#include "metrics/weights/weights_network.h"
#include "model/base/identity.h"
#include "model/base/mem.h"
#include "model/base/unread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int weights_row_find(const struct weights_row **out, const char *name, struct err *e)
{
	SCOPED(str) struct str known = { 0 };
	for (const struct weights_row *row = weights_rows; row->name; row++) {
		if (strcmp(row->name, name) == 0) {
			*out = row;
			return 0;
		}
		str_addf(&known, "%s%s", known.len ? ", " : "", row->name);
	}
	return err_code(e, EXIT_USAGE, "no weights '%s'; known are: %s", name, str_text(&known));
}

struct weights_list weights_list(const struct weights_row *row)
{
	struct weights_list list = { 0 };
	row->list(&list, row);
	return list;
}

void scoped_weights_list(struct weights_list *l)
{
	free(l->v);
}

char *weights_path(const struct weights_row *row)
{
	SCOPED(free) char *cache = io_cache_dir();
	return xstrfmt("%s/weights/%s.safetensors", cache, row->name);
}

bool weights_here(const struct weights_row *row)
{
	SCOPED(free) char *path = weights_path(row);
	return io_exists(path);
}

/* ---- any file as safetensors ---- */

static int open_any(struct weights **out, const char *path, struct err *e)
{
	struct weights_file *file;
	if (weights_file_open(&file, path, e))
		return -1;
	struct weights *w = xcalloc(1, sizeof *w);
	w->file = file;
	w->st = file->st;
	*out = w;
	return 0;
}

void weights_free(struct weights *w)
{
	if (!w)
		return;
	weights_file_free(w->file);
	weights_network_free(w->network);
	free(w);
}

void scoped_weights(struct weights **w)
{
	weights_free(*w);
}

/* ---- checking ---- */

/* All tensors that the row names, in `tensors` (room for at least as many as the file has); other tensors of the file
 * are left out. */
static int pick(struct st_tensor *tensors, size_t *n, const struct weights_row *row, const struct safetensors *st,
                struct err *e)
{
	SCOPED(weights_list) struct weights_list list = weights_list(row);
	*n = 0;
	for (int i = 0; i < list.n; i++) {
		const struct weights_tensor *want = &list.v[i];
		if (want->optional && !safetensors_find(st, want->name))
			continue;
		const struct st_tensor *t;
		if (safetensors_need(&t, st, want->name, want->n_dims, want->dims, e))
			return err_in(e, "weights %s", row->name);
		tensors[(*n)++] = *t;
	}
	return 0;
}

static int check_tensors(const struct weights_row *row, const struct safetensors *st, struct err *e)
{
	size_t n;
	SCOPED(free) struct st_tensor *tensors = xcalloc(st->n_tensors, sizeof *tensors);
	return pick(tensors, &n, row, st, e);
}

static int not_here(const struct weights_row *row, const char *path, struct err *e)
{
	if (!row->url)
		return err_set(e, "weights %s not found (%s): `ablate weights import %s FILE`", row->name, path, row->name);
	return err_set(
		e,
		"weights %s not found (%s): `ablate weights fetch %s` downloads them (%s), or `ablate weights import "
		"%s FILE`",
		row->name, path, row->name, row->licence, row->name);
}

/* ---- content ---- */

void weights_content(char hex[SHA256_HEX], const struct safetensors *st)
{
	SCOPED(str) struct str text = { 0 };
	char buf[192], payload[SHA256_HEX];
	static const char *const read_by_networks[] = { "bn_eps", "input_range" };
	for (size_t i = 0; i < st->n_tensors; i++) {
		const struct st_tensor *t = &st->tensors[i];
		str_addf(&text, "%s %s %s\n", t->name, st_dtype_name(t->dtype), st_shape_text(buf, t));
	}
	for (size_t i = 0; i < sizeof read_by_networks / sizeof *read_by_networks; i++) {
		const char *value = safetensors_meta(st, read_by_networks[i]);
		str_addf(&text, "%s=%s\n", read_by_networks[i], value ? value : "");
	}
	safetensors_sha256(payload, st);
	str_addf(&text, "%s\n", payload);
	io_sha256(hex, text.data, text.len);
}

/* The same, remembered as long as the file stays as it is. */
static int content_of(char hex[SHA256_HEX], const struct safetensors *st, bool recall, struct err *e)
{
	SCOPED(free) char *now = identity_stamp(st->path, e);
	if (!now)
		return -1;
	SCOPED(free) char *stamp = xstrfmt("weights %s %s", st->path, now);
	if (recall && identity_recall(hex, stamp))
		return 0;
	weights_content(hex, st);
	identity_keep(hex, stamp);
	return 0;
}

/* What an import left beside the copy. */
static char *imported_path(const struct weights_row *row)
{
	SCOPED(free) char *cache = io_cache_dir();
	return xstrfmt("%s/weights/%s.imported", cache, row->name);
}

static bool read_imported(struct imported *out, const struct weights_row *row)
{
	SCOPED(free) char *path = imported_path(row);
	return imported_read(out, path);
}

static int refuse(const struct weights_row *row, const char *path, const char *why, struct err *e)
{
	SCOPED(free) char *fetch = row->url ? xstrfmt("`ablate weights fetch %s` or ", row->name) : xstrdup("");
	return err_code(e, EXIT_RECORD, "%s: %s; %s`ablate weights import %s FILE` puts them right", path, why, fetch,
	                row->name);
}

/* The copy of the cache is what an import made of the source that it names; w->sha256 is that source's. */
static int check_content(struct weights *w, const struct weights_row *row, bool recall, struct err *e)
{
	const char *path = w->st->path, *source = safetensors_meta(w->st, "source_sha256");
	char content[SHA256_HEX];
	struct imported in = { 0 };
	if (!source || strlen(source) != SHA256_HEX - 1)
		return refuse(row, path, "not an import of ablate: it does not name its source", e);
	if (content_of(content, w->st, recall, e))
		return -1;
	if (row->content && strcmp(source, row->sha256) == 0) {
		if (strcmp(content, row->content) != 0)
			return refuse(row, path, "its content is not that of the published weights that it names as its source", e);
	} else if (!read_imported(&in, row))
		return refuse(row, path, "nothing says that these were imported here (the file .imported beside it is missing)",
		              e);
	else if (strcmp(content, in.content) != 0)
		return refuse(row, path, "its content differs from what was imported", e);
	else if (strcmp(source, in.source) != 0)
		return refuse(row, path, "it names another source than was imported", e);
	memcpy(w->sha256, source, SHA256_HEX);
	return 0;
}

static int open_row(struct weights **out, const struct weights_row *row, const char *file, bool recall, struct err *e)
{
	SCOPED(free) char *cached = weights_path(row);
	if (!file && !io_exists(cached))
		return not_here(row, cached, e);
	struct weights *w;
	if (open_any(&w, file ? file : cached, e))
		return -1;
	if (check_tensors(row, w->st, e) ||
	    (file ? io_sha256_file(w->sha256, file, e) : check_content(w, row, recall, e))) {
		weights_free(w);
		return -1;
	}
	w->published = row->sha256 && strcmp(row->sha256, w->sha256) == 0;
	*out = w;
	return 0;
}

int weights_open(struct weights **out, const char *name, const char *file, struct err *e)
{
	const struct weights_row *row = NULL;
	return weights_row_find(&row, name, e) ? -1 : open_row(out, row, file, true, e);
}

/* ---- importing ---- */

static int convert(struct st_tensor *t, struct arena *arena, struct err *e, const char *path)
{
	size_t n = st_count(t);
	float *data = arena_alloc(arena, n * sizeof *data + 1);
	st_to_f32(data, t);
	for (size_t i = 0; i < n; i++)
		if (!(data[i] - data[i] == 0))
			return err_set(e, "%s: %s: value %zu is not finite", path, t->name, i);
	t->dtype = ST_F32;
	t->data = data;
	return 0;
}

/* Of the copy as it lies there now. */
static int record_import(const struct weights_row *row, const char *source, const char *path, struct err *e)
{
	struct weights *w;
	struct imported in = { 0 };
	memcpy(in.source, source, SHA256_HEX);
	if (open_any(&w, path, e))
		return -1;
	int rc = content_of(in.content, w->st, false, e);
	weights_free(w);
	if (!rc && row->content && strcmp(source, row->sha256) == 0 && strcmp(in.content, row->content) != 0)
		return refuse(row, path, "the published weights gave other content than the table says", e);
	SCOPED(free) char *note = imported_path(row);
	return rc ? -1 : imported_write(note, &in, e);
}

static int store(const struct weights_row *row, const struct weights *w, const char *file, struct err *e)
{
	SCOPED(free) struct st_tensor *tensors = xcalloc(w->st->n_tensors, sizeof *tensors);
	struct arena arena = { 0 };
	size_t n;
	int rc = pick(tensors, &n, row, w->st, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = convert(&tensors[i], &arena, e, file);
	if (rc == 0) {
		char payload[SHA256_HEX];
		safetensors_hash(payload, tensors, n);
		bool official = row->sha256 && strcmp(row->sha256, w->sha256) == 0;
		const char *name = official ? row->url : file, *slash = strrchr(name, '/'),
				   *eps = safetensors_meta(w->st, "bn_eps");
		const char *range = safetensors_meta(w->st, "input_range");
		struct st_meta meta[7] = { { "weights", row->name },
			                       { "licence", row->licence },
			                       { "source_sha256", w->sha256 },
			                       { "source_file", slash ? slash + 1 : name },
			                       { "payload_sha256", payload } };
		size_t n_meta = 5;
		if (eps)
			meta[n_meta++] = (struct st_meta){ "bn_eps", eps };
		if (range)
			meta[n_meta++] = (struct st_meta){ "input_range", range };
		SCOPED(free) char *path = weights_path(row);
		SCOPED(free) char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
		rc = io_mkdirs(folder, e) || safetensors_write(path, tensors, n, meta, n_meta, NULL, e) ||
		             record_import(row, w->sha256, path, e)
		         ? -1
		         : 0;
	}
	arena_release(&arena);
	return rc;
}

int weights_import(const struct weights_row *row, const char *file, bool other, char sha256[SHA256_HEX], struct err *e)
{
	if (io_is_special(file))
		return err_set(e, "%s: not a regular file", file);
	if (unread_refuse(file, e) || io_sha256_file(sha256, file, e))
		return -1;
	if (row->sha256 && !other && strcmp(row->sha256, sha256) != 0)
		return err_set(
			e, "%s: SHA-256 is %s, that of the published %s is %s; --other imports it anyway, under its own hash", file,
			sha256, row->name, row->sha256);
	SCOPED(weights) struct weights *w = NULL;
	if (open_any(&w, file, e))
		return -1;
	memcpy(w->sha256, sha256, SHA256_HEX);
	if (row->preset && weights_network_map(&w->network, row->preset, w->st, e))
		return err_in(e, "weights %s", row->name);
	if (w->network)
		w->st = weights_network_view(w->network);
	return store(row, w, file, e);
}

int weights_check(const struct weights_row *row, bool *official, char sha256[SHA256_HEX], struct err *e)
{
	SCOPED(weights) struct weights *w = NULL;
	if (open_row(&w, row, NULL, false, e))
		return -1;
	memcpy(sha256, w->sha256, SHA256_HEX);
	*official = w->published;
	return 0;
}
