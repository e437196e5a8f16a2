/* label_file.h - class labels beside pictures: EDM's dataset.json, {"labels": [["00000/img00000000.png", 6], ...]} or
 * {"labels": null}. */
#ifndef ABLATE_LABEL_FILE_H
#define ABLATE_LABEL_FILE_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define LABEL_MAX 65535

struct label_file {
	char **names;
	int *labels;
	size_t n;
	int classes;
}; /* sorted by name; n = 0: no labels */

/* Names must differ; a label is an integer of 0 to LABEL_MAX. */
MUST_CHECK int label_file_parse(struct label_file *out, const void *bytes, size_t n, const char *path, struct err *e);
int label_file_find(const struct label_file *f, const char *name); /* -1 when absent */
void label_file_release(struct label_file *f);

#endif
