/* host.c - see host.h. */
#define _GNU_SOURCE
#include "harness/record/host.h"

#include "harness/record/cpus.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

const char *host_name(void)
{
	static char name[HOST_NAME];
	if (!*name && (gethostname(name, sizeof name - 1) || !*name))
		(void)snprintf(name, sizeof name, "localhost");
	return name;
}

const char *host_boot_id(void)
{
	static char id[64];
	static bool read_once;
	if (!read_once) {
		SCOPED(file) FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
		if (f && fgets(id, sizeof id, f))
			id[strcspn(id, "\n")] = '\0';
		read_once = true;
	}
	return id;
}

char *host_now(char buf[HOST_TIME])
{
	struct timespec t;
	struct tm tm;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	(void)gmtime_r(&t.tv_sec, &tm);
	size_t n = strftime(buf, HOST_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf + n, HOST_TIME - n, ".%03dZ", (int)(t.tv_nsec / 1000000));
	return buf;
}

static double seconds_of(const char *text)
{
	struct tm tm = { 0 };
	int ms;
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
	           &tm.tm_sec, &ms) != 7)
		return NAN;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return (double)timegm(&tm) + 1e-3 * ms;
}

double host_seconds_between(const char *a, const char *b)
{
	return seconds_of(b) - seconds_of(a);
}

double host_boot_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds_of_stat(const struct stat *s)
{
	return (double)s->st_mtim.tv_sec + 1e-9 * (double)s->st_mtim.tv_nsec;
}

double host_file_age(const char *path)
{
	struct stat file, clock;
	SCOPED(free) char *probe = xstrfmt("%s.XXXXXX", path);
	struct timespec now;
	if (stat(path, &file))
		return INFINITY;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	double at = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec; /* where the folder takes no file */
	SCOPED(fd) int fd = mkostemp(probe, O_CLOEXEC);
	if (fd >= 0) {
		/* written, as the file was: of one that is only made, some file systems have the maker's time */
		if (write(fd, "", 1) == 1 && !fsync(fd) && !fstat(fd, &clock))
			at = seconds_of_stat(&clock);
		(void)unlink(probe);
	}
	return fmax(0, at - seconds_of_stat(&file));
}

char *host_uuid(char buf[HOST_UUID])
{
	uint8_t b[16];
	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		BUG("getrandom gave fewer than 16 bytes");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	size_t n = 0;
	for (int i = 0; i < 16; i++)
		n += (size_t)snprintf(buf + n, HOST_UUID - n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	return buf;
}

bool host_pid_alive(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

int host_cpus(void)
{
	struct cpus c;
	cpus_find(&c, "");
	return c.usable;
}

static const struct {
	unsigned long type;
	const char *name;
	bool network;
} file_systems[] = {
	{ 0xef53, "ext4", false },      { 0x58465342, "xfs", false },     { 0x9123683e, "btrfs", false },
	{ 0x01021994, "tmpfs", false }, { 0x794c7630, "overlay", false }, { 0x2fc12fc1, "zfs", false },
	{ 0xf2f52010, "f2fs", false },  { 0x858458f6, "ramfs", false },   { 0xca451a4e, "bcachefs", false },
	{ 0x4d44, "vfat", false },      { 0x2011bab0, "exfat", false },   { 0x7366746e, "ntfs3", false },
	{ 0x6969, "nfs", true },        { 0xff534d42, "cifs", true },     { 0xfe534d42, "smb2", true },
	{ 0x517b, "smb", true },        { 0x0bd00bd0, "lustre", true },   { 0x47504653, "gpfs", true },
	{ 0x65735546, "fuse", true },   { 0x01021997, "9p", true },       { 0x00c36400, "ceph", true },
	{ 0x19830326, "beegfs", true }, { 0xaad7aaea, "panfs", true },    { 0x5346414f, "afs", true },
	{ 0x73757245, "coda", true },   { 0x7461636f, "ocfs2", true },    { 0x01161970, "gfs2", true },
	{ 0x786f4256, "vboxsf", true }, { 0x6a656a62, "virtiofs", true },
};

void host_fs_of_type(struct host_fs *out, unsigned long f_type)
{
	*out = (struct host_fs){ .network = false };
	(void)snprintf(out->name, sizeof out->name, "0x%lx", f_type);
	for (size_t i = 0; i < sizeof file_systems / sizeof *file_systems; i++)
		if (file_systems[i].type == f_type) {
			(void)snprintf(out->name, sizeof out->name, "%s", file_systems[i].name);
			out->network = file_systems[i].network;
		}
}

void host_fs(struct host_fs *out, const char *path)
{
	SCOPED(free) char *copy = xstrdup(path);
	struct statfs s;
	const char *at = path;
	while (statfs(at, &s)) {
		if (strcmp(at, ".") == 0 || strcmp(at, "/") == 0) {
			*out = (struct host_fs){ .name = "unknown" };
			return;
		}
		at = dirname(copy); /* shortens the copy in place */
	}
	host_fs_of_type(out, (unsigned long)s.f_type & 0xffffffffUL);
}
