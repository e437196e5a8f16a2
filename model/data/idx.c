/* idx.c - see idx.h. */
#include "model/data/idx.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

bool idx_is(const uint8_t *bytes, size_t n)
{
	return n >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 14 && bytes[3] >= 1 &&
	       bytes[3] <= 4;
}

int idx_parse(struct idx *out, const uint8_t *bytes, size_t n, const char *name, struct err *e)
{
	struct idx x = { 0 };
	if (!idx_is(bytes, n))
		return err_set(e, "%s: not an IDX file", name);
	if (bytes[2] != 8)
		return err_set(e, "%s: IDX of element type 0x%02x; only unsigned bytes (0x08) are read", name, bytes[2]);
	x.n_dims = bytes[3];
	size_t at = 4, total = 1;
	if (n < at + 4 * (size_t)x.n_dims)
		return err_set(e, "%s: truncated IDX header", name);
	for (int i = 0; i < x.n_dims; i++, at += 4) {
		x.dims[i] = (int64_t)bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
		if (__builtin_mul_overflow(total, (size_t)x.dims[i], &total))
			return err_set(e, "%s: the IDX shape overflows", name);
	}
	if (n - at != total)
		return err_set(e, "%s: %s: %zu bytes of data, its header promises %zu", name,
		               n - at < total ? "truncated" : "trailing bytes", n - at, total);
	x.data = xmalloc(total ? total : 1);
	memcpy(x.data, bytes + at, total);
	*out = x;
	return 0;
}

int idx_gunzip(uint8_t **out, size_t *n, const char *path, size_t max, struct err *e)
{
	gzFile f = gzopen(path, "rb");
	if (!f)
		return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	(void)gzbuffer(f, 1 << 17);
	size_t len = 0, cap = 1 << 20;
	uint8_t *data = xmalloc(cap);
	for (;;) {
		if (len == cap)
			data = xrealloc(data, cap *= 2, 1);
		int got = gzread(f, data + len, (unsigned)(cap - len < 1 << 24 ? cap - len : 1 << 24));
		int status;
		const char *why = gzerror(f, &status);
		if (got < 0 || (got == 0 && status == Z_BUF_ERROR)) {
			(void)err_set(e, "%s: %s", path, status == Z_BUF_ERROR ? "truncated gzip file" : why);
			break;
		}
		if (got == 0) {
			(void)gzclose(f);
			*out = data;
			*n = len;
			return 0;
		}
		len += (size_t)got;
		if (len > max) {
			(void)err_set(e, "%s: larger than %zu bytes", path, max);
			break;
		}
	}
	(void)gzclose(f);
	free(data);
	return -1;
}

int idx_open(struct idx *out, const char *path, struct err *e)
{
	uint8_t *bytes;
	size_t n;
	if (idx_gunzip(&bytes, &n, path, IDX_MAX_BYTES, e))
		return -1;
	int r = idx_parse(out, bytes, n, path, e);
	free(bytes);
	return r;
}

void idx_release(struct idx *x)
{
	free(x->data);
	*x = (struct idx){ 0 };
}

int idx_open_images(struct idx *out, const char *path, struct err *e)
{
	struct idx x;
	if (idx_open(&x, path, e))
		return -1;
	if (x.n_dims == 3)
		x.dims[3] = 1;
	if (x.n_dims < 3 || (x.dims[3] != 1 && x.dims[3] != 3)) {
		(void)err_set(e, "%s: IDX of %d dimensions holds no images%s", path, x.n_dims,
		              x.n_dims == 1 ? " (these are labels)" : "");
		idx_release(&x);
		return -1;
	}
	*out = x;
	return 0;
}

int idx_image(struct image_u8 *im, const struct idx *x, int64_t i, const char *name, struct err *e)
{
	if (image_u8_shape(im, x->dims[1], x->dims[2], (int)x->dims[3], name, e))
		return -1;
	size_t size = (size_t)im->h * (size_t)im->w * (size_t)im->c;
	memcpy(im->px, x->data + (size_t)i * size, size);
	return 0;
}

int idx_open_labels(struct idx *out, const char *path, int64_t n, struct err *e)
{
	struct idx x;
	if (idx_open(&x, path, e))
		return -1;
	if (x.n_dims != 1 || x.dims[0] != n) {
		(void)err_set(e, "%s: %" PRId64 " labels for %" PRId64 " images", path, x.dims[0], n);
		idx_release(&x);
		return -1;
	}
	*out = x;
	return 0;
}

/* `path` if there is such a file, else NULL; takes it over. */
static char *if_there(char *path)
{
	if (path && io_exists(path))
		return path;
	free(path);
	return NULL;
}

char *idx_images_in(const char *folder, enum data_split split)
{
	static const char *const names[] = { "images-idx3-ubyte.gz", "images-idx4-ubyte.gz", "images-idx3-ubyte",
		                                 "images-idx4-ubyte" };
	char *found = NULL;
	for (size_t i = 0; !found && i < sizeof names / sizeof *names; i++)
		found = if_there(xstrfmt("%s/%s-%s", folder, split == SPLIT_TEST ? "t10k" : "train", names[i]));
	return found;
}

char *idx_labels_beside(const char *images)
{
	const char *slash = strrchr(images, '/'), *at = strstr(slash ? slash : images, "-images-idx");
	if (!at || !at[11] || !at[12])
		return NULL;
	size_t len = strlen(images);
	bool gzip = len > 3 && strcmp(images + len - 3, ".gz") == 0;
	SCOPED(free) char *same = xstrfmt("%.*s-labels-idx1%s", (int)(at - images), images, at + 12);
	char *found = if_there(xstrdup(same));
	return found ? found : if_there(gzip ? xstrndup(same, strlen(same) - 3) : xstrfmt("%s.gz", same));
}
