/* own_files.h - where the program's own files are: studies, published values, the classifier's weights, plugins.
 *
 *     built in its source tree   data in the source tree             plugins in the build folder
 *     installed as P/bin/ablate  data in P/share/ablate              plugins in P/lib/ablate
 *     unpacked in a folder       data in that folder or above        plugins beside the program
 *
 * Everything is found relative to the program, so an installation can be moved; only a program in the folder where it
 * was built goes by that folder's name. ABLATE_DATA, if set, is the one folder of data. A program below a folder named
 * bin takes no file from outside its installation, and none takes a library from a folder above its own: what is there
 * belongs to somebody else. Who may have written a plugin is looked at when it is opened (plugin.h). */
#ifndef ABLATE_OWN_FILES_H
#define ABLATE_OWN_FILES_H

#include "model/base/err.h"

#include <stdbool.h>

/* Heap text: the path of a data file ("results/published.toml"); NULL when it is not there. */
char *own_data_file(const char *name);
/* The same, for what comes with every installation. Error: not found, with the folder where it should be. */
MUST_CHECK int own_data_need(char **out, const char *name, struct err *e);
/* Heap text: the path of a plugin ("libablate_mpi.so") for plugin_open; NULL when it is not there. */
char *own_plugin_file(const char *name);
/* Heap text: the path of a library that an installation carries for itself, as the Python wheel does, in P/lib/ablate;
 * NULL: the linker's is meant. The program there has by then been linked with others of that folder by its rpath. */
char *own_library_file(const char *name);
/* Is this the program in the folder where it was built? */
bool own_is_build(void);

/* The look-ups for a program in the folder `exe`, for tests; build: own_is_build() of it, or that folder. */
char *own_data_file_of(const char *exe, bool build, const char *name);
char *own_plugin_file_of(const char *exe, const char *build, const char *name);
char *own_library_file_of(const char *exe, const char *name);

#endif
