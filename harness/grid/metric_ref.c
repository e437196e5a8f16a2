/* metric_ref.c - see metric_ref.h. */
#include "harness/grid/metric_ref.h"

#include "harness/record/score_key.h"
#include "metrics/scores/score.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

int metric_ref_parse(struct metric_ref *out, const char *text, struct err *e)
{
	struct metric_ref r = { .nfe = -1 };
	size_t name = strspn(text, WORD);
	const char *at = text + name;
	bool good = name > 0 && name < sizeof r.name;
	if (good && *at == '/') {
		size_t n = strspn(at + 1, WORD ":");
		good = n > 0 && n < sizeof r.extractor;
		if (good)
			memcpy(r.extractor, at + 1, n);
		at += 1 + n;
	}
	if (good && *at == '@') {
		char *end;
		long nfe = strtol(at + 1, &end, 10);
		good = isdigit((unsigned char)at[1]) && nfe <= 100000;
		r.nfe = (int)nfe;
		at = end;
	}
	if (good && *at == ':') {
		good = strlen(at + 1) > 0 && strlen(at + 1) < sizeof r.weights;
		if (good)
			memcpy(r.weights, at + 1, strlen(at + 1) + 1);
		at += strlen(at);
	}
	if (!good || *at)
		return err_code(
			e, EXIT_USAGE,
			"'%s' is not a metric: write NAME@STEPS, NAME/EXTRACTOR@STEPS or NAME@STEPS:WEIGHTS, such as fid@1, "
			"fid/pixels@1 or fid@2:student",
			text);
	memcpy(r.name, text, name);
	*out = r;
	return 0;
}

char *metric_ref_text(const struct metric_ref *ref)
{
	struct str s = { 0 };
	str_addf(&s, "%s%s%s", ref->name, *ref->extractor ? "/" : "", ref->extractor);
	if (ref->nfe >= 0)
		str_addf(&s, "@%d", ref->nfe);
	str_addf(&s, "%s%s", *ref->weights ? ":" : "", ref->weights);
	return str_detach(&s);
}

bool metric_ref_same(const struct metric_ref *a, const struct metric_ref *b)
{
	return a->nfe == b->nfe && !strcmp(a->name, b->name) && !strcmp(a->extractor, b->extractor) &&
	       !strcmp(a->weights, b->weights);
}

bool metric_ref_made(const struct metric_ref *ref, const char *protocol)
{
	char made[SCORE_EXTRACTOR_MAX];
	score_extractor(made, protocol);
	return !*ref->extractor || strcmp(ref->extractor, made) == 0;
}

bool metric_ref_in_papers(const struct metric_ref *ref)
{
	return !*ref->extractor || strncmp(ref->extractor, "inception", strlen("inception")) == 0;
}

char *metric_title(const struct metric_ref *ref, int64_t n)
{
	const char *name = ref->name;
	static const struct {
		const char *name, *title;
		bool counted;
	} known[] = {
		{ "fid", "FID", true },
		{ "kid", "KID", true },
		{ "is", "IS", true },
		{ "precision", "Precision", true },
		{ "recall", "Recall", true },
		{ "fid_infinity", "FID-inf", false },
		{ "lpips", "LPIPS", false },
		{ "precision_prdc", "Precision (prdc)", true },
		{ "recall_prdc", "Recall (prdc)", true },
		{ "density", "Density", true },
		{ "coverage", "Coverage", true },
		{ "cmmd", "CMMD", true },
		{ "mind", "MIND", true },
		{ "authpct", "AuthPct", true },
		{ "ct", "C_T", true },
		{ "fls", "FLS", true },
		{ "fls_overfit", "FLS overfit", true },
		{ "fld", "FLD", true },
		{ "fld_gap", "FLD gap", true },
	};
	struct str s = { 0 };
	size_t i = 0;
	while (i < sizeof known / sizeof *known && strcmp(known[i].name, name) != 0)
		i++;
	bool counted = i == sizeof known / sizeof *known || known[i].counted;
	str_add(&s, i < sizeof known / sizeof *known ? known[i].title : name);
	if (counted && n >= 1000 && n % 1000 == 0)
		str_addf(&s, "-%lldk", (long long)(n / 1000));
	else if (counted && n > 0)
		str_addf(&s, "-%lld", (long long)n);
	if (*ref->extractor)
		str_addf(&s, " (%s)", ref->extractor);
	if (ref->nfe > 0)
		str_addf(&s, ", %d step%s", ref->nfe, str_plural(ref->nfe));
	return str_detach(&s);
}

bool metric_higher_is_better(const char *name)
{
	const struct metric *m = metric_of_score(name);
	return m && m->better > 0;
}
