/* identity.h - hashes that are expensive to compute, remembered in the user's cache under a line of text that changes
 * when what was hashed does (names, sizes and times of files). A cache that cannot be read or written costs time, never
 * results. */
#ifndef ABLATE_IDENTITY_H
#define ABLATE_IDENTITY_H

#include "model/base/io.h"

bool identity_recall(char hex[SHA256_HEX], const char *stamp);
void identity_keep(const char hex[SHA256_HEX], const char *stamp);
/* A part of a stamp that changes when the file of that name does: its size, times of change of content and of inode
 * (which no program can set), and inode number; heap text, NULL with e where there is no such file. */
char *identity_stamp(const char *path, struct err *e);
/* SHA-256 of a file's bytes, remembered by path and stamp. */
MUST_CHECK int identity_of_file(char hex[SHA256_HEX], const char *path, struct err *e);

#endif
