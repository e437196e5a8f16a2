/* npz.c - reading .npz; see npz.h. The zip is foreign: members may lie about their size, so every length is taken
 * from what was actually inflated. */
#include "model/formats/npz.h"

#include "model/base/mem.h"
#include "model/formats/zip_read.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

struct npz {
	zip_t *zip;
	char *path;
};

struct npz_stream {
	struct npz *z;
	zip_file_t *f;
	char *name; /* "file.npz:key", for messages */
	struct npy_info info;
	uint8_t head[NPY_MAX_HEADER];
	size_t head_at, head_n; /* bytes of data that came with the header */
	uint64_t left;          /* bytes of data not yet asked for */
};

int npz_open(struct npz **out, const char *path, struct err *e)
{
	zip_t *zip = zip_read_open(path, ".npz", e);
	if (!zip)
		return -1;
	struct npz *z = xcalloc(1, sizeof *z);
	z->zip = zip;
	z->path = xstrdup(path);
	*out = z;
	return 0;
}

void npz_free(struct npz *z)
{
	if (!z)
		return;
	zip_discard(z->zip);
	free(z->path);
	free(z);
}

void scoped_npz(struct npz **z)
{
	npz_free(*z);
}

int npz_count(const struct npz *z)
{
	zip_int64_t n = zip_get_num_entries(z->zip, 0);
	return n < 0 ? 0 : n > 1 << 20 ? 1 << 20 : (int)n;
}

const char *npz_name(const struct npz *z, int i)
{
	const char *name = zip_get_name(z->zip, (zip_uint64_t)i, 0);
	size_t n = name ? strlen(name) : 0;
	return n > 4 && strcmp(name + n - 4, ".npy") == 0 ? name : NULL;
}

static zip_int64_t locate(const struct npz *z, const char *key)
{
	SCOPED(free) char *member = xstrfmt("%s.npy", key);
	return zip_name_locate(z->zip, member, 0);
}

bool npz_has(const struct npz *z, const char *key)
{
	return locate(z, key) >= 0;
}

void npz_stream_free(struct npz_stream *s)
{
	if (!s)
		return;
	if (s->f)
		(void)zip_fclose(s->f);
	free(s->name);
	free(s);
}

static void scoped_npz_stream(struct npz_stream **s)
{
	npz_stream_free(*s);
}

static int open_any_order(struct npz_stream **out, struct npz *z, const char *key, struct err *e)
{
	zip_int64_t i = locate(z, key);
	if (i < 0)
		return err_set(e, "%s: no array '%s' in it", z->path, key);
	SCOPED(npz_stream) struct npz_stream *s = xcalloc(1, sizeof *s);
	s->z = z;
	s->name = xstrfmt("%s:%s", z->path, key);
	zip_stat_t st;
	if (zip_stat_index(z->zip, (zip_uint64_t)i, 0, &st) || !(st.valid & ZIP_STAT_SIZE))
		return err_set(e, "%s: its size is not recorded", s->name);
	s->f = zip_fopen_index(z->zip, (zip_uint64_t)i, 0);
	if (!s->f)
		return err_set(e, "%s: cannot open: %s", s->name, zip_strerror(z->zip));
	while (s->head_n < sizeof s->head) {
		zip_int64_t got = zip_fread(s->f, s->head + s->head_n, sizeof s->head - s->head_n);
		if (got < 0)
			return err_set(e, "%s: cannot read: %s", s->name, zip_file_strerror(s->f));
		if (got == 0)
			break;
		s->head_n += (size_t)got;
	}
	if (npy_parse(&s->info, s->head, s->head_n, s->name, e))
		return -1;
	s->head_at = s->info.data_at;
	uint64_t want = (uint64_t)s->info.count * (uint64_t)s->info.item + s->info.data_at;
	char text[128];
	if (st.size != want)
		return err_set(e, "%s: %llu bytes, but %s needs %llu", s->name, (unsigned long long)st.size,
		               npy_describe(text, &s->info), (unsigned long long)want);
	s->left = want - s->info.data_at;
	*out = s;
	s = NULL;
	return 0;
}

int npz_stream_open(struct npz_stream **out, struct npz *z, const char *key, struct err *e)
{
	SCOPED(npz_stream) struct npz_stream *s = NULL;
	if (open_any_order(&s, z, key, e))
		return -1;
	if (s->info.fortran)
		return err_set(e, "%s: array in Fortran order; save it with numpy.ascontiguousarray", s->name);
	*out = s;
	s = NULL;
	return 0;
}

const struct npy_info *npz_stream_info(const struct npz_stream *s)
{
	return &s->info;
}

int npz_stream_read(struct npz_stream *s, void *buf, size_t n, struct err *e)
{
	uint8_t *to = buf;
	size_t have = s->head_n - s->head_at, k = n < have ? n : have;
	memcpy(to, s->head + s->head_at, k);
	s->head_at += k;
	while (k < n) {
		zip_int64_t got = zip_fread(s->f, to + k, n - k);
		if (got < 0)
			return err_set(e, "%s: damaged: %s", s->name, zip_file_strerror(s->f));
		if (got == 0)
			return err_set(e, "%s: truncated", s->name);
		k += (size_t)got;
	}
	/* After the last byte, one more read makes libzip compare the checksum. */
	s->left -= n < s->left ? n : s->left;
	if (n && !s->left && zip_fread(s->f, &(uint8_t){ 0 }, 1) < 0)
		return err_set(e, "%s: damaged: %s", s->name, zip_file_strerror(s->f));
	return 0;
}

int npz_info(struct npy_info *out, struct npz *z, const char *key, struct err *e)
{
	SCOPED(npz_stream) struct npz_stream *s = NULL;
	if (open_any_order(&s, z, key, e))
		return -1;
	*out = s->info;
	return 0;
}

/* data [cols][rows] becomes [rows][cols]. */
static void turn(char **data, int64_t rows, int64_t cols, size_t size)
{
	char *turned = xmalloc((size_t)(rows * cols) * size + 1);
	for (int64_t i = 0; i < rows; i++)
		for (int64_t j = 0; j < cols; j++)
			memcpy(turned + (size_t)(i * cols + j) * size, *data + (size_t)(j * rows + i) * size, size);
	free(*data);
	*data = turned;
}

/* Reads an array in chunks, converting each by `convert` into elements of `size` bytes. */
static int read_array(void **out, struct npy_info *info, struct npz *z, const char *key, int64_t max_count, size_t size,
                      struct err *e)
{
	SCOPED(npz_stream) struct npz_stream *s = NULL;
	if (open_any_order(&s, z, key, e))
		return -1;
	char text[128];
	if (s->info.fortran && s->info.n_dims > 2)
		return err_set(e, "%s: %s in Fortran order; save it with numpy.ascontiguousarray", s->name,
		               npy_describe(text, &s->info));
	if (s->info.kind == NPY_BYTES)
		return err_set(e, "%s: %s: expected numbers", s->name, npy_describe(text, &s->info));
	if (s->info.count > max_count)
		return err_set(e, "%s: %s: more than %lld elements", s->name, npy_describe(text, &s->info),
		               (long long)max_count);
	enum { CHUNK = 1 << 16 };
	SCOPED(free) uint8_t *raw = xmalloc(CHUNK * 8);
	SCOPED(free) char *data = xmalloc(s->info.count ? (size_t)s->info.count * size : 1);
	for (int64_t at = 0; at < s->info.count; at += CHUNK) {
		int64_t n = s->info.count - at < CHUNK ? s->info.count - at : CHUNK;
		if (npz_stream_read(s, raw, (size_t)(n * s->info.item), e))
			return -1;
		if (size == sizeof(double))
			npy_to_double((double *)(void *)data + at, &s->info, raw, 0, n);
		else
			npy_to_float((float *)(void *)data + at, &s->info, raw, 0, n);
	}
	if (s->info.fortran)
		turn(&data, s->info.dims[0], s->info.dims[1], size);
	if (info)
		*info = s->info;
	*out = data;
	data = NULL;
	return 0;
}

int npz_doubles(double **out, struct npy_info *info, struct npz *z, const char *key, int64_t max_count, struct err *e)
{
	void *p;
	if (read_array(&p, info, z, key, max_count, sizeof(double), e))
		return -1;
	*out = p;
	return 0;
}

int npz_floats(float **out, struct npy_info *info, struct npz *z, const char *key, int64_t max_count, struct err *e)
{
	void *p;
	if (read_array(&p, info, z, key, max_count, sizeof(float), e))
		return -1;
	*out = p;
	return 0;
}

int npz_text(char **out, struct npz *z, const char *key, struct err *e)
{
	SCOPED(npz_stream) struct npz_stream *s = NULL;
	if (open_any_order(&s, z, key, e))
		return -1;
	if (s->info.kind != NPY_BYTES || s->info.n_dims != 0)
		return err_set(e, "%s: expected a text", s->name);
	SCOPED(free) char *text = xcalloc((size_t)s->info.item + 1, 1);
	if (npz_stream_read(s, text, (size_t)s->info.item, e))
		return -1;
	*out = text;
	text = NULL;
	return 0;
}
