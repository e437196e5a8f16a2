/* extractor.h - what turns pictures into feature vectors: a network behind one struct of function pointers.
 *
 * A metric never knows which network it is fed by; the names here go into the protocol string of every number, and
 * two numbers with different strings are never compared. One row per extractor in extractor.c. A feature depends on
 * its picture alone, not on the batch it is in. */
#ifndef ABLATE_EXTRACTOR_H
#define ABLATE_EXTRACTOR_H

#include "metrics/math/moments.h"
#include "model/base/err.h"
#include "model/base/io.h"
#include "model/data/image_u8.h"

#include <stdbool.h>

struct extractor {
	const char *name;                /* "inception-2015" */
	const char *resize;              /* named pre-processing: "torch-bilinear", "tf-bilinear", "clean", "none" */
	const char *numerics;            /* dtype_name: "fp32", "bf16" */
	char weights_sha256[SHA256_HEX]; /* of the weights, "" when they have no file */
	bool published;                  /* those that papers use; others appear in the protocol string */
	int dim;                         /* floats per picture; never 0 */
	int logits_dim;                  /* class scores without the last layer's bias (Inception Score); 0 = has none */
	int spatial_dim;                 /* flattened spatial features of sFID; 0 = has none */
	int batch;                       /* preferred pictures per call; any n from 1 to batch works */
	/* features[n*dim], logits[n*logits_dim] or NULL, spatial[n*spatial_dim] or NULL, of n pictures; each picture may be
	 * grey (c = 1) or RGB. */
	int (*features)(struct extractor *x, float *features, float *logits, float *spatial, const struct image_u8 *images,
	                int n, struct err *e);
	struct backend *device; /* the back end that it runs on, open as long as it is; NULL = the host */
	/* Where the network counts the moments of its features itself (on a device), else NULL: count starts again, counted
	 * initialises m with the moments of all pictures since. Once counting, features() may be given NULL for the
	 * features: then none of them leave the device. */
	int (*count)(struct extractor *x, struct err *e);
	int (*counted)(struct extractor *x, struct moments *m, struct err *e);
	/* After the last picture of a set, or NULL: an error is one of the features, whatever they looked like. */
	int (*finish)(struct extractor *x, struct err *e);
	void (*free)(struct extractor *x); /* releases everything, x included */
	void *self;
};

struct extractor_options {
	const char *weights; /* file; NULL = where `ablate weights` keeps it */
	const char *resize;  /* NULL = the extractor's default */
	const char *data;    /* the data set whose classifier is meant; NULL, or one without = CLASSIFIER_DATA */
	int h, w, c;         /* of the pictures; 0 = not known (what counts every pixel needs it) */
	bool mixed_sizes;    /* they differ in size: refused by what counts every pixel */
	const char *device;  /* as in model/cpu/devices.h; NULL = "cpu". Inception and the classifier run there, in fp32 */
	bool bf16;
	int batch; /* 0 = the extractor's default */
	/* Told in a line what is being waited for (a command's start); NULL = nobody. Outlives the extractor. */
	void (*say)(const void *ctx, const char *line);
	const void *say_ctx;
};

struct extractor_row {
	const char *name, *text;
	int (*open)(struct extractor **out, const struct extractor_options *o, struct err *e);
};
extern const struct extractor_row extractor_rows[]; /* ends with a row without a name */

/* One of the table, or "command:PROGRAM ARGS" (extractor_command.h). Unknown names are a usage error that lists
 * the known. */
MUST_CHECK int extractor_open(struct extractor **out, const char *name, const struct extractor_options *o,
                              struct err *e);
void extractor_free(struct extractor *x); /* accepts NULL */
/* The extractor of pictures of that data set where none is named: the set's own, or the pixels if there is no network
 * for it. */
const char *extractor_default(const char *data);
void scoped_extractor(struct extractor **x);

#endif
