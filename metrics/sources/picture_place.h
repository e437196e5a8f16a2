/* picture_place.h - what the four kinds of places of pictures (picture_files.h) have in common: what each of them
 * does, and the rule that says which of its files are pictures. */
#ifndef ABLATE_PICTURE_PLACE_H
#define ABLATE_PICTURE_PLACE_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PICTURE_LABELS     "dataset.json"    /* the one other file that can be asked for */
#define PICTURE_LABELS_MAX ((size_t)1 << 30) /* its bytes */
enum { PICTURE_DEPTH = 16 };

struct picture_files;
/* One kind of place: picture_folder.c, picture_zip.c, picture_tar.c, picture_lmdb.c. */
struct picture_place {
	const char *text;                                    /* "a folder of pictures" */
	const char *between;                                 /* the place's path and a file's name: "/" or ":" */
	int (*list)(struct picture_files *p, struct err *e); /* each file through picture_judge */
	int (*read)(struct picture_files *p, int64_t at, int64_t size, const char *file, struct str *out, size_t max,
	            const char *name, struct err *e); /* several threads may ask at once; `name` is for messages */
	void (*close)(struct picture_files *p);
};

struct picture_file {
	char *name;       /* below the place */
	int64_t at, size; /* the place's own: where it is */
};

struct picture_files {
	const struct picture_place *place;
	char *path;
	struct picture_file *v; /* the pictures, in order */
	int64_t n, cap;
	struct str notes;            /* lines worth telling the user */
	struct picture_file *labels; /* the files named PICTURE_LABELS */
	int64_t n_labels, cap_labels;
	int64_t n_left_out;
	char *left_out; /* the first by name */
	char *packed;   /* of those the first that is an archive or a file of arrays itself; NULL: none */
	void *self;
};

/* Appends a name with its control characters spelled: a message or note is one line. */
void picture_spell(struct str *out, const char *name);
/* Heap text for messages, on one line whatever the name: "samples/00017.png", "samples.zip:00017.png". */
char *picture_item(const struct picture_files *p, const char *name);
/* PICTURE_HIDDEN: nothing is to be done with the name; PICTURE_LOOK: the first bytes decide. */
enum picture_verdict { PICTURE_HIDDEN, PICTURE_YES, PICTURE_LOOK };
/* What a name below the place says; -1: an error (too deep). */
MUST_CHECK int picture_judge(const struct picture_files *p, const char *name, struct err *e);
/* The same by the first n bytes, up to IMAGE_HEAD: true in *yes for a picture; what is none is counted as left out. */
MUST_CHECK int picture_look(struct picture_files *p, bool *yes, const char *name, const uint8_t *head, size_t n,
                            struct err *e);
void picture_add(struct picture_files *p, const char *name, int64_t at, int64_t size);
/* Is this the name of a file of labels? Then it is remembered by picture_add_labels. */
bool picture_is_labels(const char *name);
void picture_add_labels(struct picture_files *p, const char *name, int64_t at, int64_t size);

extern const struct picture_place picture_folder, picture_zip, picture_tar, picture_lmdb;
bool picture_zip_is(const char *path), picture_tar_is(const char *path);

#endif
