/* metric_ref.c - how metrics are named: fid@2 in files and commands, FID-10k in print. */
#include "study.h"

#include "metrics/score.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int metric_ref_parse(struct metric_ref *out, const char *text, struct err *e)
{
	struct metric_ref r = { .nfe = -1 };
	size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
	const char *at = text + name;
	bool good = name > 0 && name < sizeof r.name;
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
		return err_code(e, EXIT_USAGE, "'%s' is no metric: NAME, NAME@STEPS or NAME@STEPS:WEIGHTS, as fid@1 or fid@2:student", text);
	memcpy(r.name, text, name);
	*out = r;
	return 0;
}

int metric_refs_of_grid(struct metric_ref *out, int max, const struct grid *g)
{
	int n = 0;
	for (int i = 0; i < g->n_metrics; i++) {
		const char *names[GRID_OUTPUTS_MAX];
		int n_names = grid_metric_outputs(names, &g->metrics[i]);
		for (int k = 0; k < n_names; k++) {
			for (int j = 0; j < g->metrics[i].n_nfe && n < max; j++) {
				out[n] = (struct metric_ref){ .nfe = g->metrics[i].nfe[j], .samples = g->metrics[i].samples,
				                                    .least = g->metrics[i].agg == AGG_MIN3 };
				(void)snprintf(out[n++].name, sizeof out->name, "%s", names[k]);
			}
		}
	}
	return n;
}

int metric_ref_of_grid(struct metric_ref *out, const struct grid *g, const char *text, struct err *e)
{
	struct metric_ref all[METRIC_REFS_MAX];
	int n = metric_refs_of_grid(all, METRIC_REFS_MAX, g);
	if (metric_ref_parse(out, text, e))
		return -1;
	for (int i = 0; i < n && !out->samples; i++)
		if (strcmp(all[i].name, out->name) == 0 && (out->nfe < 0 || all[i].nfe == out->nfe))
			out->samples = all[i].samples, out->least = all[i].least;
	return 0;
}

char *metric_title(const char *name, int64_t n, int nfe)
{
	static const struct { const char *name, *title; bool counted; } known[] = {
		{ "fid", "FID", true }, { "kid", "KID", true }, { "is", "IS", true }, { "precision", "Precision", true },
		{ "recall", "Recall", true }, { "fid_infinity", "FID-inf", false }, { "lpips", "LPIPS", false },
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
	if (nfe > 0)
		str_addf(&s, ", %d step%s", nfe, nfe == 1 ? "" : "s");
	return str_detach(&s);
}

bool metric_higher_is_better(const char *name)
{
	bool pr = strcmp(name, "precision") == 0 || strcmp(name, "recall") == 0; /* one row gives both */
	const struct metric *m = metric_find(pr ? "pr" : name);
	return m && m->better > 0;
}
