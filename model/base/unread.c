/* unread.c - see unread.h. The signatures are those of the formats' own specifications. */
#define _GNU_SOURCE
#include "model/base/unread.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *bytes;
	size_t n;
	const char *is;
} kinds[] = {
	{ "version https://git-lfs", 23, "a pointer of Git LFS and not the file itself, which `git lfs pull` brings" },
	{ "\xfd"
	  "7zXZ\0",
	  6, "compressed by xz, which is not read; unpack it (tar -xJf, or unxz)" },
	{ "BZh", 3, "compressed by bzip2, which is not read; unpack it (tar -xjf, or bunzip2)" },
	{ "\x28\xb5\x2f\xfd", 4, "compressed by zstd, which is not read; unpack it (tar --zstd -xf, or unzstd)" },
	{ "7z\xbc\xaf\x27\x1c", 6, "a 7z archive, which is not read; unpack it" },
	{ "PAR1", 4, "a Parquet file; write its pictures to a folder of PNG files, byte for byte where they are encoded" },
	{ "Rar!\x1a\x07", 6, "a RAR archive, which is not read; unpack it" },
};

const char *unread_what(const void *head, size_t n)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (n >= kinds[i].n && memcmp(head, kinds[i].bytes, kinds[i].n) == 0)
			return kinds[i].is;
	return NULL;
}

int unread_refuse(const char *path, struct err *e)
{
	char head[UNREAD_HEAD];
	SCOPED(file) FILE *f = io_is_special(path) || io_is_dir(path) ? NULL : fopen(path, "rbe");
	const char *what = f ? unread_what(head, fread(head, 1, sizeof head, f)) : NULL;
	return what ? err_set(e, "%s: %s", path, what) : 0;
}
