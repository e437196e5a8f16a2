/* published_stats.c - see published_stats.h. */
#include "metrics/features/published_stats.h"

#include "metrics/weights/imported.h"
#include "model/base/fetch.h"
#include "model/base/identity.h"
#include "model/base/mem.h"
#include "model/frozen/resize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int stats_row_find(const struct stats_row **out, const char *name, struct err *e)
{
	SCOPED(str) struct str known = { 0 };
	for (const struct stats_row *row = stats_rows; row->name; row++) {
		if (strcmp(row->name, name) == 0) {
			*out = row;
			return 0;
		}
		str_addf(&known, "%s%s", known.len ? ", " : "", row->name);
	}
	return err_code(e, EXIT_USAGE, "no statistics '%s'; known are: %s", name, str_text(&known));
}

static char *path_of(const struct stats_row *row, const char *ending)
{
	SCOPED(free) char *cache = io_cache_dir();
	return xstrfmt("%s/stats/%s.%s", cache, row->name, ending);
}

char *stats_path(const struct stats_row *row)
{
	return path_of(row, "npz");
}

bool stats_here(const struct stats_row *row)
{
	SCOPED(free) char *path = stats_path(row);
	return io_exists(path);
}

/* ---- what was imported ---- */

static bool read_imported(struct imported *out, const struct stats_row *row)
{
	SCOPED(free) char *path = path_of(row, "imported");
	return imported_read(out, path);
}

/* The hash that a source must have: the table's, or that of the first import; "" = any. */
static void pinned(char hex[SHA256_HEX], const struct stats_row *row)
{
	struct imported in = { 0 };
	bool known = read_imported(&in, row);
	(void)snprintf(hex, SHA256_HEX, "%s", row->sha256 ? row->sha256 : known ? in.source : "");
}

static int refuse_source(const struct stats_row *row, const char *file, const char *sha256, const char *wanted,
                         struct err *e)
{
	SCOPED(free) char *note = path_of(row, "imported");
	if (row->sha256)
		return err_code(e, EXIT_RECORD, "%s: SHA-256 is %s, that of the published %s is %s", file, sha256, row->name,
		                wanted);
	return err_code(e, EXIT_RECORD,
	                "%s: SHA-256 is %s, but %s were imported from a file with %s: if the new one is meant, remove %s",
	                file, sha256, row->name, wanted, note);
}

/* ---- importing ---- */

static int check_statistics(const struct feature_set *f, const struct stats_row *row, struct err *e)
{
	if (!f->mu[FEATURE_POOL])
		return err_set(e, "%s: holds features of pictures, not statistics (mu, sigma) alone", f->origin);
	if (f->dim[FEATURE_POOL] != STATS_DIM)
		return err_set(e, "%s: mu has %d values; those of %s have %d", f->origin, f->dim[FEATURE_POOL], row->name,
		               STATS_DIM);
	if (f->n && row->n && f->n != row->n)
		return err_set(e, "%s: of %lld pictures; %s are of %lld", f->origin, (long long)f->n, row->name,
		               (long long)row->n);
	return protocol_check(f->protocol, f->origin, row->protocol, row->name, e);
}

static int keep(const struct stats_row *row, struct feature_set *f, const char *source, struct err *e)
{
	struct imported in = { 0 };
	SCOPED(free) char *path = stats_path(row);
	SCOPED(free) char *note = path_of(row, "imported");
	SCOPED(free) char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	(void)snprintf(f->protocol, sizeof f->protocol, "%s", row->protocol);
	f->n = f->n ? f->n : row->n;
	if (io_mkdirs(folder, e) || feature_set_save(f, path, false, e) || io_sha256_file(in.content, path, e))
		return -1;
	memcpy(in.source, source, SHA256_HEX);
	return imported_write(note, &in, e);
}

int stats_import(const struct stats_row *row, const char *file, char sha256[SHA256_HEX], struct err *e)
{
	char wanted[SHA256_HEX];
	SCOPED(feature_set) struct feature_set f = { 0 };
	if (io_is_special(file))
		return err_set(e, "%s: not a regular file", file);
	if (io_sha256_file(sha256, file, e))
		return -1;
	pinned(wanted, row);
	if (*wanted && strcmp(wanted, sha256) != 0)
		return refuse_source(row, file, sha256, wanted, e);
	if (feature_set_load(&f, file, e) || check_statistics(&f, row, e))
		return -1;
	return keep(row, &f, sha256, e);
}

struct fetched {
	const struct stats_row *row;
	char *sha256;
};

static int take(void *ctx, const char *file, struct err *e)
{
	struct fetched *f = ctx;
	return stats_import(f->row, file, f->sha256, e);
}

int stats_fetch(const struct stats_row *row, bool quiet, char sha256[SHA256_HEX], struct err *e)
{
	SCOPED(free) char *cache = io_cache_dir();
	SCOPED(free) char *folder = xstrfmt("%s/stats", cache);
	return fetch_https(row->url, folder, quiet, take, &(struct fetched){ row, sha256 }, e);
}

/* ---- using ---- */

int stats_check(const struct stats_row *row, char sha256[SHA256_HEX], struct err *e)
{
	SCOPED(free) char *path = stats_path(row);
	struct imported in = { 0 };
	char now[SHA256_HEX];
	if (!io_exists(path))
		return err_set(e,
		               "statistics %s not found (%s): `ablate stats fetch %s` downloads them, or `ablate stats import "
		               "%s FILE`",
		               row->name, path, row->name, row->name);
	if (!read_imported(&in, row))
		return err_code(e, EXIT_RECORD,
		                "%s: nothing says that it was imported here (the file .imported beside it is missing); `ablate "
		                "stats import %s FILE` puts it right",
		                path, row->name);
	if (identity_of_file(now, path, e))
		return -1;
	if (strcmp(now, in.content) != 0)
		return err_code(
			e, EXIT_RECORD,
			"%s: is not what was imported; `ablate stats fetch %s` or `ablate stats import %s FILE` puts it "
			"right",
			path, row->name, row->name);
	memcpy(sha256, in.source, SHA256_HEX);
	return 0;
}

const char *stats_named(const char *source)
{
	return strncmp(source, STATS_PREFIX, strlen(STATS_PREFIX)) == 0 ? source + strlen(STATS_PREFIX) : NULL;
}

bool stats_fit(const struct stats_row *row, const char *extractor)
{
	SCOPED(free) char *own = xstrfmt("%s:%s:u8", extractor, resize_name(RESIZE_TORCH_BILINEAR)); /* Inception's */
	return strcmp(own, row->protocol) == 0;
}

int stats_open(struct feature_set *out, const char *name, struct err *e)
{
	const struct stats_row *row = NULL;
	char sha256[SHA256_HEX];
	if (stats_row_find(&row, name, e) || stats_check(row, sha256, e))
		return -1;
	SCOPED(free) char *path = stats_path(row);
	return feature_set_load(out, path, e);
}
