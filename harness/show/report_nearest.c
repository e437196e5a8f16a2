/* report_nearest.c - see report_nearest.h. */
#include "harness/show/report_nearest.h"

#include "harness/attest/dsse.h"
#include "harness/record/query_attempt.h"
#include "harness/text/escape.h"
#include "metrics/scores/metric_memory.h"
#include "model/base/io.h"
#include "model/base/str.h"

#include <stdlib.h>
#include <string.h>

static bool measures_memorisation(const struct grid *g)
{
	for (int i = 0; i < g->n_metrics; i++)
		if (memory_reading(g->metrics[i].name))
			return true;
	return false;
}

/* The sheet and its text; whole, with the contents that the record has, or not there. */
struct sheet {
	struct str png, text;
};

static void sheet_release(struct sheet *s)
{
	str_release(&s->png);
	str_release(&s->text);
	*s = (struct sheet){ 0 };
}

/* A file of an attempt into *to, if it has the SHA-256 of the record. */
static void take(struct str *to, const char *dir, const struct file_row *f, size_t most)
{
	char hash[SHA256_HEX];
	SCOPED(free) char *path = xstrfmt("%s/%s", dir, f->name);
	struct str read = { 0 };
	if (strchr(f->name, '/') || to->len || io_read(&read, path, most, NULL)) {
		str_release(&read);
		return;
	}
	io_sha256(hash, read.data, read.len);
	if (strcmp(hash, f->hash) == 0)
		*to = read;
	else
		str_release(&read);
}

/* Of the fewest steps of sampling: rows are in the order of roles. */
static int find_sheet(struct sheet *out, struct study *s, const struct study_cell *c, const char *runs, size_t most,
                      struct err *e)
{
	struct db_rows rows;
	struct file_row f;
	SCOPED(free) char *dir = xstrfmt("%s/%.12s/%s", runs, c->hash, c->attempt);
	if (query_files(&rows, s->db, c->attempt, e))
		return -1;
	while (query_file_next(&f, &rows))
		if (strncmp(f.role, "nearest@", strlen("nearest@")) == 0)
			take(&out->png, dir, &f, most);
		else if (strncmp(f.role, "nearest-text@", strlen("nearest-text@")) == 0)
			take(&out->text, dir, &f, most);
	return db_done(&rows, e);
}

static void show(struct str *out, const struct sheet *x, int arm, const char *label, const char *hash)
{
	str_addf(out, "<figure id=\"nearest-%d\"><img alt=\"samples of ", arm);
	escape_html(out, label);
	str_add(out, " beside their nearest training images\" src=\"data:image/png;base64,");
	dsse_base64(out, x->png.data, x->png.len);
	str_addf(out, "\"><figcaption><a href=\"#cell-%.12s\">", hash);
	escape_html(out, label);
	str_add(out, "</a>: ");
	escape_html(out, x->text.data ? str_text(&x->text) : "");
	str_add(out, "</figcaption></figure>\n");
}

/* The first done cell of an arm, NULL: none. */
static const struct study_cell *first_done(const struct study *s, int arm)
{
	for (int k = s->first[arm]; k < s->first[arm + 1]; k++)
		if (s->cells[s->of_arm[k]].state == RECORD_DONE)
			return &s->cells[s->of_arm[k]];
	return NULL;
}

int report_nearest(struct str *out, bool *has_sheet, struct study *s, const char *runs, size_t *used, size_t most,
                   struct err *e)
{
	SCOPED(str) struct str without = { 0 };
	int shown = 0;
	if (!s->db || !runs || !measures_memorisation(s->plan->grid))
		return 0;
	str_add(out, "<section id=\"nearest\"><h2>Nearest training images</h2>\n<div class=\"samples wide\">\n");
	for (int i = 0; i < s->plan->n_arms; i++) {
		const struct study_cell *c = first_done(s, i);
		const char *label = s->plan->rows[s->plan->arms[i].rows[0]].label;
		struct sheet x = { 0 };
		if (c && find_sheet(&x, s, c, runs, most - *used, e)) {
			sheet_release(&x);
			return -1;
		}
		if (x.png.len) {
			show(out, &x, i, label, c->hash);
			has_sheet[i] = true;
			*used += x.png.len;
			shown++;
		} else if (c)
			str_addf(&without, "%s%s", without.len ? ", " : "", label);
		sheet_release(&x);
	}
	str_add(out, "</div>\n");
	if (without.len) {
		str_add(out, "<p class=\"soft\">No sheet of ");
		escape_html(out, str_text(&without));
		str_add(out, ": the attempt in use took its scores from an earlier one, its files are gone or altered, or the "
		             "file would be too large.</p>\n");
	} else if (!shown)
		str_add(out, "<p class=\"soft\">No cell is done yet.</p>\n");
	str_add(out, "</section>\n");
	return 0;
}
