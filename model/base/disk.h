/* disk.h - how much room there is for files, and how sizes are said. */
#ifndef ABLATE_DISK_H
#define ABLATE_DISK_H

#include <stdbool.h>

/* Bytes that this user may still write where `path` is or would be made; a quota is not known. False: cannot be known,
 * or nothing can be written there, and *out is untouched. */
bool disk_free(double *out, const char *path);
/* "0 B", "812 kB", "1.25 GB": powers of 1000, three digits. Returns buf. */
char *disk_bytes_text(char buf[24], double bytes);

#endif
