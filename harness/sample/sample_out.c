/* sample_out.c - see sample_out.h: one row per kind of output. */
#include "harness/sample/sample_out.h"

#include "model/formats/npz.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/temporary.h"
#include "model/data/image_png.h"
#include "model/data/png_grid.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MARGIN = 2 };
#define ARRAY_MAX_BYTES 0xfff00000u /* what an .npz without zip64 holds */

struct kind {
	bool (*is)(const char *path);
	int (*open)(struct sample_out *o, struct err *e);
	int (*add)(struct sample_out *o, const uint8_t *px, int64_t label, struct err *e);
	int (*close)(struct sample_out *o, struct err *e); /* gives the output its name, or leaves that to drop */
	void (*drop)(struct sample_out *o);                /* removes what has no final name yet; also after close */
};

struct sample_out {
	const struct kind *kind;
	char *path;
	int64_t n, added;
	int h, w, c;
	struct png_grid *grid;
	char *part;    /* folder: its name until it is whole */
	int temporary; /* as temporary_remember knows it */
	uint8_t *px;   /* array */
	int64_t *labels;
};

static size_t image_bytes(const struct sample_out *o)
{
	return (size_t)o->h * (size_t)o->w * (size_t)o->c;
}

/* ---- a grid of tiles ------------------------------------------------------------------------- */

static bool ends_in(const char *path, const char *end)
{
	size_t n = strlen(path), k = strlen(end);
	return n > k && strcmp(path + n - k, end) == 0;
}

static bool is_grid(const char *path)
{
	return ends_in(path, ".png");
}

static int grid_open(struct sample_out *o, struct err *e)
{
	int cols = (int)ceil(sqrt((double)o->n)), rows = (int)((o->n + cols - 1) / cols);
	return png_grid_open(&o->grid, o->path, cols, rows, o->w, o->h, o->c, MARGIN, e);
}

static int grid_add(struct sample_out *o, const uint8_t *px, int64_t label, struct err *e)
{
	(void)label;
	return png_grid_add(o->grid, px, e);
}

static int grid_close(struct sample_out *o, struct err *e)
{
	struct png_grid *g = o->grid;
	o->grid = NULL;
	return png_grid_close(g, e);
}

static void grid_drop(struct sample_out *o)
{
	png_grid_free(o->grid);
}

/* ---- a folder of PNG ------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
	size_t n = strlen(path);
	return (n && path[n - 1] == '/') || io_is_dir(path);
}

static int folder_open(struct sample_out *o, struct err *e)
{
	for (size_t n = strlen(o->path); n > 1 && o->path[n - 1] == '/'; n--)
		o->path[n - 1] = '\0';
	if (rmdir(o->path) && errno != ENOENT) /* an empty one is replaced */
		return err_set(e, "%s: %s; name a folder that does not exist yet", o->path, strerror(errno));
	if (io_temporary_folder(&o->part, o->path, e))
		return -1;
	o->temporary = temporary_remember(o->part);
	return 0;
}

static char *folder_item(const struct sample_out *o, int64_t i)
{
	return xstrfmt("%s/%0*lld.png", o->part, o->n > 100000 ? 7 : 5, (long long)i);
}

/* Not synced one by one: a lost image is not lost work. */
static int folder_add(struct sample_out *o, const uint8_t *px, int64_t label, struct err *e)
{
	(void)label;
	SCOPED(free) char *path = folder_item(o, o->added);
	SCOPED(str) struct str png = { 0 };
	if (image_png_encode(&png, px, o->h, o->w, o->c, path, e))
		return -1;
	SCOPED(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? err_set(e, "%s: cannot create: %s", path, strerror(errno))
	              : io_write_all(fd, png.data, png.len, path, e);
}

static int folder_close(struct sample_out *o, struct err *e)
{
	if (rename(o->part, o->path))
		return err_set(e, "%s: cannot be named %s: %s", o->part, o->path, strerror(errno));
	temporary_forget(o->temporary);
	free(o->part);
	o->part = NULL;
	return 0;
}

static void folder_drop(struct sample_out *o)
{
	for (int64_t i = 0; o->part && i <= o->added; i++) {
		SCOPED(free) char *path = folder_item(o, i);
		(void)unlink(path);
	}
	if (o->part) {
		(void)rmdir(o->part);
		temporary_forget(o->temporary);
	}
	free(o->part);
}

/* ---- an array -------------------------------------------------------------------------------- */

static bool is_array(const char *path)
{
	return ends_in(path, ".npz");
}

static int array_open(struct sample_out *o, struct err *e)
{
	if ((double)o->n * (double)image_bytes(o) > ARRAY_MAX_BYTES)
		return err_set(e, "%s: %lld images are more than 4 GiB, which a plain .npz cannot hold; name a folder (%s/)",
		               o->path, (long long)o->n, "DIR");
	o->px = xmalloc((size_t)o->n * image_bytes(o));
	o->labels = xcalloc((size_t)o->n, sizeof *o->labels);
	return io_atomic_possible(o->path, e);
}

static int array_add(struct sample_out *o, const uint8_t *px, int64_t label, struct err *e)
{
	(void)e;
	memcpy(o->px + (size_t)o->added * image_bytes(o), px, image_bytes(o));
	o->labels[o->added] = label;
	return 0;
}

static int array_close(struct sample_out *o, struct err *e)
{
	struct npz_writer z;
	const int64_t dims[] = { o->n, o->h, o->w, o->c };
	if (npz_create(&z, o->path, e) || npz_add(&z, "arr_0", "|u1", dims, 4, o->px, e) ||
	    (o->labels[0] >= 0 && npz_add(&z, "arr_1", "<i8", dims, 1, o->labels, e)))
		return -1;
	return npz_commit(&z, e);
}

static void array_drop(struct sample_out *o)
{
	free(o->px);
	free(o->labels);
}

/* ---- all ------------------------------------------------------------------------------------- */

/* The first that matches; NULL in the last for none. */
static const struct kind kinds[] = {
	{ is_folder, folder_open, folder_add, folder_close, folder_drop },
	{ is_array, array_open, array_add, array_close, array_drop },
	{ is_grid, grid_open, grid_add, grid_close, grid_drop },
	{ 0 },
};

static const struct kind *kind_of(const char *path)
{
	const struct kind *k = kinds;
	while (k->is && !k->is(path))
		k++;
	return k;
}

int sample_out_check(const char *path, struct err *e)
{
	if (kind_of(path)->is)
		return 0;
	const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *dot = strrchr(base, '.');
	int stem = dot && dot > base ? (int)(dot - path) : (int)strlen(path);
	return err_code(e, EXIT_USAGE,
	                "-o %s: samples are written as one PNG of tiles (-o %.*s.png), a folder of PNG files (-o %.*s/) or "
	                "an array (-o %.*s.npz)",
	                path, stem, path, stem, path, stem, path);
}

bool sample_out_is_grid(const char *path)
{
	return kind_of(path)->is == is_grid;
}

int sample_out_open(struct sample_out **out, const char *path, int64_t n, int h, int w, int c, struct err *e)
{
	REQUIRE(n > 0);
	if (sample_out_check(path, e))
		return -1;
	struct sample_out *o = xcalloc(1, sizeof *o);
	*o = (struct sample_out){ .kind = kind_of(path), .path = xstrdup(path), .n = n, .h = h, .w = w, .c = c };
	if (o->kind->open(o, e)) {
		sample_out_free(o);
		return -1;
	}
	*out = o;
	return 0;
}

int sample_out_add(struct sample_out *o, const uint8_t *px, int64_t label, struct err *e)
{
	REQUIRE(o->added < o->n);
	if (o->kind->add(o, px, label, e))
		return -1;
	o->added++;
	return 0;
}

int sample_out_close(struct sample_out *o, struct err *e)
{
	REQUIRE(o->added == o->n);
	int rc = o->kind->close(o, e);
	sample_out_free(o);
	return rc;
}

void sample_out_free(struct sample_out *o)
{
	if (!o)
		return;
	o->kind->drop(o);
	free(o->path);
	free(o);
}
