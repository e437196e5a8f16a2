/* temporary.h - files with a temporary name, which must not outlive the process that makes them. Code that creates one
 * registers it, and code that ends the process where nothing can be cleaned up (a signal handler, a thread beside the
 * one that writes) removes them all. */
#ifndef ABLATE_TEMPORARY_H
#define ABLATE_TEMPORARY_H

/* Remembers the path of a file, or of a folder that holds files alone. Returns what temporary_forget takes; -1, which
 * it accepts, when there are more than can be remembered: such a file is left behind, as after a SIGKILL. From any
 * thread. */
int temporary_remember(const char *path);
/* It has its final name now, or is gone. */
void temporary_forget(int i);
/* Removes what this process remembers (not what it inherited by fork). May be called in a signal handler. */
void temporary_remove_all(void);

#endif
