/* tempdir.h - a folder of a test's own, gone when the test ends well. */
#ifndef ABLATE_TEMPDIR_H
#define ABLATE_TEMPDIR_H

/* Heap path of a new empty folder. */
char *tempdir_make(void);
/* Removes it with what is in it and frees the path. */
void tempdir_remove(char *path);
/* Heap "dir/name"; writes n bytes there when data is not NULL. */
char *tempdir_file(const char *dir, const char *name, const void *data, unsigned long n);

#endif
