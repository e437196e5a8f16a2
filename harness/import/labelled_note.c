/* labelled_note.c - what the kinds of labelled sources say while they open: files read, and labels. See labelled.h. */
#define _GNU_SOURCE
#include "harness/import/labelled.h"

#include "model/base/mem.h"
#include "model/data/label_file.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

void labelled_reads(struct labelled *l, const char *path)
{
	struct stat st = { 0 };
	(void)stat(path, &st);
	SCOPED(free)
	char *line = xstrfmt("%s %lld %lld.%09ld\n", path, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
	                     st.st_mtim.tv_nsec);
	sha256_add(&l->stamp, line, strlen(line));
}

int labelled_set(struct labelled *l, int64_t i, int64_t label, struct err *e)
{
	if (label < 0 || label > LABEL_MAX)
		return err_set(e, "%s: label %" PRId64 " of image %" PRId64 " is out of range: 0 to %d", l->path, label, i,
		               LABEL_MAX);
	l->labels[i] = (uint16_t)label;
	return 0;
}
