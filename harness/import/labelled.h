/* labelled.h - pictures with class labels, in whatever form: what `ablate data import` reads. Unlike in a source of
 * scores (metrics/sources/sources.h), pictures may differ in size, and one place may hold both splits.
 *
 *   folder, zip,   pictures as metrics/sources/picture_files.h lists them. Folders train/ and test/ (or val/) at the
 *   tar            top, or in the one folder that all lie in, are the splits. Labels: EDM's dataset.json; else the
 *                  folder a picture is in, in order of name; else (`prefix`) its name up to "_"
 *   arrays         a .npz or pickle of guided-diffusion's arr_0 (uint8 N,H,W,C) and arr_1; or `data` (N rows of three
 *                  square planes) and `labels` from 1 as the downsampled ImageNet has them, as .npz or of its Python
 *                  version; a folder of such batches (train_data_batch_1 ..., val_data, with or without .npz) is one
 *                  set
 *   CIFAR-10       the folder of the binary version, or the published cifar-10-binary.tar.gz
 *   IDX            images, with the labels file beside them; or the folder of train-images-idx3-ubyte.gz and the
 *                  like */
#ifndef ABLATE_LABELLED_H
#define ABLATE_LABELLED_H

#include "model/data/dataset.h"
#include "model/data/image_u8.h"

#include <stdbool.h>

/* harness/commands/cmd-data.c offers them by these names, in this order. */
#define LABEL_CHOICES "auto|folder|json|prefix|none"
enum label_rule { LABELS_AUTO, LABELS_FOLDER, LABELS_JSON, LABELS_PREFIX, LABELS_NONE };

struct labelled;
struct labelled_kind {
	const char *name;
	bool (*is)(const char *path);
	int (*open)(struct labelled *l, struct err *e); /* sets n and labels */
	int (*read)(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e);
	bool parallel; /* read may be asked for several pictures at once */
	void (*close)(struct labelled *l);
};
extern const struct labelled_kind labelled_cifar, labelled_batches, labelled_idx, labelled_files; /* labelled_*.c */

struct labelled {
	const struct labelled_kind *kind;
	const char *path; /* borrowed */
	enum data_split split;
	enum label_rule rule;
	int64_t n;
	uint16_t *labels;    /* n; all 0 where the source has none */
	int classes;         /* largest label + 1 */
	struct sha256 stamp; /* over size and time of every file that is read */
	struct str notes;    /* lines worth telling the user: files that are left out and why */
	void *self;
};

/* 0; 1 when there is no such split (*out is NULL); -1. */
MUST_CHECK int labelled_open(struct labelled **out, const char *path, enum data_split split, enum label_rule rule,
                             struct err *e);
/* Ascending order is fast for all kinds. */
MUST_CHECK int labelled_read(struct labelled *l, int64_t i, struct image_u8 *im, struct err *e);
void labelled_free(struct labelled *l); /* NULL is fine */
void scoped_labelled(struct labelled **l);

/* Changes when a file of the source changes. Computed once. */
void labelled_stamp(char hex[SHA256_HEX], struct labelled *l);

/* For the kinds: a file that will be read. */
void labelled_reads(struct labelled *l, const char *path);
/* For the kinds: label i, checked. */
MUST_CHECK int labelled_set(struct labelled *l, int64_t i, int64_t label, struct err *e);

#endif
