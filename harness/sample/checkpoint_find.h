/* checkpoint_find.h - a checkpoint as a user names it: a file, or the first digits of an attempt's or cell's hash. */
#ifndef ABLATE_CHECKPOINT_FIND_H
#define ABLATE_CHECKPOINT_FIND_H

#include "model/config/config.h"

/* Heap text: `what` itself if it is a file, else the newest checkpoint of the attempt or cell whose hash starts with
 * it; NULL with e set. */
char *checkpoint_find(const char *db_file, const char *what, struct err *e);
/* The config of `what`, whose checkpoint is `path`: a file names its own, an attempt or a cell has one, while the
 * checkpoint may be of another cell that shares the training. */
MUST_CHECK int checkpoint_config(struct run_config *out, const char *db_file, const char *what, const char *path,
                                 struct err *e);

#endif
