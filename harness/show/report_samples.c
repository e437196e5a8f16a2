/* report_samples.c - the report's sample pictures: a figure for each arm and number of sampling steps, beside the first
 * images of the data that it was trained on (report_private.h). The script chooses which are shown. */
#include "harness/show/report_private.h"

#include "harness/attest/dsse.h"
#include "harness/record/query_attempt.h"
#include "harness/show/tiles.h"
#include "model/base/io.h"
#include "model/data/dataset.h"

#include <ctype.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- real images --- */

/* SHA-256 of the data that the cell's attempt read, into the study's arena; "" where it is not recorded. */
static int data_of(const char **hash, struct study *s, const struct study_cell *c, struct err *e)
{
	struct db_rows rows;
	struct file_row f;
	*hash = "";
	if (query_files(&rows, s->db, c->attempt, e))
		return -1;
	while (query_file_next(&f, &rows))
		if (strcmp(f.role, "dataset") == 0)
			*hash = arena_strdup(&s->arena, f.hash);
	return db_done(&rows, e);
}

/* The set's first images as a PNG, laid out as samples are. */
static int draw_real(struct str *png, const struct dataset *d, struct err *e)
{
	int w, h, c = d->c == 3 ? 3 : 1;
	SCOPED(free) uint8_t *pixels = tiles_of(&w, &h, d, c);
	png_image image = { .version = PNG_IMAGE_VERSION,
		                .width = (unsigned)w,
		                .height = (unsigned)h,
		                .format = c == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY };
	png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
	SCOPED(free) char *bytes = xmalloc(size);
	if (!png_image_write_to_memory(&image, bytes, &size, 0, pixels, 0, NULL))
		return err_set(e, "real images: %s", image.message);
	str_addn(png, bytes, size);
	return 0;
}

static int real_images(struct report_page *p, const struct study_cell *c, struct err *e)
{
	const char *name = p->s->plan->arms[c->arm].config.data.name, *recorded;
	struct dataset d;
	struct err why = ERR_INIT;
	SCOPED(str) struct str png = { 0 };
	if (data_of(&recorded, p->s, c, e))
		return -1;
	str_add(p->out, "<figure class=\"real\">");
	if (dataset_open(&d, name, SPLIT_TRAIN, &why)) {
		/* without the reason, which has paths of this machine in it */
		report_tag(p, "<figcaption>No real images here: ", name, " is not on the machine that made this page; ");
		str_add(p->out, "<code>ablate data list</code> tells where it is from.</figcaption></figure>\n");
		return 0;
	}
	if (*recorded && strcmp(recorded, d.sha256) != 0)
		report_tag(p, "<figcaption>No real images here: ", name,
		           " on this machine is not the data that was trained on.</figcaption></figure>\n");
	else if (draw_real(&png, &d, &why))
		report_tag(p, "<figcaption>", why.msg, "</figcaption></figure>\n");
	else {
		report_tag(p, "<img alt=\"real images of ", name, "\" src=\"data:image/png;base64,");
		dsse_base64(p->out, png.data, png.len);
		report_tag(p, "\"><figcaption>real images: the first of ", name, ", training part</figcaption></figure>\n");
		p->used += png.len;
	}
	dataset_release(&d);
	return 0;
}

/* --- samples --- */

/* Pictures that an attempt left: number of sampling steps, training step (-1: the end), path and recorded contents of
 * each. */
struct pictures {
	struct picture {
		int nfe;
		long at;
		char *path, hash[SHA256_HEX];
	} * v;
	int n, cap;
};

static void release(struct pictures *x)
{
	for (int i = 0; i < x->n; i++)
		free(x->v[i].path);
	free(x->v);
	*x = (struct pictures){ 0 };
}

/* of: "STEPS" at the end of the training, "STEPS/STEP" on its way. Takes the path. */
static void add_picture(struct pictures *x, char *path, const char *of, const char *hash)
{
	const char *step = strchr(of, '/');
	if (!io_exists(path)) {
		free(path);
		return;
	}
	struct picture *one = &VEC_PUSH(x->v, x->n, x->cap);
	*one = (struct picture){ .nfe = (int)strtol(of, NULL, 10),
		                     .at = step ? strtol(step + 1, NULL, 10) : -1,
		                     .path = path };
	(void)snprintf(one->hash, sizeof one->hash, "%s", hash);
}

static int pictures_of(struct pictures *x, const struct report_page *p, const struct study_cell *c, struct err *e)
{
	struct db_rows rows;
	struct file_row f;
	if (!*c->attempt)
		return 0;
	if (query_files(&rows, p->s->db, c->attempt, e))
		return -1;
	while (query_file_next(&f, &rows))
		if (strncmp(f.role, "picture@", 8) == 0)
			add_picture(x, xstrfmt("%s/%.12s/%s/%s", p->ask->runs, c->hash, c->attempt, f.name), f.role + 8, f.hash);
	if (db_done(&rows, e))
		return -1;
	struct during_row d;
	if (query_during(&rows, p->s->db, c->attempt, e))
		return -1;
	while (x->n && query_during_next(&d, &rows))
		add_picture(x, xstrfmt("%s/%.12s/%s/%s", p->ask->runs, d.cell, d.attempt, d.name), d.role + 7, d.hash);
	return db_done(&rows, e);
}

/* The first cell of an arm that has pictures, and these; *cell NULL: none has. */
static int first_with(const struct study_cell **cell, struct pictures *x, const struct report_page *p, int arm,
                      struct err *e)
{
	const struct study *s = p->s;
	*cell = NULL;
	if (!s->db || !p->ask->runs || !*p->ask->runs)
		return 0;
	for (int k = s->first[arm]; k < s->first[arm + 1] && !*cell; k++) {
		const struct study_cell *c = &s->cells[s->of_arm[k]];
		if (pictures_of(x, p, c, e))
			return -1;
		*cell = x->n ? c : NULL;
	}
	return 0;
}

int report_has_samples(bool *has, const struct report_page *p, struct err *e)
{
	*has = false;
	for (int i = 0; i < p->s->plan->n_arms && !*has; i++) {
		struct pictures x = { 0 };
		const struct study_cell *c;
		int rc = first_with(&c, &x, p, i, e);
		release(&x);
		if (rc)
			return -1;
		*has = c != NULL;
	}
	return 0;
}

/* Address of a picture for a link from the report; NULL where no path leads there. Heap text. */
static char *link_to(const struct report_page *p, const char *path)
{
	SCOPED(free) char *name = NULL;
	struct str url = { 0 };
	if (!p->ask->runs_link)
		return NULL;
	name = xstrfmt("%s%s", p->ask->runs_link, path + strlen(p->ask->runs));
	for (const char *at = name; *at; at++)
		if (isalnum((unsigned char)*at) || strchr("-._~/@", *at))
			str_addc(&url, *at);
		else
			str_addf(&url, "%%%02X", (unsigned char)*at);
	return str_detach(&url);
}

static void image(struct report_page *p, const struct study_cell *c, const struct picture *x, const struct str *png)
{
	char hash[SHA256_HEX];
	io_sha256(hash, png->data, png->len);
	if (strcmp(hash, x->hash) != 0) {
		str_add(p->out, "<p class=\"soft\">The file is not what was recorded.</p>");
		return;
	}
	p->used += png->len;
	report_tag(p, "<img alt=\"samples of ", report_label(p, c->arm), "");
	str_addf(p->out, ", %d step%s\" src=\"data:image/png;base64,", x->nfe, str_plural(x->nfe));
	dsse_base64(p->out, png->data, png->len);
	str_add(p->out, "\">");
}

static void figure(struct report_page *p, const struct study_cell *c, const struct picture *x, bool nearest)
{
	SCOPED(str) struct str png = { 0 };
	SCOPED(free) char *link = link_to(p, x->path);
	long steps = p->s->plan->arms[c->arm].config.train.steps;
	str_addf(p->out, "<figure data-arm=\"%d\" data-nfe=\"%d\" data-seed=\"%lld\"", c->arm, x->nfe, (long long)c->seed);
	if (x->at >= 0)
		str_addf(p->out, " data-step=\"%ld\" hidden", x->at); /* without a script only the end is shown */
	str_addc(p->out, '>');
	if (p->used < REPORT_PICTURES_MAX && io_read(&png, x->path, REPORT_PICTURES_MAX - p->used, NULL) == 0)
		image(p, c, x, &png);
	else if (link)
		report_tag(p, "<p><a href=\"", link, "\">picture</a>: a file beside the database</p>");
	else
		str_add(p->out, "<p class=\"soft\">left out to keep the file small</p>");
	str_addf(p->out, "<figcaption><a href=\"#cell-%.12s\">", c->hash);
	report_tag(p, "", report_label(p, c->arm), "</a>");
	str_addf(p->out, ", seed %lld, %d step%s", (long long)c->seed, x->nfe, str_plural(x->nfe));
	if (x->at >= 0)
		str_addf(p->out, ", after %ld of %ld training steps", x->at, steps);
	if (nearest && x->at < 0)
		str_addf(p->out, "; <a href=\"#nearest-%d\">nearest training images</a>", c->arm);
	str_add(p->out, "</figcaption></figure>\n");
}

/* What the reader has to know to compare the pictures. */
static void explain(struct report_page *p)
{
	const struct grid *g = p->s->plan->grid;
	str_add(p->out, "<p class=\"soft\">Of each arm the first training seed that left pictures. Sampling latents derive "
	                "from the evaluation seed alone");
	if (g->n_metrics && g->seeds.n_eval)
		str_addf(p->out, " (%lld)", (long long)g->seeds.eval[0]);
	str_add(p->out, ", so a place in one picture began as the same noise as that place in every other. Workers draw "
	                "them at the end of training, and each eval.every steps on its way.</p>\n");
}

/* The figures of all arms; first[arm]: whose they are, NULL where there are none. */
static int figures(const struct study_cell **first, struct report_page *p, const bool *nearest, struct err *e)
{
	for (int i = 0; i < p->s->plan->n_arms; i++) {
		struct pictures x = { 0 };
		int rc = first_with(&first[i], &x, p, i, e);
		for (int k = 0; !rc && first[i] && k < x.n; k++)
			figure(p, first[i], &x.v[k], nearest[i]);
		release(&x);
		if (rc)
			return -1;
	}
	return 0;
}

int report_samples(struct report_page *p, const bool *nearest, struct err *e)
{
	const struct plan *plan = p->s->plan;
	SCOPED(free) const struct study_cell **first = xcalloc((size_t)plan->n_arms + 1, sizeof *first);
	str_add(p->out, "<section id=\"samples\"><h2>Samples</h2>\n");
	explain(p);
	str_add(p->out, "<div class=\"controls\" id=\"samples-controls\" hidden></div>\n<div class=\"beside\"><div "
	                "class=\"samples\" id=\"sample-figures\">\n");
	if (figures(first, p, nearest, e))
		return -1;
	str_add(p->out, "</div>\n<div class=\"reals\">\n");
	for (int i = 0; i < plan->n_arms; i++) {
		int k = 0; /* the first arm with pictures on the same data */
		while (k < i && !(first[k] && !strcmp(plan->arms[k].config.data.name, plan->arms[i].config.data.name)))
			k++;
		if (first[i] && k == i && real_images(p, first[i], e))
			return -1;
	}
	str_add(p->out, "</div></div></section>\n");
	return 0;
}
