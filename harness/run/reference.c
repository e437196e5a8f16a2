/* reference.c - see reference.h. */
#define _GNU_SOURCE
#include "harness/run/reference.h"

#include "harness/record/score_key.h"
#include "metrics/features/protocol.h"
#include "metrics/features/published_stats.h"
#include "model/base/identity.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/data/dataset.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

static int extract_dataset(struct feature_set *out, const char *name, enum data_split split, struct extractor *x,
                           unsigned keep, struct err *e)
{
	struct dataset d;
	if (dataset_open(&d, name, split, e))
		return -1;
	struct source source = {
		.kind = &source_memory, .path = (char *)name, .n = d.n, .h = d.h, .w = d.w, .c = d.c, .self = d.images
	};
	struct feature_options o = { .keep = keep, .want = keep };
	int rc = feature_set_extract(out, &source, x, &o, e);
	dataset_release(&d);
	return rc;
}

/* RUNS/refs/KEY.npz */
static char *cache_path(const struct worker *w, const char *sha256, const struct extractor *x, unsigned keep)
{
	SCOPED(free) char *dir = xstrdup(worker_dir(w)); /* RUNS/CELL/ATTEMPT */
	const char *runs = dirname(dirname(dir));
	char features[PROTOCOL_TEXT], key[SHA256_HEX];
	SCOPED(free)
	char *text = xstrfmt("%s %s %s %u", sha256, protocol_features(features, x, "u8"), x->weights_sha256, keep);
	io_sha256(key, text, strlen(text));
	return xstrfmt("%s/refs/%.16s.npz", runs, key);
}

static bool load(struct feature_set *out, const char *path)
{
	char hex[SHA256_HEX];
	SCOPED(free) char *seal = xstrfmt("%s.sha256", path);
	SCOPED(str) struct str known = { 0 };
	return io_exists(path) && !io_read(&known, seal, SHA256_HEX, NULL) && !identity_of_file(hex, path, NULL) &&
	       strcmp(str_text(&known), hex) == 0 && !feature_set_load(out, path, NULL);
}

/* The seal comes last: a file without one is made again. */
static int save(struct feature_set *f, const char *path, bool rows, struct err *e)
{
	char hex[SHA256_HEX];
	SCOPED(free) char *seal = xstrfmt("%s.sha256", path);
	return feature_set_save(f, path, rows, e) || identity_of_file(hex, path, e) ||
	               io_write_atomic(seal, hex, SHA256_HEX - 1, e)
	           ? -1
	           : 0;
}

/* An open PATH.lock, locked until it is closed; -1 where the file system has no locks: then work may be done twice. */
static int lock_for(const char *path)
{
	SCOPED(free) char *name = xstrfmt("%s.lock", path);
	int fd = open(name, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)flock(fd, LOCK_EX);
	return fd;
}

int reference_open(struct feature_set *out, struct worker *w, int64_t steps, const char *ref, struct extractor *x,
                   unsigned keep, struct err *e)
{
	char name[KNOB_TEXT_MAX], sha256[SHA256_HEX];
	const char *published = stats_named(ref);
	if (published)
		return stats_open(out, published, e);
	if (score_ref_is_file(ref))
		return feature_set_load(out, ref, e);
	(void)snprintf(name, sizeof name, "%s", ref);
	enum data_split split = dataset_cut_split(name);
	if (dataset_sha256(sha256, name, split, e))
		return -1;
	SCOPED(free) char *path = cache_path(w, sha256, x, keep);
	if (load(out, path))
		return 0;
	SCOPED(free) char *dir = xstrdup(path);
	if (io_mkdirs(dirname(dir), e))
		return -1;
	worker_say(w, steps, "features of the reference");
	SCOPED(fd)
	__attribute__((unused)) int lock = lock_for(path); /* cells that finish together wait for one of them to make it */
	if (load(out, path))
		return 0;
	return extract_dataset(out, name, split, x, keep, e) ? -1 : save(out, path, keep != 0, e);
}
