/* plan_select.c - which row a user means: by name, label, variant, hash or pattern. */
#include "harness/plan/plan.h"
#include "harness/plan/row_label.h"

#include <stdlib.h>
#include <string.h>

bool plan_row_is(const struct plan *p, const struct plan_row *row, const char *text)
{
	const char *names[] = { row->name, row->label, row->variant };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (*names[i] && row_name_meant(names[i], text))
			return true;
	return strlen(text) >= 12 && !strncmp(p->arms[row->arm].hash, text, strlen(text));
}

static int no_such_row(const struct plan *p, const char *text, struct err *e)
{
	SCOPED(free) const char **names = xcalloc((size_t)p->n_rows * 2, sizeof *names);
	SCOPED(str) struct str near = { 0 };
	size_t n = 0;
	for (int i = 0; i < p->n_rows && i < 1000; i++) {
		names[n++] = p->rows[i].name;
		if (*p->rows[i].chain)
			names[n++] = *p->rows[i].variant ? p->rows[i].variant : p->rows[i].label;
	}
	str_suggest(&near, text, names, n);
	return err_code(e, EXIT_USAGE, "%s: no row is called '%s'%s", p->grid->path, text,
	                near.len ? str_text(&near) : "; `ablate plan` lists the labels");
}

int plan_find_arm(int *arm, const struct plan *p, const char *text, struct err *e)
{
	int found = -1;
	for (int i = 0; i < p->n_rows; i++) {
		if (!plan_row_is(p, &p->rows[i], text))
			continue;
		if (found >= 0 && p->rows[i].arm != p->rows[found].arm)
			return err_code(e, EXIT_USAGE, "'%s' means several arms: \"%s\" and \"%s\"", text, p->rows[found].name,
			                p->rows[i].name);
		found = i;
	}
	if (found < 0)
		return no_such_row(p, text, e);
	*arm = p->rows[found].arm;
	return 0;
}

int plan_keep_only(struct plan *p, const char *const *only, int n, struct err *e)
{
	if (!n)
		return 0;
	SCOPED(free) bool *keep = xcalloc((size_t)p->n_rows, sizeof *keep);
	for (int k = 0; k < n; k++) {
		bool found = false;
		for (int i = 0; i < p->n_rows; i++)
			if (plan_row_is(p, &p->rows[i], only[k]))
				found = keep[i] = true;
		if (!found)
			return no_such_row(p, only[k], e);
	}
	SCOPED(free) int *new_arm = xcalloc((size_t)p->n_arms, sizeof *new_arm);
	int n_rows = 0, n_arms = 0;
	for (int a = 0; a < p->n_arms; a++) {
		bool used = false;
		for (int i = 0; i < p->arms[a].n_rows; i++)
			used |= keep[p->arms[a].rows[i]];
		p->arms[a].n_rows = 0;
		new_arm[a] = used ? n_arms : -1;
		if (!used) {
			free(p->arms[a].json);
			free(p->arms[a].rows);
			free(p->arms[a].needs);
		} else {
			p->arms[n_arms++] = p->arms[a];
		}
	}
	p->n_arms = n_arms;
	for (int i = 0; i < p->n_rows; i++) {
		if (!keep[i])
			continue;
		struct plan_arm *arm = &p->arms[new_arm[p->rows[i].arm]];
		p->rows[i].arm = new_arm[p->rows[i].arm];
		p->rows[n_rows] = p->rows[i];
		VEC_PUSH(arm->rows, arm->n_rows, arm->cap_rows) = n_rows++;
	}
	p->n_rows = n_rows;
	p->only = arena_alloc(&p->arena, (size_t)n * sizeof *p->only);
	for (int k = 0; k < n; k++)
		p->only[p->n_only++] = arena_strdup(&p->arena, only[k]);
	return 0;
}
