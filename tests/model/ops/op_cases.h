/* op_cases.h - the cases that op_runner asks its questions of: one row each, with the function that records it. */
#ifndef ABLATE_OP_CASES_H
#define ABLATE_OP_CASES_H

#include "model/graph/graph.h"

enum { MAX_INPUTS = 12 };

struct bench {
	struct graph *g;
	struct tensor *inputs[MAX_INPUTS];
	float spread[MAX_INPUTS];
	bool exact[MAX_INPUTS];
	bool still[2]; /* inputs of an even, of an odd number: they have no tangent */
	int n;
};

struct op_case {
	const char *name;
	struct tensor *(*build)(struct bench *b, const int64_t *d);
	int64_t d[8];
	double tol; /* relative L2 of CPU against double; measured, times about 3. 0: every device moves values only */
	const char *why;
};

extern const struct op_case op_cases[];
extern const int n_op_cases;

/* What is allowed where a device stores images as bf16. */
double op_case_low_tolerance(const struct op_case *c);

#endif
