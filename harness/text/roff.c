/* roff.c - see roff.h. */
#include "harness/text/roff.h"

#include "model/base/mem.h"

#include <stdbool.h>
#include <string.h>

void roff_text(struct str *s, const char *text)
{
	bool start = true;
	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			str_add(s, "\\&");
		if (*text == '\\')
			str_add(s, "\\e");
		else if (*text == '-')
			str_add(s, "\\-");
		else if (*text == '|')
			str_add(s, "|\\:"); /* a list of choices may end a line here */
		else
			str_addc(s, *text);
		start = *text == '\n';
	}
}

static void titled(struct str *s, const char *macro, const char *title)
{
	str_addf(s, "%s ", macro);
	roff_text(s, title);
	str_addc(s, '\n');
}

void roff_page(struct str *s, const char *name, const char *section, const char *what)
{
	str_add(s, ".\\\" Made by `ablate man`; not edited by hand.\n.TH ");
	roff_text(s, name);
	str_addf(s, " %s \"\" \"ablate %s\" \"ablate manual\"\n", section, ABLATE_VERSION);
	roff_section(s, "NAME");
	roff_text(s, what);
	str_addc(s, '\n');
}

void roff_section(struct str *s, const char *title)
{
	titled(s, ".SH", title);
}

void roff_subsection(struct str *s, const char *title)
{
	titled(s, ".SS", title);
}

void roff_literal(struct str *s, const char *lines)
{
	str_add(s, ".PP\n.RS 4\n.nf\n");
	roff_text(s, lines);
	str_add(s, ".fi\n.RE\n");
}

void roff_paragraphs(struct str *s, const char *text)
{
	bool literal = false;
	while (*text) {
		size_t n = strcspn(text, "\n");
		SCOPED(free) char *line = xstrndup(text, n);
		if ((*line == ' ') != literal) {
			str_add(s, literal ? ".fi\n.RE\n" : ".PP\n.RS 4\n.nf\n");
			literal = !literal;
		}
		if (*line)
			roff_text(s, line + (literal ? strspn(line, " ") : 0));
		else
			str_add(s, ".PP");
		str_addc(s, '\n');
		text += n + (text[n] == '\n');
	}
	if (literal)
		str_add(s, ".fi\n.RE\n");
}

void roff_item(struct str *s, const char *name, const char *text)
{
	str_add(s, ".TP\n.B ");
	roff_text(s, name);
	str_addc(s, '\n');
	roff_text(s, text);
	str_addc(s, '\n');
}
