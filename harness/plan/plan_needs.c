/* plan_needs.c - see plan_needs.h. One walk over what an arm needs serves both: the reason of its cells is the first
 * thing that lacks, the list of the plan has all of them. */
#include "harness/plan/plan_needs.h"

#include "harness/plan/inputs.h"
#include "harness/record/score_key.h"
#include "metrics/features/extractor_command.h"
#include "metrics/features/published_stats.h"
#include "metrics/weights/weights.h"
#include "model/data/dataset.h"
#include "model/nets/classifier.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* What an arm lacks, in the order of looking. */
struct lack {
	char *what, *about, *get[2];
	char reason[PLAN_REASON];
};
struct lacks {
	struct lack *v;
	int n, cap;
};

static void lacks_release(struct lacks *l)
{
	for (int i = 0; i < l->n; i++) {
		free(l->v[i].what);
		free(l->v[i].about);
		free(l->v[i].get[0]);
		free(l->v[i].get[1]);
	}
	free(l->v);
}

static struct lack *add(struct lacks *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static struct lack *add(struct lacks *l, const char *fmt, ...)
{
	va_list ap;
	VEC_PUSH(l->v, l->n, l->cap) = (struct lack){ 0 };
	struct lack *x = &l->v[l->n - 1];
	va_start(ap, fmt);
	(void)vsnprintf(x->reason, sizeof x->reason, fmt, ap);
	va_end(ap);
	return x;
}

static void find_weights(struct lacks *l, const char *name)
{
	const struct weights_row *row;
	if (weights_row_find(&row, name, NULL) || weights_here(row))
		return;
	struct lack *x = row->sha256 ? add(l, "weights %s, sha256 %.16s...: `ablate weights import|fetch %s`", name,
	                                   row->sha256, name)
	                             : add(l, "weights %s: `ablate weights import %s FILE`", name, name);
	x->what = xstrfmt("weights %s", name);
	x->about = xstrfmt("%s; licence: %s", row->text, row->licence);
	if (row->url)
		x->get[0] = xstrfmt("ablate weights fetch %s", name);
	x->get[row->url ? 1 : 0] = xstrfmt("ablate weights import %s FILE", name);
}

int needs_data_commands(char *out[2], const struct data_shape *s)
{
	int n = 0;
	if (s->url)
		out[n++] = xstrfmt("ablate data fetch %s", s->name);
	else if (s->package)
		out[n++] = xstrfmt("sudo apt-get install %s", s->package);
	out[n++] = xstrfmt("ablate data import %s %s", s->name, s->url ? "FILE" : "FOLDER");
	return n;
}

/* A set that is there and cannot be read has its reason alone. */
static void find_data(struct lacks *l, const char *name, enum data_split split)
{
	struct data_shape shape;
	char hash[SHA256_HEX];
	struct err e = ERR_INIT;
	if (data_shape_find(&shape, name, NULL) || !dataset_sha256(hash, name, split, &e))
		return;
	struct lack *x = add(l, "%s", e.msg);
	SCOPED(free) char *folder = dataset_folder(name);
	if (folder)
		return;
	x->what = xstrfmt("data set %s", name);
	x->about = xstrfmt("%s; licence: %s", shape.origin, shape.licence);
	(void)needs_data_commands(x->get, &shape);
}

/* A file by its path, or weights in the cache by name. */
static void find_file(struct lacks *l, const char *key, const char *setting)
{
	const struct weights_row *row;
	SCOPED(free) char *path = weights_file_path(setting);
	if (!*path || io_exists(path))
		return;
	if (!weights_row_find(&row, setting, NULL))
		find_weights(l, setting);
	else if (strcmp(path, setting) != 0)
		(void)add(l, "the file %s = \"%s\", looked for as %s", key, setting, path);
	else
		(void)add(l, "the file %s = \"%s\"", key, setting);
}

static void find_statistics(struct lacks *l, const char *name, const char *extractor)
{
	const struct stats_row *row;
	char sha256[SHA256_HEX];
	struct err why = ERR_INIT;
	if (stats_row_find(&row, name, NULL)) /* the grid has refused it */
		return;
	if (!stats_fit(row, extractor)) {
		(void)add(
			l,
			"features made as ref = \"stats:%s\" of a metric was, %s: those of the extractor '%s' in a study differ "
			"in network or resize, and do not compare",
			name, row->protocol, extractor);
		return;
	}
	if (!stats_check(row, sha256, &why))
		return;
	struct lack *x = add(l, "%s", why.msg);
	if (stats_here(row))
		return;
	x->what = xstrfmt("statistics %s", name);
	x->about = xstrdup(row->text);
	x->get[0] = xstrfmt("ablate stats fetch %s", name);
	x->get[1] = xstrfmt("ablate stats import %s FILE", name);
}

/* What a score compares with: a file of statistics, published ones, or a data set, which need not be the one that
 * trains. */
static void find_reference(struct lacks *l, const char *ref, const char *extractor)
{
	SCOPED(free) char *name = xstrdup(ref);
	if (stats_named(ref))
		find_statistics(l, stats_named(ref), extractor);
	else if (!score_ref_is_file(ref))
		find_data(l, name, dataset_cut_split(name));
	else if (!io_exists(ref))
		(void)add(l, "the file ref = \"%s\" of a metric", ref);
	else if (!feature_set_is(ref))
		(void)add(l,
		          "features or statistics in ref = \"%s\" of a metric, which holds neither: `ablate features %s -o "
		          "REF.npz` makes them of pictures",
		          ref, ref);
}

/* A loss by the layers of the data's own classifier needs its weights; scorers have Fashion-MNIST's at the least. */
static void find_classifier(struct lacks *l, const struct run_config *c)
{
	struct classifier loaded = { 0 };
	struct err e = ERR_INIT;
	if (c->loss.kind == LOSS_LPIPS_CLASSIFIER && classifier_load(&loaded, c->data.name, CLASSIFIER_OF_LOSS, &e))
		(void)add(l, "%s", e.msg);
	classifier_release(&loaded);
}

/* Labels that the data has and the network does not. */
static void find_classes(struct lacks *l, const struct run_config *c)
{
	struct data_shape shape;
	if (c->net.classes && !data_shape_find(&shape, c->data.name, NULL) && c->net.classes < shape.classes)
		(void)add(l, "net.classes = %d, but %s has %d classes: set it to %d, or to 0 for a network without labels",
		          c->net.classes, c->data.name, shape.classes, shape.classes);
}

static void find_extractor(struct lacks *l, const char *name)
{
	struct err why = ERR_INIT;
	if (!extractor_is_command(name))
		find_weights(l, name);
	else if (extractor_command_check(name, &why))
		(void)add(l, "%s", why.msg);
}

/* All but its data. */
static void find_all(struct lacks *l, const struct plan *p, const struct plan_arm *arm)
{
	const struct run_config *c = &arm->config;
	for (int i = 0; i < arm->n_needs; i++) {
		find_weights(l, arm->needs[i]);
		find_data(l, arm->needs[i], SPLIT_TRAIN);
	}
	if (config_needs_lpips(c)) {
		find_weights(l, "lpips-vgg-backbone");
		find_weights(l, "lpips-vgg");
	}
	find_file(l, "net.init", c->net.init);
	if (c->method.kind == METHOD_CD)
		find_file(l, "cd.teacher", c->cd.teacher);
	for (int i = 0; i < p->grid->n_metrics; i++) {
		const char *asked = p->grid->metrics[i].extractor;
		const char *extractor = *asked ? asked : extractor_default(c->data.name);
		find_extractor(l, extractor);
		SCOPED(free)
		char *ref = score_reference(c->data.name, p->grid->metrics[i].ref, p->grid->metrics[i].name);
		if (strcmp(ref, c->data.name) != 0)
			find_reference(l, ref, extractor);
	}
	find_classes(l, c);
	find_classifier(l, c);
}

bool plan_arm_lacks(char *reason, size_t size, const struct plan *p, const struct plan_arm *arm)
{
	struct lacks l = { 0 };
	find_all(&l, p, arm);
	bool lacks = l.n > 0;
	if (lacks)
		(void)snprintf(reason, size, "%s", l.v[0].reason);
	lacks_release(&l);
	return lacks;
}

/* ---- the list of a plan ----------------------------------------------------------------------------------------- */

/* Do two arms need the same? Then only one is looked into. */
static bool same_needs(const struct plan_arm *a, const struct plan_arm *b)
{
	bool same = a->n_needs == b->n_needs && a->config.net.classes == b->config.net.classes &&
	            inputs_same(&a->config, &b->config);
	for (int i = 0; i < a->n_needs && same; i++)
		same = strcmp(a->needs[i], b->needs[i]) == 0;
	return same;
}

/* Its place in the list, where it gets one if it has none. */
static int place_of(struct plan *p, const struct lack *x, int *cap)
{
	const char *what = x->what ? x->what : x->reason;
	for (int i = 0; i < p->n_missing; i++)
		if (strcmp(p->missing[i].what, what) == 0)
			return i;
	struct plan_missing m = { .what = arena_strdup(&p->arena, what),
		                      .about = x->about ? arena_strdup(&p->arena, x->about) : "",
		                      .reason = arena_strdup(&p->arena, x->reason) };
	for (int k = 0; k < 2; k++)
		m.get[k] = x->get[k] ? arena_strdup(&p->arena, x->get[k]) : NULL;
	VEC_PUSH(p->missing, p->n_missing, *cap) = m;
	return p->n_missing - 1;
}

static bool among(const int *v, int n, int x)
{
	int i = 0;
	while (i < n && v[i] != x)
		i++;
	return i < n;
}

/* Arms that need the same wait for the same. */
struct waiting {
	const struct plan_arm *arm;
	int *missing; /* places in the list */
	int n, cap;
};

static struct waiting look(struct plan *p, const struct plan_arm *arm, int *cap)
{
	struct waiting w = { .arm = arm };
	struct lacks l = { 0 };
	find_data(&l, arm->config.data.name, SPLIT_TRAIN);
	find_all(&l, p, arm);
	for (int i = 0; i < l.n; i++) {
		int at = place_of(p, &l.v[i], cap);
		if (!among(w.missing, w.n, at))
			VEC_PUSH(w.missing, w.n, w.cap) = at;
	}
	lacks_release(&l);
	return w;
}

void plan_find_missing(struct plan *p)
{
	SCOPED(free) struct waiting *v = NULL;
	int n = 0, cap = 0, cap_missing = 0, k = 0;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_arm *arm = &p->arms[p->cells[i].arm];
		if (p->cells[i].state == CELL_CACHED)
			continue;
		for (k = 0; k < n && !same_needs(v[k].arm, arm);)
			k++;
		if (k == n)
			VEC_PUSH(v, n, cap) = look(p, arm, &cap_missing);
		for (int j = 0; j < v[k].n; j++)
			p->missing[v[k].missing[j]].cells++;
	}
	for (k = 0; k < n; k++)
		free(v[k].missing);
}
