/* io.h - whole files, read and written so that a file either exists whole or not at all, and their SHA-256.
 *
 * Folders may be others' to write in, too (/tmp, a group's), so no file of a name that can be guessed is opened through
 * what already lies there: temporary files are new (io_temporary), and the files of fixed names that are added to or
 * locked (a database's lock, ledger and logs) are opened with O_NOFOLLOW, which refuses a link in a line. Links among
 * the folders, and names that the user gave (a database, --log), are followed: those are the user's. */
#ifndef ABLATE_IO_H
#define ABLATE_IO_H

#include "model/base/err.h"
#include "model/base/sha256.h"
#include "model/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a whole file (or, for "-", stdin) of at most `max` bytes into *out, which the caller releases. */
MUST_CHECK int io_read(struct str *out, const char *path, size_t max, struct err *e);
/* A new file beside `path`, to be written and then named `path`: a descriptor, and its own name as heap text. The name
 * is PATH.tmp-PID, or PATH.tmp-PID-DIGITS where that is taken: by what a process of our number left behind, or by a
 * link that somebody put there for us to write through. Neither is opened or removed; `ablate prune` knows both names.
 * -1 on failure. */
MUST_CHECK int io_temporary(char **name, const char *path, mode_t mode, struct err *e);
/* The same for a folder, which nobody has put anything into; what is above it is made. 0 or -1. */
MUST_CHECK int io_temporary_folder(char **name, const char *path, struct err *e);

/* Writes a temporary file (io_temporary), fsyncs, renames, fsyncs the directory. On failure (a full disk, say) PATH is
 * untouched and no temporary file is left, not even by a process that is asked to end meanwhile (temporary.h). A device
 * or a pipe (/dev/stdout, say) is written to directly and never replaced. */
MUST_CHECK int io_write_atomic(const char *path, const void *data, size_t n, struct err *e);
/* The same for a file that is made in pieces: write to fd of `tmp_path`, then commit or abort. */
struct io_atomic {
	int fd, temporary;
	char *path, *tmp_path;
};
MUST_CHECK int io_atomic_open(struct io_atomic *out, const char *path, struct err *e);
MUST_CHECK int io_atomic_write(struct io_atomic *f, const void *data, size_t n, struct err *e); /* aborts on failure */
MUST_CHECK int io_atomic_commit(struct io_atomic *f, struct err *e);
/* Could a file be put at path? Asked before long work whose result goes there: its folder exists and is writable, and
 * path is not a folder. */
MUST_CHECK int io_atomic_possible(const char *path, struct err *e);
void io_atomic_abort(struct io_atomic *f); /* removes the temporary file; accepts a finished or empty one */
/* All n bytes to fd, across EINTR and short writes; `path` is for the message. */
MUST_CHECK int io_write_all(int fd, const void *data, size_t n, const char *path, struct err *e);

/* What is in the file is on the disk, where its file system can say so. */
MUST_CHECK int io_sync_file(const char *path, struct err *e);
/* After a rename or a removal: what the folder of `path` holds is on the disk, where its file system can say so. */
void io_sync_folder_of(const char *path);
MUST_CHECK int io_mkdirs(const char *path, struct err *e); /* like mkdir -p, and durable */
bool io_exists(const char *path);
bool io_is_dir(const char *path);
bool io_is_special(const char *path); /* exists, but is neither file nor folder: a FIFO, a device, a socket */
/* Heap text: the per-user cache folder of ablate ($ABLATE_CACHE, else $XDG_CACHE_HOME/ablate
 * where that is absolute, else ~/.cache/ablate, with ~ from the system's user table if HOME is not set, else a folder
 * in /tmp with the user's number: the program ends with a message if others may write there). */
char *io_cache_dir(void);
/* Heap text: that file among the user's settings of ablate ($XDG_CONFIG_HOME/ablate, else ~/.config/ablate); NULL where
 * neither XDG_CONFIG_HOME nor HOME says where they are. */
char *io_config_file(const char *name);

/* SHA-256 of a whole buffer and of a file's content. */
void io_sha256(char hex[SHA256_HEX], const void *data, size_t n);
MUST_CHECK int io_sha256_file(char hex[SHA256_HEX], const char *path, struct err *e);

#endif
