/* published_stats.h - published reference statistics (mu and sigma of Inception's features over a data set): where
 * they come from, how they were made, and the user's copies.
 *
 * An import reads the published .npz and keeps its mu and sigma in the cache folder, io_cache_dir()/stats/NAME.npz,
 * with what the publisher does not write into it: the protocol and the number of pictures. So whoever reads the copy, a
 * command or a grid as "stats:NAME", is refused where the other side was made otherwise. Nothing is downloaded unless
 * stats_fetch() is called.
 *
 * Beside it, NAME.imported holds the SHA-256 of the source and of the copy. None of these publishers gives a hash, so a
 * source is known by the first import: another one is refused after it, and so is a copy that has changed. */
#ifndef ABLATE_PUBLISHED_STATS_H
#define ABLATE_PUBLISHED_STATS_H

#include "metrics/features/feature_set.h"

#define STATS_PREFIX "stats:"
enum { STATS_DIM = 2048 };

struct stats_row {
	const char *name, *text;
	const char *url;      /* of the published file */
	const char *sha256;   /* of that file; NULL = not published: the first import counts */
	const char *protocol; /* of its features (protocol.h) */
	int64_t n;            /* pictures; 0 = not published */
};
extern const struct stats_row stats_rows[]; /* ends with a row without a name */

/* Unknown names are a usage error that lists the known ones. */
MUST_CHECK int stats_row_find(const struct stats_row **out, const char *name, struct err *e);
char *stats_path(const struct stats_row *row); /* heap: where its copy is, or would be */
bool stats_here(const struct stats_row *row);

/* Keeps `file` as the statistics of the row. sha256 receives the file's hash. EXIT_RECORD where it is not the source of
 * before, or says that it was made by another protocol; an error where it has no mu and sigma of STATS_DIM. */
MUST_CHECK int stats_import(const struct stats_row *row, const char *file, char sha256[SHA256_HEX], struct err *e);
/* Downloads (the curl program, https only) and imports. */
MUST_CHECK int stats_fetch(const struct stats_row *row, bool quiet, char sha256[SHA256_HEX], struct err *e);
/* Is the copy what was imported? sha256 receives the hash of its source. EXIT_RECORD where it is not. */
MUST_CHECK int stats_check(const struct stats_row *row, char sha256[SHA256_HEX], struct err *e);

/* NAME of "stats:NAME", else NULL. */
const char *stats_named(const char *source);
/* Are features of that extractor, with the resize that it has by itself, made as these were? */
bool stats_fit(const struct stats_row *row, const char *extractor);
/* The checked copy, as feature_set_load. Absent, the error says how to get it. */
MUST_CHECK int stats_open(struct feature_set *out, const char *name, struct err *e);

#endif
