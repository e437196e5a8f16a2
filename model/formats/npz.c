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

int npz_stream_open_any(struct npz_stream **out, struct npz *z, const char *key, struct err *e)
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
	if (npz_stream_open_any(&s, z, key, e))
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
	if (npz_stream_open_any(&s, z, key, e))
		return -1;
	*out = s->info;
	return 0;
}

static int more(void *stream, void *buf, size_t n, struct err *e)
{
	return npz_stream_read(stream, buf, n, e);
}

static int read_array(void **out, struct npy_info *info, struct npz *z, const char *key, int64_t max_count, size_t size,
                      struct err *e)
{
	SCOPED(npz_stream) struct npz_stream *s = NULL;
	if (npz_stream_open_any(&s, z, key, e) || npy_convert(out, &s->info, max_count, size, more, s, s->name, e))
		return -1;
	if (info)
		*info = s->info;
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
	if (npz_stream_open_any(&s, z, key, e))
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
