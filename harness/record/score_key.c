/* score_key.c - see score_key.h. */
#include "harness/record/score_key.h"

#include "harness/record/stage.h"
#include "metrics/features/extractor_command.h"
#include "metrics/features/published_stats.h"
#include "metrics/scores/score.h"
#include "model/base/identity.h"
#include "model/base/mem.h"
#include "model/data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);
	return n > k && strcmp(text + n - k, end) == 0;
}

bool score_ref_is_file(const char *ref)
{
	return ends_in(ref, ".npz");
}

/* The file of a reference, heap: statistics are known by their copy here, as if it were named. NULL: a data set. */
static char *file_of(const char *ref)
{
	const struct stats_row *row;
	const char *published = stats_named(ref);
	if (published)
		return stats_row_find(&row, published, NULL) ? NULL : stats_path(row);
	return score_ref_is_file(ref) ? xstrdup(ref) : NULL;
}

char *score_reference(const char *data, const char *ref, const char *metric)
{
	const struct metric *m = metric_of_score(metric);
	if (*ref)
		return xstrdup(ref);
	return m && m->sides == 3 ? xstrfmt("%s-test", data) : xstrdup(data);
}

char *score_ref(const char *data, const char *ref)
{
	char hex[SHA256_HEX];
	SCOPED(free) char *name = xstrdup(*ref ? ref : data);
	SCOPED(free) char *file = file_of(name);
	if (file)
		return identity_of_file(hex, file, NULL) ? xstrdup(name) : xstrfmt("file %s", hex);
	enum data_split split = dataset_cut_split(name);
	if (split == SPLIT_TRAIN && strcmp(name, data) == 0)
		return xstrdup(data);
	return dataset_sha256(hex, name, split, NULL) ? xstrdup(*ref ? ref : data)
	                                              : xstrfmt("%s %s", split == SPLIT_TEST ? "test" : "train", hex);
}

/* A protocol has '-' where a name has ':', which divides its parts (metrics/features/protocol.h). */
static bool is_named(const char *name, const char *written)
{
	for (; *name && (*name == ':' ? '-' : *name) == *written; name++)
		written++;
	return !*name && !*written;
}

void score_extractor(char out[SCORE_EXTRACTOR_MAX], const char *protocol)
{
	const char *at = strchr(protocol, ':');
	(void)snprintf(out, SCORE_EXTRACTOR_MAX, "%.*s", at ? (int)strcspn(at + 1, ":@") : 0, at ? at + 1 : "");
	char *command = strncmp(out, "command-", strlen("command-")) == 0 ? out + strlen("command") : NULL;
	if (command)
		*command = ':';
	for (const struct extractor_row *x = extractor_rows; x->name && !command; x++)
		if (is_named(x->name, out))
			(void)snprintf(out, SCORE_EXTRACTOR_MAX, "%s", x->name);
}

void score_key_with(char hex[SHA256_HEX], const char *sampling, const char *metric, const char *ref_that_counts,
                    const struct score_request *r)
{
	SCOPED(free)
	char *extractor = extractor_identity(*r->extractor ? r->extractor : extractor_default(r->data));
	stage_score_key(hex, sampling, metric, ref_that_counts, extractor, r->n);
}

void score_request_key(char hex[SHA256_HEX], const char *sampling, const char *metric, const struct score_request *r)
{
	SCOPED(free) char *reference = score_reference(r->data, r->ref, metric), *ref = score_ref(r->data, reference);
	score_key_with(hex, sampling, metric, ref, r);
}
