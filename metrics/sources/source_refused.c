/* source_refused.c - containers of pictures that are known and not read, each with what would do instead. */
#define _GNU_SOURCE
#include "metrics/sources/sources.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <string.h>

/* Sources: the Parquet format's specification (4 bytes at both ends), the HDF5 file format's superblock, and LMDB's
 * own source (a page header of 16 bytes, then MDB_MAGIC, little-endian). */
static const struct {
	const char *bytes;
	size_t n, at;
	const char *is;
} magics[] = {
	{ "PAR1", 4, 0,
	  "a Parquet file; write its pictures to a folder of PNG files, byte for byte where they are encoded" },
	{ "\x89HDF\r\n\x1a\n", 8, 0, "an HDF5 file; save its array: numpy.save(\"x.npy\", h5py.File(...)[\"imgs\"][:])" },
	{ "\xde\xc0\xef\xbe", 4, 16, "an LMDB database; write its values, which are encoded pictures, to a folder" },
};

int source_refused(const char *path, const uint8_t *head, size_t n, struct err *e)
{
	if (io_is_dir(path)) {
		SCOPED(free) char *lmdb = xstrfmt("%s/data.mdb", path);
		return io_exists(lmdb) ? err_set(e, "%s: %s", lmdb, magics[2].is) : 0;
	}
	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
		if (n >= magics[i].at + magics[i].n && memcmp(head + magics[i].at, magics[i].bytes, magics[i].n) == 0)
			return err_set(e, "%s: %s", path, magics[i].is);
	return 0;
}
