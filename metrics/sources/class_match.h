/* class_match.h - which class of one set is which of another, and the pictures of each.
 *
 * Numbers match numbers, and names names, byte for byte. Where only one side has names (folders), these become
 * numbers: the ones that they are, where all are decimal numbers, else 0, 1, 2, ... in the order of their bytes, as
 * torchvision's ImageFolder and `ablate data import` count them; a note says so. */
#ifndef ABLATE_CLASS_MATCH_H
#define ABLATE_CLASS_MATCH_H

#include "metrics/sources/class_labels.h"

struct class_match {
	int n;       /* classes, in order of their numbers or of their names' bytes */
	char **name; /* [n] */
	/* of both sides: the pictures of class k are which[at[k]] to which[at[k + 1] - 1], ascending */
	struct class_members {
		int64_t *at; /* [n + 1] */
		int64_t *which;
	} side[2];
	struct str notes; /* lines worth telling the user */
};

/* The labels stay the caller's; origin_*: for messages. A class that one side lacks, or has one picture of, is an error
 * that names the class and the side. */
MUST_CHECK int class_match_find(struct class_match *out, const struct class_labels *a, const char *origin_a,
                                const struct class_labels *b, const char *origin_b, struct err *e);
/* The numbers [n_names] that folders become, and a line of notes. Two that are one number ("3" and "03") are an
 * error. */
MUST_CHECK int class_names_to_numbers(int32_t *number, const struct class_labels *l, const char *origin,
                                      struct str *notes, struct err *e);
/* The pictures of class k of a side. */
int64_t class_match_count(const struct class_match *m, int side, int k);
void class_match_release(struct class_match *m);
void scoped_class_match(struct class_match *m);

#endif
