/* disk.c - see disk.h. */
#define _GNU_SOURCE
#include "model/base/disk.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

bool disk_free(double *out, const char *path)
{
	SCOPED(free) char *at = xstrdup(path);
	struct statvfs v;
	while (!io_exists(at)) { /* the nearest folder that is there */
		char *slash = strrchr(at, '/');
		if (!slash || (slash == at && !slash[1]))
			break;
		slash[slash == at] = '\0';
	}
	const char *folder = io_exists(at) ? at : ".";
	if (access(folder, W_OK) || statvfs(folder, &v))
		return false;
	*out = (double)v.f_bavail * (double)v.f_frsize;
	return true;
}

char *disk_bytes_text(char buf[24], double bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	int u = 0;
	for (; bytes >= 999.5 && u < 4; u++)
		bytes /= 1000;
	(void)snprintf(buf, 24, "%.*f %s", u == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2, bytes, units[u]);
	return buf;
}
