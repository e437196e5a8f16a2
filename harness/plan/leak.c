/* leak.c - see leak.h. */
#include "harness/plan/leak.h"

#include "metrics/features/extractor_classifier.h"
#include "model/nets/classifier.h"

#include <string.h>

/* The file's identity; "" where it is missing, which plan_needs.h tells. */
static void network_sha256(char hex[SHA256_HEX], const char *data, const char *which)
{
	struct classifier net = { 0 };
	struct err unsaid = ERR_INIT;
	hex[0] = '\0';
	if (!classifier_load(&net, data, which, &unsaid))
		memcpy(hex, net.sha256, SHA256_HEX);
	classifier_release(&net);
}

bool leak_is(const struct run_config *c, const char *extractor)
{
	const char *name = *extractor ? extractor : extractor_default(c->data.name), *prefix = "classifier";
	size_t n = strlen(prefix);
	if (c->loss.kind != LOSS_LPIPS_CLASSIFIER || strncmp(name, prefix, n) != 0)
		return false;
	char loss[SHA256_HEX], scorer[SHA256_HEX];
	const char *which = name[n] == ':' ? name + n + 1 : "b";
	network_sha256(loss, c->data.name, CLASSIFIER_OF_LOSS);
	network_sha256(scorer, extractor_classifier_data(c->data.name, which), which);
	return *loss && strcmp(loss, scorer) == 0;
}

int leak_refuse(const struct plan *p, struct err *e)
{
	for (int i = 0; i < p->grid->n_metrics; i++) {
		const struct grid_metric *m = &p->grid->metrics[i];
		const char *seen = ""; /* arms mostly share a data set */
		for (int a = 0; a < p->n_arms && !m->allow_leak; a++) {
			const struct run_config *c = &p->arms[a].config;
			if (c->loss.kind != LOSS_LPIPS_CLASSIFIER || strcmp(seen, c->data.name) == 0)
				continue;
			seen = c->data.name;
			if (leak_is(c, m->extractor))
				return grid_err(e, m->at,
				                "%s would score '%s' by the network that its loss is made of: take extractor = "
				                "\"classifier:b\", or say allow_leak = true, and the numbers are marked",
				                m->name, p->rows[p->arms[a].rows[0]].name);
		}
	}
	return 0;
}
