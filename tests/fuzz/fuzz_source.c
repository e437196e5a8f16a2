/* fuzz_source.c - any bytes as a file of pictures or features: zip, .npz, .npy, pickle, IDX, CIFAR-10; every kind that
 * accepts it is read to its end, with its labels, through a file in memory. HDF5 and LMDB are left out: the libraries
 * that parse them do not stand up to this. */
#define _GNU_SOURCE
#include "metrics/features/feature_set.h"
#include "metrics/sources/class_match.h"
#include "model/base/mem.h"
#include "model/formats/arrays.h"
#include "model/formats/lmdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_pictures(const char *path)
{
	SCOPED(source) struct source *s = NULL;
	SCOPED(image_u8) struct image_u8 im = { 0 };
	struct err e = ERR_INIT;
	SCOPED(class_labels) struct class_labels labels = { 0 };
	SCOPED(class_match) struct class_match match = { 0 };
	if (source_open(&s, path, &e))
		return;
	if (!source_labels(&labels, s, &e) && !class_match_find(&match, &labels, "a", &labels, "b", &e) &&
	    match.side[1].at[match.n] != s->n)
		abort();
	for (int64_t i = 0; i < s->n && i < 8; i++)
		if (source_read(s, i, &im, &e))
			return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SCOPED(fd) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct err e = ERR_INIT;
	if (size > 1 << 16 || arrays_hdf5.is(data, size) || fd < 0 || io_write_all(fd, data, size, "fuzz", &e))
		return 0;
	SCOPED(free) char *path = xstrfmt("/proc/self/fd/%d", fd);
	if (lmdb_is(path))
		return 0;
	read_pictures(path);
	SCOPED(feature_set) struct feature_set f = { 0 };
	enum feature_content content;
	(void)(feature_set_find(&f, &content, path, &e) == 0);
	return 0;
}
