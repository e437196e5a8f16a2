/* dataset_set.h - imported data sets: decoded once into CACHE/sets/SHA256.safetensors (tensors "images", uint8 N,H,W,C,
 * and "labels") and mapped from there from then on. CACHE/data/NAME/train.set says in one line which set a name means;
 * names may share one.
 *
 * A set is written image by image into CACHE/sets/part-KEY and gets its name when it is complete. An import that was
 * interrupted continues after the last image that is known to be on the disk, if the KEY (of source and settings) is
 * the same. */
#ifndef ABLATE_DATASET_SET_H
#define ABLATE_DATASET_SET_H

#include "model/data/dataset.h"

/* What the line of a name says. */
struct set_ref {
	char sha256[SHA256_HEX];
	int64_t n;
	int h, w, c, classes;
};

/* False if nothing was imported under that name, or its set is gone. */
bool set_ref_read(struct set_ref *out, const char *name, enum data_split split);
MUST_CHECK int set_ref_write(const struct set_ref *ref, const char *name, enum data_split split, struct err *e);
char *set_path(const char *sha256); /* heap text */

/* Maps it. Its content must have the hash that names it, which costs reading it once: that a file was found right is
 * remembered (model/base/identity.h) until the file changes. `check`: reads it even so. */
MUST_CHECK int set_open(struct dataset *out, const struct set_ref *ref, bool check, struct err *e);
/* Only compares the content with the name, as set_open; hex is the name. */
MUST_CHECK int set_sha256(char hex[SHA256_HEX], const struct set_ref *ref, struct err *e);

struct set_writer;
/* n, h, w, c and classes of *ref are given; labels[n] are below classes. *done = images that an earlier import left. */
MUST_CHECK int set_writer_open(struct set_writer **out, const struct set_ref *ref, const uint16_t *labels,
                               const char *key, int64_t *done, struct err *e);
MUST_CHECK int set_writer_add(struct set_writer *w, const uint8_t *image, struct err *e);
/* All n images are in: names the set by its content, which *ref receives. */
MUST_CHECK int set_writer_commit(struct set_writer *w, struct set_ref *ref, struct err *e);
void set_writer_free(struct set_writer *w); /* what was written is kept for the next attempt; NULL is fine */

#endif
