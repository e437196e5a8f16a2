/* doctor_report.c - see doctor_report.h. */
#include "harness/commands/doctor_report.h"

#include "harness/slurm/slurm_client.h"
#include "harness/text/escape.h"
#include "harness/text/json_out.h"
#include "model/base/mem.h"
#include "model/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const doctor_states[] = { "ok", "note", "missing", "bad" };

void doctor_row(struct report *r, enum doctor_state state, const char *what, const char *fmt, ...)
{
	char text[1200];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	r->n[state]++;
	json_t *o = json_object();
	(void)json_object_set_new(o, "section", json_string(r->section));
	(void)json_object_set_new(o, "state", json_string(doctor_states[state]));
	(void)json_object_set_new(o, "what", json_out_text(what));
	(void)json_object_set_new(o, "found", json_out_text(text));
	(void)json_array_append_new(r->rows, o);
	SCOPED(str) struct str shown = { 0 }, name = { 0 };
	escape_plain(&shown, text);
	escape_plain(&name, what);
	if (!r->as_json)
		printf("  %-8s %-24s %s\n", doctor_states[state], str_text(&name), str_text(&shown));
}

void doctor_remedy(struct report *r, const struct remedy *m)
{
	const json_t *last = json_array_get(r->rows, json_array_size(r->rows) - 1);
	next_add(&r->next, &r->machine, json_string_value(json_object_get(last, "what")), m);
}

void doctor_section(struct report *r, const char *name)
{
	r->section = name;
	if (!r->as_json)
		printf("%s%s\n", json_array_size(r->rows) ? "\n" : "", name);
}

bool doctor_lacks_tool(struct report *r, const char *what, const char *const argv[], const char *gives)
{
	struct err e = ERR_INIT;
	SCOPED(str) struct str answer = { 0 };
	if (!slurm_call(&answer, argv, &e)) {
		doctor_row(r, GOOD, what, "%.*s", (int)strcspn(str_text(&answer), "\n"), str_text(&answer));
		return false;
	}
	doctor_row(r, NOTE, what, "%s: it is needed for %s", e.msg, gives);
	return !next_can_run(argv[0]);
}
