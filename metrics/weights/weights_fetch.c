/* weights_fetch.c - published weights over https, checked against the published hash before anything is kept. */
#include "metrics/weights/weights.h"

#include "model/base/fetch.h"
#include "model/base/mem.h"

static int take(void *ctx, const char *file, struct err *e)
{
	char sha256[SHA256_HEX];
	return weights_import(ctx, file, false, sha256, e);
}

int weights_fetch(const struct weights_row *row, bool quiet, struct err *e)
{
	if (!row->url)
		return err_set(e, "weights %s have no address to fetch from: `ablate weights import %s FILE`", row->name,
		               row->name);
	SCOPED(free) char *cache = io_cache_dir();
	SCOPED(free) char *folder = xstrfmt("%s/weights", cache);
	return fetch_https(row->url, folder, quiet, take, (void *)(uintptr_t)row, e);
}
