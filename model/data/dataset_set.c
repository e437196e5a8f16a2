/* dataset_set.c - see dataset_set.h. The file is safetensors with a header of fixed length: the hash in it is filled in
 * last. */
#define _GNU_SOURCE
#include "model/data/dataset_set.h"

#include "model/base/identity.h"
#include "model/base/mem.h"
#include "model/formats/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#define FORMAT     "ablate-set-1"
#define NO_HASH    "0000000000000000000000000000000000000000000000000000000000000000"
#define SYNC_BYTES ((int64_t)64 << 20) /* how much an import may have to repeat */

/* ---- names ----------------------------------------------------------------------------------- */

char *set_path(const char *sha256)
{
	SCOPED(free) char *cache = io_cache_dir();
	return xstrfmt("%s/sets/%s.safetensors", cache, sha256);
}

static char *ref_path(const char *name, enum data_split split)
{
	SCOPED(free) char *cache = io_cache_dir();
	return xstrfmt("%s/data/%s/%s.set", cache, name, split == SPLIT_TRAIN ? "train" : "test");
}

static bool shape_ok(const struct set_ref *r)
{
	return r->n > 0 && r->n < (int64_t)1 << 40 && r->h > 0 && r->h <= 4096 && r->w > 0 && r->w <= 4096 &&
	       (r->c == 1 || r->c == 3) && r->classes > 0 && r->classes <= 65536;
}

bool set_ref_read(struct set_ref *out, const char *name, enum data_split split)
{
	if (!*name || strpbrk(name, "/\\") || name[0] == '.')
		return false;
	SCOPED(free) char *path = ref_path(name, split);
	SCOPED(str) struct str text = { 0 };
	struct set_ref r = { .n = 0 };
	int used = 0;
	if (io_read(&text, path, 4096, NULL) ||
	    sscanf(str_text(&text), "%64[0-9a-f] %" SCNd64 " %d %d %d %d\n%n", r.sha256, &r.n, &r.h, &r.w, &r.c, &r.classes,
	           &used) != 6 ||
	    (size_t)used != text.len || strlen(r.sha256) != SHA256_HEX - 1 || !shape_ok(&r))
		return false;
	SCOPED(free) char *set = set_path(r.sha256);
	*out = r;
	return io_exists(set);
}

int set_ref_write(const struct set_ref *r, const char *name, enum data_split split, struct err *e)
{
	SCOPED(free) char *path = ref_path(name, split), *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	SCOPED(free) char *text = xstrfmt("%s %" PRId64 " %d %d %d %d\n", r->sha256, r->n, r->h, r->w, r->c, r->classes);
	return io_mkdirs(folder, e) || io_write_atomic(path, text, strlen(text), e) ? -1 : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_labels(struct dataset *d, const struct st_tensor *labels, const char *path, struct err *e)
{
	d->labels = xcalloc((size_t)d->n, sizeof *d->labels);
	for (int64_t i = 0; i < d->n; i++) {
		int64_t label;
		memcpy(&label, (const char *)labels->data + (size_t)i * sizeof label, sizeof label);
		if (label < 0 || label >= d->classes)
			return err_set(e, "%s: label %" PRId64 " of image %" PRId64 ": there are %d classes", path, label, i,
			               d->classes);
		d->labels[i] = (uint16_t)label;
	}
	return 0;
}

/* Where it is remembered which content a file had; NULL where there is no such file. */
static char *content_stamp(const char *path)
{
	SCOPED(free) char *now = identity_stamp(path, NULL);
	return now ? xstrfmt("set %s %s", path, now) : NULL;
}

/* Is the content what the name says, by what is remembered of this very file? */
static bool known_right(const char *path, const struct set_ref *r)
{
	char hex[SHA256_HEX];
	SCOPED(free) char *stamp = content_stamp(path);
	return stamp && identity_recall(hex, stamp) && strcmp(hex, r->sha256) == 0;
}

static void remember_right(const char *path, const struct set_ref *r)
{
	SCOPED(free) char *stamp = content_stamp(path);
	if (stamp)
		identity_keep(r->sha256, stamp);
}

int set_open(struct dataset *out, const struct set_ref *r, bool check, struct err *e)
{
	SCOPED(free) char *path = set_path(r->sha256);
	struct dataset d = { .n = r->n, .h = r->h, .w = r->w, .c = r->c, .classes = r->classes };
	const struct st_tensor *images, *labels;
	if (safetensors_open(&d.file, path, e))
		return -1;
	if (safetensors_need(&images, d.file, "images", 4, (int64_t[]){ r->n, r->h, r->w, r->c }, e) ||
	    safetensors_need(&labels, d.file, "labels", 1, (int64_t[]){ r->n }, e))
		goto fail;
	if (images->dtype != ST_U8 || labels->dtype != ST_I64) {
		(void)err_set(e, "%s: not a data set: images are %s, labels %s", path, st_dtype_name(images->dtype),
		              st_dtype_name(labels->dtype));
		goto fail;
	}
	d.images = (uint8_t *)(uintptr_t)images->data;
	if (read_labels(&d, labels, path, e))
		goto fail;
	memcpy(d.sha256, r->sha256, SHA256_HEX);
	if (check || !known_right(path, r)) {
		dataset_identify(&d);
		if (strcmp(d.sha256, r->sha256) != 0) {
			(void)err_set(e, "%s: damaged: its content is %.12s...; import it again", path, d.sha256);
			goto fail;
		}
		remember_right(path, r);
	}
	*out = d;
	return 0;
fail:
	dataset_release(&d);
	return -1;
}

int set_sha256(char hex[SHA256_HEX], const struct set_ref *r, struct err *e)
{
	SCOPED(free) char *path = set_path(r->sha256);
	if (!known_right(path, r)) {
		struct dataset d;
		if (set_open(&d, r, false, e))
			return -1;
		dataset_release(&d);
	}
	memcpy(hex, r->sha256, SHA256_HEX);
	return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct set_writer {
	struct set_ref ref;
	char *path, *count_path; /* the part, and a file that says how many images are certainly in it */
	int fd;
	size_t hash_at, images_at, image_bytes;
	int64_t done, synced;
};

/* The header, padded to a multiple of 8; *hash_at is where the placeholder is. */
static void make_header(struct str *out, size_t *hash_at, const struct set_ref *r)
{
	int64_t label_bytes = 8 * r->n, bytes = r->n * r->h * r->w * r->c;
	SCOPED(str) struct str json = { 0 };
	str_addf(&json, "{\"__metadata__\":{\"classes\":\"%d\",\"format\":\"" FORMAT "\",\"sha256\":\"" NO_HASH "\"}",
	         r->classes);
	str_addf(&json, ",\"labels\":{\"dtype\":\"I64\",\"shape\":[%" PRId64 "],\"data_offsets\":[0,%" PRId64 "]}", r->n,
	         label_bytes);
	str_addf(&json,
	         ",\"images\":{\"dtype\":\"U8\",\"shape\":[%" PRId64 ",%d,%d,%d],\"data_offsets\":[%" PRId64 ",%" PRId64
	         "]}}",
	         r->n, r->h, r->w, r->c, label_bytes, label_bytes + bytes);
	while (json.len % 8)
		str_addc(&json, ' ');
	*hash_at = 8 + (size_t)(strstr(json.data, NO_HASH) - json.data);
	for (int i = 0; i < 8; i++)
		str_addc(out, (char)((uint64_t)json.len >> (8 * i) & 0xff));
	str_addn(out, json.data, json.len);
}

static int failed(const struct set_writer *w, const char *what, struct err *e)
{
	return err_set(e, "%s: %s: %s", w->path, what, strerror(errno));
}

static int write_at(const struct set_writer *w, const void *data, size_t n, size_t at, struct err *e)
{
	if (lseek(w->fd, (off_t)at, SEEK_SET) < 0)
		return failed(w, "cannot seek", e);
	return io_write_all(w->fd, data, n, w->path, e);
}

static int start(struct set_writer *w, const uint16_t *labels, const struct str *header, struct err *e)
{
	SCOPED(free) int64_t *wide = xcalloc((size_t)w->ref.n, sizeof *wide);
	for (int64_t i = 0; i < w->ref.n; i++) {
		if (labels[i] >= w->ref.classes)
			return err_set(e, "label %d of image %" PRId64 ": there are %d classes", labels[i], i, w->ref.classes);
		wide[i] = labels[i];
	}
	if (ftruncate(w->fd, 0))
		return failed(w, "cannot empty", e);
	return write_at(w, header->data, header->len, 0, e) ||
	               write_at(w, wide, (size_t)w->ref.n * sizeof *wide, header->len, e)
	           ? -1
	           : 0;
}

/* How many images an earlier attempt left: its own count, if the file is that long. */
static int64_t left_by_earlier(const struct set_writer *w)
{
	SCOPED(str) struct str text = { 0 };
	int64_t n = 0;
	off_t size = lseek(w->fd, 0, SEEK_END);
	if (io_read(&text, w->count_path, 64, NULL) || sscanf(str_text(&text), "%" SCNd64, &n) != 1 || n < 0 ||
	    n > w->ref.n)
		return 0;
	return size >= (off_t)(w->images_at + (size_t)n * w->image_bytes) ? n : 0;
}

int set_writer_open(struct set_writer **out, const struct set_ref *ref, const uint16_t *labels, const char *key,
                    int64_t *done, struct err *e)
{
	SCOPED(free) char *cache = io_cache_dir(), *folder = xstrfmt("%s/sets", cache);
	SCOPED(str) struct str header = { 0 };
	if (!shape_ok(ref))
		return err_code(e, EXIT_USAGE, "a set of %" PRId64 " images of %dx%dx%d in %d classes cannot be stored", ref->n,
		                ref->h, ref->w, ref->c, ref->classes);
	if (io_mkdirs(folder, e))
		return -1;
	struct set_writer *w = xcalloc(1, sizeof *w);
	w->ref = *ref;
	w->path = xstrfmt("%s/part-%.16s", folder, key);
	w->count_path = xstrfmt("%s.count", w->path);
	make_header(&header, &w->hash_at, ref);
	w->images_at = header.len + 8 * (size_t)ref->n;
	w->image_bytes = (size_t)ref->h * (size_t)ref->w * (size_t)ref->c;
	w->fd = open(w->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (w->fd < 0)
		(void)failed(w, "cannot open", e);
	else if (flock(w->fd, LOCK_EX | LOCK_NB))
		(void)err_set(e, "%s: another import of the same data is running", w->path);
	else {
		w->done = w->synced = *done = left_by_earlier(w);
		if (w->done || !start(w, labels, &header, e)) {
			if (lseek(w->fd, (off_t)(w->images_at + (size_t)w->done * w->image_bytes), SEEK_SET) >= 0) {
				*out = w;
				return 0;
			}
			(void)failed(w, "cannot seek", e);
		}
	}
	set_writer_free(w);
	return -1;
}

static int note_progress(struct set_writer *w, struct err *e)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%" PRId64 "\n", w->done);
	if (fdatasync(w->fd))
		return failed(w, "cannot write", e);
	w->synced = w->done;
	return io_write_atomic(w->count_path, text, (size_t)n, e);
}

int set_writer_add(struct set_writer *w, const uint8_t *image, struct err *e)
{
	REQUIRE(w->done < w->ref.n);
	if (io_write_all(w->fd, image, w->image_bytes, w->path, e))
		return -1;
	w->done++;
	return (w->done - w->synced) * (int64_t)w->image_bytes >= SYNC_BYTES ? note_progress(w, e) : 0;
}

/* The identity of the content of the part file. */
static int identify_part(char sha256[SHA256_HEX], const struct set_writer *w, struct err *e)
{
	size_t bytes = w->images_at + (size_t)w->ref.n * w->image_bytes;
	uint8_t *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, w->fd, 0);
	if (map == MAP_FAILED)
		return failed(w, "cannot map", e);
	const struct set_ref *r = &w->ref;
	struct dataset d = {
		.n = r->n, .h = r->h, .w = r->w, .c = r->c, .classes = r->classes, .images = map + w->images_at
	};
	SCOPED(free) uint16_t *labels = d.labels = xcalloc((size_t)r->n, sizeof *labels);
	for (int64_t i = 0; i < r->n; i++)
		memcpy(&labels[i], map + w->images_at - 8 * (size_t)(r->n - i),
		       sizeof *labels); /* the low half of a little-endian integer */
	dataset_identify(&d);
	memcpy(sha256, d.sha256, SHA256_HEX);
	(void)munmap(map, bytes);
	return 0;
}

int set_writer_commit(struct set_writer *w, struct set_ref *ref, struct err *e)
{
	REQUIRE(w->done == w->ref.n);
	if (identify_part(w->ref.sha256, w, e) || write_at(w, w->ref.sha256, SHA256_HEX - 1, w->hash_at, e))
		return -1;
	SCOPED(free) char *path = set_path(w->ref.sha256), *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	if (fsync(w->fd) || rename(w->path, path))
		return failed(w, "cannot write", e);
	SCOPED(fd) int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		(void)fsync(dir);
	(void)unlink(w->count_path);
	remember_right(path, &w->ref);
	*ref = w->ref;
	return 0;
}

void set_writer_free(struct set_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0 && w->done > w->synced && w->done < w->ref.n)
		(void)(note_progress(w, NULL) == 0); /* best effort: an earlier count stays otherwise */
	if (w->fd >= 0)
		(void)close(w->fd);
	free(w->path);
	free(w->count_path);
	free(w);
}
