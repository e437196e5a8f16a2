/* picture_files.h - the files of pictures in one place, a folder, a zip, a tar or an LMDB database, by one rule for
 * all of them: what scores and imports read.
 *
 * - Sub-folders are searched, up to PICTURE_DEPTH deep; the order is that of the bytes of the names below the place.
 * - Hidden is what has a name that begins with a dot, or lies in such a folder, or in macOS' __MACOSX: it is not seen.
 * - A file is a picture if its name ends like one's (model/data/image_decode.h), or if its first bytes are a picture's,
 *   whatever its name. A picture of a format that is not read is an error that names it, and so is a file that has a
 *   picture's ending and is none: at the latest when it is read. What is no picture is left out with a note.
 * - Links in folders are followed; in a tar, whose links lead to other members, they are errors, as are devices, two
 *   members of one name, and folders that lead back into themselves.
 *
 * A database has keys instead of names, none of them is hidden, and every value is a picture but those of the keys that
 * are known to count or list the others (picture_lmdb.c).
 *
 * A compressed tar, which can only be read from its start, is copied to an unlinked temporary file while it is
 * listed. */
#ifndef ABLATE_PICTURE_FILES_H
#define ABLATE_PICTURE_FILES_H

#include "metrics/sources/picture_place.h"
#include "model/data/image_u8.h"

/* Can this path be listed: is it a folder, a zip, tar or database by its first bytes, or a tar by its ending? */
bool picture_files_is(const char *path);
/* May find no picture at all (n = 0). */
MUST_CHECK int picture_files_open(struct picture_files **out, const char *path, struct err *e);
/* Picture i, decoded to RGB. Several threads may ask at once. */
MUST_CHECK int picture_files_read(struct picture_files *p, int64_t i, struct image_u8 *im, struct err *e);
/* The bytes of the labels in `folder` ("" or "train/"): 0; 1 when there are none; -1. */
MUST_CHECK int picture_files_labels(struct str *out, struct picture_files *p, const char *folder, size_t max,
                                    struct err *e);
void picture_files_free(struct picture_files *p); /* accepts NULL */
void scoped_picture_files(struct picture_files **p);

#endif
