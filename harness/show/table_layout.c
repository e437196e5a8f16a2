/* table_layout.c - see table_layout.h. */
#include "harness/show/table_layout.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool begins_group(const struct table *t, int c)
{
	return !*t->cols[c].ref.name || !metric_ref_same(&t->cols[c - 1].ref, &t->cols[c].ref);
}

int table_blocks(int *end, const struct table *t, double label, const double *width, double limit)
{
	int n = 0;
	for (int from = 0; from < t->n_cols; from = end[n - 1]) {
		double sum = label;
		int c = from, cut = 0;
		for (; c < t->n_cols && (c == from || sum + width[c] <= limit); c++) {
			sum += width[c];
			cut = c > from && begins_group(t, c) ? c : cut;
		}
		if (c < t->n_cols && begins_group(t, c))
			cut = c;
		end[n++] = c == t->n_cols || !cut ? c : cut;
	}
	return n;
}

int table_terminal_columns(void)
{
	struct winsize w;
	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

const char *table_block_about(const struct table *t, int from)
{
	int first = from;
	while (first > 0 && !begins_group(t, first))
		first--;
	return first < from ? t->cols[first].head : "";
}

bool table_opens_section(const struct table *t, int r)
{
	return *t->sections[r] && (r == 0 || strcmp(t->sections[r], t->sections[r - 1]) != 0);
}

void table_comment(struct str *out, const char *text)
{
	for (; *text; text++) {
		str_addc(out, *text == '\n' ? ' ' : *text);
		if (*text == '-' && text[1] == '-')
			str_addc(out, ' ');
	}
}
