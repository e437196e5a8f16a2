/* locks.h - does a lock on a file keep programs on other machines out? On a network file system that is mounted
 * without locks, every machine grants them by itself, and says nothing. */
#ifndef ABLATE_RECORD_LOCKS_H
#define ABLATE_RECORD_LOCKS_H

#include <stdbool.h>

/* Of the file system that `path` (or the folder it would be in) is on, by the options that it is mounted with. false:
 * not beyond this machine, and `why` is one phrase: "nfs4, mounted with local_lock=all". A file system of one machine
 * is true. */
bool locks_reach_others(char why[128], const char *path);
/* The same of a text like /proc/self/mountinfo and an absolute path without links, for tests. */
bool locks_of_mounts(char why[128], const char *mountinfo, const char *path);

#endif
