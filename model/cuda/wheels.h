/* wheels.h - NVIDIA's libraries as Python's packages bring them: PyTorch installs nvidia-cublas, nvidia-cudnn-cu13 and
 * others below site-packages/nvidia, where no linker looks: nvidia/cu13/lib and nvidia/cudnn/lib (nvidia-cublas 13.1,
 * nvidia-cudnn-cu13 9.19). Each library finds those that it needs by its own RUNPATH, so a path to the one that is
 * wanted is enough.
 *
 * Compiled into the program and into the plugin, which shares nothing else with it. */
#ifndef ABLATE_WHEELS_H
#define ABLATE_WHEELS_H

#include <stdbool.h>
#include <stddef.h>

/* The file's path in a folder, or in FOLDER/NAME/lib: the first in order of names. False: it is not there. */
bool wheels_in(char *path, size_t bytes, const char *folder, const char *file);
/* The same in the folders that $VIRTUAL_ENV's python3, or else that of PATH, names; it is asked once, at the first
 * call, which may take seconds. For any thread. */
bool wheels_find(char *path, size_t bytes, const char *file);
/* Asks a Python, a path or a name to be searched in PATH, where its packages named `nvidia` are: one folder per line.
 * False, with "" in `out`, when it cannot be started, fails, has none, or takes longer than wait_ms; it is killed then.
 * No shell is between, and the current folder is not searched. */
bool wheels_ask(char *out, size_t bytes, const char *python, int wait_ms);

#endif
