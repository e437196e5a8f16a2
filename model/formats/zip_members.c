/* zip_members.c - see zip_members.h. */
#include "model/formats/zip_members.h"

#include "model/base/mem.h"
#include "model/formats/tar.h"
#include "model/formats/zip_read.h"

#include <pthread.h>
#include <stdlib.h>
#include <zip.h>

#define ZIP_MAX_MEMBERS 20000000

struct zip_members {
	zip_t *zip;
	int64_t n;
	uint8_t *bytes;
	size_t room;
	pthread_mutex_t mutex;
};

void zip_members_free(struct zip_members *z)
{
	if (!z)
		return;
	zip_discard(z->zip);
	(void)pthread_mutex_destroy(&z->mutex);
	free(z->bytes);
	free(z);
}

static int check_names(const struct zip_members *z, const char *path, struct err *e)
{
	if (z->n > ZIP_MAX_MEMBERS)
		return err_set(e, "%s: %lld members", path, (long long)z->n);
	for (int64_t i = 0; i < z->n; i++) {
		const char *name = zip_members_name(z, i);
		if (!name)
			return err_set(e, "%s: member %lld has no readable name", path, (long long)i);
		if (archive_name_escapes(name))
			return err_set(e, "%s: member '%s' points outside the archive; refused", path, name);
	}
	return 0;
}

int zip_members_open(struct zip_members **out, const char *path, struct err *e)
{
	zip_t *zip = zip_read_open(path, "zip", e);
	if (!zip)
		return -1;
	struct zip_members *z = xcalloc(1, sizeof *z);
	z->zip = zip;
	(void)pthread_mutex_init(&z->mutex, NULL);
	z->n = zip_get_num_entries(zip, 0);
	if (check_names(z, path, e)) {
		zip_members_free(z);
		return -1;
	}
	*out = z;
	return 0;
}

int64_t zip_members_count(const struct zip_members *z)
{
	return z->n;
}

const char *zip_members_name(const struct zip_members *z, int64_t i)
{
	return zip_get_name(z->zip, (zip_uint64_t)i, 0);
}

static int read_member(struct zip_members *z, int64_t i, struct str *out, size_t max, const char *name, struct err *e)
{
	zip_stat_t st;
	if (zip_stat_index(z->zip, (zip_uint64_t)i, 0, &st) || !(st.valid & ZIP_STAT_SIZE))
		return err_set(e, "%s: its size is not recorded", name);
	if (st.size > max)
		return err_set(e, "%s: larger than %zu bytes", name, max);
	if (st.size > z->room) {
		free(z->bytes);
		z->bytes = xmalloc((size_t)st.size);
		z->room = (size_t)st.size;
	}
	zip_file_t *f = zip_fopen_index(z->zip, (zip_uint64_t)i, 0);
	if (!f)
		return err_set(e, "%s: cannot open: %s", name, zip_strerror(z->zip));
	size_t at = 0;
	zip_int64_t got = 0;
	while (at < st.size && (got = zip_fread(f, z->bytes + at, st.size - at)) > 0)
		at += (size_t)got;
	/* One more read makes libzip compare the checksum. */
	uint8_t extra;
	if (got >= 0 && at == st.size)
		got = zip_fread(f, &extra, 1);
	if (got < 0)
		(void)err_set(e, "%s: damaged: %s", name, zip_file_strerror(f));
	(void)zip_fclose(f);
	if (got < 0)
		return -1;
	if (at < st.size || got > 0)
		return err_set(e, "%s: not of the size that the archive records", name);
	str_addn(out, z->bytes, at);
	return 0;
}

/* An open archive is one thread's at a time. */
int zip_members_read(struct zip_members *z, int64_t i, struct str *out, size_t max, const char *name, struct err *e)
{
	(void)pthread_mutex_lock(&z->mutex);
	int rc = read_member(z, i, out, max, name, e);
	(void)pthread_mutex_unlock(&z->mutex);
	return rc;
}

static int read_head(struct zip_members *z, int64_t i, void *buf, size_t max, const char *name, struct err *e)
{
	zip_file_t *f = zip_fopen_index(z->zip, (zip_uint64_t)i, 0);
	if (!f)
		return err_set(e, "%s: cannot open: %s", name, zip_strerror(z->zip));
	zip_int64_t got = zip_fread(f, buf, max);
	if (got < 0)
		(void)err_set(e, "%s: damaged: %s", name, zip_file_strerror(f));
	(void)zip_fclose(f);
	return got < 0 ? -1 : (int)got;
}

int zip_members_head(struct zip_members *z, int64_t i, void *buf, size_t max, const char *name, struct err *e)
{
	(void)pthread_mutex_lock(&z->mutex);
	int rc = read_head(z, i, buf, max, name, e);
	(void)pthread_mutex_unlock(&z->mutex);
	return rc;
}
