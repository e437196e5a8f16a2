/* zip_read.h - a zip opened for reading, with libzip's reason where it cannot be. */
#ifndef ABLATE_ZIP_READ_H
#define ABLATE_ZIP_READ_H

#include "model/base/err.h"

struct zip;

/* libzip's handle, for zip_discard(); NULL with e set. `kind` is the format that the message names: ".npz". */
struct zip *zip_read_open(const char *path, const char *kind, struct err *e);

#endif
