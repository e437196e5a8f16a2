/* host.h - what only the machine knows: its name, its boot, its clocks, unique names, kinds of file system. */
#ifndef ABLATE_HOST_H
#define ABLATE_HOST_H

#include "model/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define HOST_TIME 25 /* "2026-01-31T23:59:59.123Z" and the NUL */
#define HOST_UUID 37 /* 36 characters and the NUL */
#define HOST_NAME 256

const char *host_name(void);         /* never NULL */
const char *host_boot_id(void);      /* /proc/sys/kernel/random/boot_id; "" where there is none */
char *host_now(char buf[HOST_TIME]); /* wall clock, UTC, milliseconds. Returns buf. */
/* Seconds between two host_now() texts (b - a); NAN when one of them is not such a text. */
double host_seconds_between(const char *a, const char *b);
double host_boot_s(void);             /* seconds since boot (also while suspended): no clock adjustment moves it */
char *host_uuid(char buf[HOST_UUID]); /* random (version 4). Returns buf. */
/* Seconds since the file was last written, both moments by the clock of its file system: the clocks of two machines may
 * differ by more than a lease. INFINITY if there is no such file. */
double host_file_age(const char *path);
/* Does process `pid` exist? One of another user does, too. */
bool host_pid_alive(pid_t pid);
int host_cpus(void); /* processors this process may use: affinity and quota (cpus.h) */

/* The file system of a path (or, if it does not exist yet, of the folder it would be in). */
struct host_fs {
	char name[24]; /* "ext4", "nfs", "0x1234" */
	bool network;  /* NFS, SMB, Lustre, GPFS, FUSE, 9p, ...: no shared memory between machines, so no WAL */
};
void host_fs(struct host_fs *out, const char *path);
/* The same from a statfs f_type, for tests. */
void host_fs_of_type(struct host_fs *out, unsigned long f_type);

#endif
