/* inputs.h - what training of a config reads besides the config: its data set, and weights where it starts from some,
 * distils some or measures with some. Their contents are part of a cell's identity: the same arm on other weights is
 * another cell. */
#ifndef ABLATE_INPUTS_H
#define ABLATE_INPUTS_H

#include "model/base/io.h"
#include "model/config/config.h"

enum { INPUTS_MAX = 6 };

struct input {
	const char *role;         /* "dataset", "init", "teacher", "lpips", "classifier" */
	const char *kind;         /* "dataset", "weights" */
	char name[KNOB_TEXT_MAX]; /* of the data set or weights, or the file as the config names it */
	char sha256[SHA256_HEX];  /* of the content; "" = not found */
};

/* All of them, the data set first. Missing data is an error; missing weights have no hash (plan_needs.h says how to get
 * them). */
MUST_CHECK int inputs_of(struct input out[INPUTS_MAX], int *n, const struct run_config *config, struct err *e);
/* Heap path of the user's copy of weights that training by this config measures with, by name; NULL when it needs
 * none. */
char *inputs_weights(const struct run_config *c, const char *name);
/* The `dataset` of a cell's hash: the data's own where nothing else is read, else over all of them. */
void inputs_hash(char hex[SHA256_HEX], const struct input *in, int n);
/* Do two configs read the same? Then only one needs to be looked up. */
bool inputs_same(const struct run_config *a, const struct run_config *b);

#endif
