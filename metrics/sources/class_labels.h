/* class_labels.h - the class of each picture of a source, where the source says it.
 *
 *   arrays         labels, label, y, fine_labels or arr_1 beside the pictures or features: N integers. Those of the
 *                  downsampled ImageNet (`data` without `batch_label`) count from 1 and become numbers from 0
 *   folder, zip,   EDM's dataset.json; else the folder that each picture lies in, below the folders that all have in
 *   tar            common: a name. Folders that only keep folders small (EDM's 00000/img00000000.png) are no classes
 *   IDX            the file of labels beside the pictures
 *   CIFAR-10, data sets    their own; a set of one class has none
 *
 * All but folders are numbers of 0 to LABEL_MAX (label_file.h). */
#ifndef ABLATE_CLASS_LABELS_H
#define ABLATE_CLASS_LABELS_H

#include "metrics/sources/sources.h"

struct class_labels {
	int64_t n;   /* pictures; 0 = none are known */
	int32_t *of; /* [n]: a number; where there are names, the place of one of them */
	char **name; /* [n_names] folders in the order of their bytes; NULL: classes are numbers */
	int n_names;
};

void class_labels_release(struct class_labels *l); /* accepts a zeroed struct */
void scoped_class_labels(struct class_labels *l);

/* Of all pictures of s, in their order; a source that has none is an error that says what would be some. */
MUST_CHECK int source_labels(struct class_labels *out, struct source *s, struct err *e);
/* The same of a file of n features. */
MUST_CHECK int class_labels_of_features(struct class_labels *out, const char *path, int64_t n, struct err *e);

/* For the kinds, and for imports. The labels of n pictures in a file of arrays; out->n stays 0 where there are none. */
struct arrays;
MUST_CHECK int class_labels_of_arrays(struct class_labels *out, struct arrays *a, int64_t n, struct err *e);
/* From the names of n pictures: those of the heap, `name` and what it points to, are taken over. */
void class_labels_of_names(struct class_labels *out, char **name, int64_t n);
/* Room for n numbers, all 0. */
void class_labels_init(struct class_labels *out, int64_t n);
/* Does this picture's name begin with a folder that can be a class? */
bool class_folder_in(const char *name);

#endif
