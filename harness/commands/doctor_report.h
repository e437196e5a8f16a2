/* doctor_report.h - the rows of `ablate doctor`, for the files that make its sections. */
#ifndef ABLATE_DOCTOR_REPORT_H
#define ABLATE_DOCTOR_REPORT_H

#include "harness/commands/doctor_next.h"
#include "model/base/err.h"

#include <jansson.h>
#include <stdbool.h>

enum doctor_state { GOOD, NOTE, MISSING, BAD };
extern const char *const doctor_states[BAD + 1]; /* their names */

struct report {
	json_t *rows, *processors;
	bool as_json;
	int n[4];
	const char *section;
	struct next_machine machine;
	struct next next;
};

/* A check and what was found. */
void doctor_row(struct report *r, enum doctor_state state, const char *what, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* What fixes the last row; if there are several, all are needed. */
void doctor_remedy(struct report *r, const struct remedy *m);
void doctor_section(struct report *r, const char *name);
/* A row of the first "NAME VERSION" line that a program prints about itself. true: there is no such program. */
bool doctor_lacks_tool(struct report *r, const char *what, const char *const argv[], const char *gives);

/* Several processes for a cell, several machines for a grid (doctor_cluster.c). */
void doctor_check_cluster(struct report *r);

#endif
