/* plugin.h - libraries that are opened at run time because they belong to this program: the CUDA back end, MPI.
 *
 * Opening a library runs its code, so everything is looked at before:
 *
 *   - Nobody but root and the user who runs the program can have written it: file and folder belong to one of them,
 *     and neither the others nor a group may write there. A group of the same name as the owner, without other
 *     members, is the owner's own (Debian's useradd makes one, and a umask of 002 goes with it). A folder where
 *     everybody may put files, like /tmp, is not accepted, although its files are safe from others: whoever came first
 *     chose the name.
 *   - It is a file, not a link: a link is replaced without a trace in what it led to. Links among the folders above it
 *     are followed, once.
 *   - Its note says that it was built from the same headers (plugin_note.h).
 *
 * The folder is held open from the first look to the last, so what was looked at is what is opened: in a folder that
 * passes, only root and the user could have put another file in its place. That holds for a file that the user names
 * as well. */
#ifndef ABLATE_PLUGIN_H
#define ABLATE_PLUGIN_H

#include "model/base/err.h"

/* Opens a plugin with dlopen's `flags`; the handle is dlclose's. Error: one line with the file, what is wrong with it
 * (owner, mode, build), and the remedy; none of its code has run then, unless the linker itself refused it. */
MUST_CHECK int plugin_open(void **out, const char *path, int flags, struct err *e);

#endif
