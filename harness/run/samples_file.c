/* samples_file.c - see samples_file.h. */
#define _GNU_SOURCE
#include "harness/run/samples_file.h"

#include "model/base/mem.h"
#include "model/formats/npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 20 };

static size_t image_bytes(const struct samples_shape *s)
{
	return (size_t)s->h * (size_t)s->w * (size_t)s->c;
}

int samples_file_write(char sha256[SHA256_HEX], const char *path, const uint8_t *px, const struct samples_shape *s,
                       struct err *e)
{
	SCOPED(str) struct str header = { 0 };
	const int64_t dims[] = { s->n, s->h, s->w, s->c };
	size_t bytes = (size_t)s->n * image_bytes(s);
	struct io_atomic f;
	struct sha256 sha;
	npy_header(&header, "|u1", dims, 4);
	if (io_atomic_open(&f, path, e) || io_atomic_write(&f, header.data, header.len, e) ||
	    io_atomic_write(&f, px, bytes, e) || io_atomic_commit(&f, e))
		return -1;
	sha256_init(&sha);
	sha256_add(&sha, header.data, header.len);
	sha256_add(&sha, px, bytes);
	sha256_hex(sha256, &sha);
	return 0;
}

static int check_header(struct npy_info *info, const uint8_t *front, size_t n, const char *path,
                        const struct samples_shape *s, struct err *e)
{
	if (npy_parse(info, front, n, path, e))
		return -1;
	const int64_t dims[] = { info->dims[0], s->h, s->w, s->c };
	if (info->kind != NPY_UINT || info->item != 1 || info->fortran || info->n_dims != 4 ||
	    memcmp(info->dims, dims, sizeof dims) != 0 || info->data_at > n)
		return err_set(e, "%s: not samples of this cell's shape", path);
	return 0;
}

int samples_file_read(uint8_t *px, int64_t *got, int64_t *in_file, const char *path, const char *sha256,
                      const struct samples_shape *s, struct err *e)
{
	SCOPED(file) FILE *f = fopen(path, "re");
	SCOPED(free) uint8_t *block = xmalloc(BLOCK);
	struct npy_info info = { 0 };
	struct sha256 sha;
	char hex[SHA256_HEX];
	size_t n, at = 0, wanted = (size_t)s->n * image_bytes(s), behind = 0;
	if (!f)
		return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	sha256_init(&sha);
	for (bool first = true; (n = fread(block, 1, BLOCK, f)) > 0; first = false) {
		sha256_add(&sha, block, n);
		if (first && check_header(&info, block, n, path, s, e))
			return -1;
		size_t from = first ? info.data_at : 0, some = n - from, take = some < wanted - at ? some : wanted - at;
		memcpy(px + at, block + from, take);
		at += take;
		behind += some - take;
	}
	if (ferror(f))
		return err_set(e, "%s: cannot read: %s", path, strerror(errno));
	sha256_hex(hex, &sha);
	if (strcmp(hex, sha256) != 0)
		return err_set(e, "%s: another content than the record's", path);
	*got = (int64_t)(at / image_bytes(s));
	*in_file = (int64_t)((at + behind) / image_bytes(s));
	return 0;
}
