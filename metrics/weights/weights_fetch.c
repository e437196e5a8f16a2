/* weights_fetch.c - published weights over https, checked against the published hash before anything is kept. */
#define _GNU_SOURCE
#include "metrics/weights/weights.h"

#include "model/base/fetch.h"
#include "model/base/mem.h"
#include "model/base/temporary.h"

#include <string.h>
#include <unistd.h>

int weights_fetch(const struct weights_row *row, bool quiet, struct err *e)
{
	if (!row->url)
		return err_set(e, "weights %s have no address to fetch from: `ablate weights import %s FILE`", row->name,
		               row->name);
	SCOPED(free) char *cache = io_cache_dir();
	SCOPED(free) char *folder = xstrfmt("%s/weights", cache);
	SCOPED(free) char *part = xstrfmt("%s/%s.part-%ld", folder, strrchr(row->url, '/') + 1, (long)getpid());
	char sha256[SHA256_HEX];
	int temporary = temporary_remember(part);
	int rc = io_mkdirs(folder, e) || fetch_https(row->url, part, quiet, e) ||
	                 weights_import(row, part, false, sha256, e)
	             ? -1
	             : 0;
	(void)unlink(part);
	temporary_forget(temporary);
	return rc;
}
