/* weights.h - the public weights that scores and LPIPS need: what they are, where they come from, and the user's
 * copies.
 *
 * Nothing is downloaded unless weights_fetch() is called. An import reads the published file (PyTorch checkpoint or
 * safetensors), checks its SHA-256 and the names and shapes of all tensors, and stores those as float32 safetensors
 * in the cache folder (io_cache_dir()/weights/NAME.safetensors) with the source's hash in the metadata. Beside it,
 * NAME.imported says in one line which source gave which content.
 *
 * What a copy says of itself is not believed: at each open its content (names, shapes and values of all tensors, and
 * the metadata that a network reads) is compared with the hash in the program's table, or, where the table has none,
 * with NAME.imported. Hashing 100 MB takes 0.1 s and is remembered until the file changes (model/base/identity.h). */
#ifndef ABLATE_WEIGHTS_H
#define ABLATE_WEIGHTS_H

#include "model/formats/weights_file.h"

struct weights_row;

/* A tensor that a file of the row has. */
struct weights_tensor {
	char name[96];
	int n_dims;
	int64_t dims[ST_MAX_DIMS]; /* -1 matches any extent */
	bool optional;             /* a file may lack it */
};
struct weights_list {
	struct weights_tensor *v;
	int n, cap;
};

struct weights_row {
	const char *name, *text;
	const char *url;     /* of the published file; NULL = there is none that we can read */
	const char *sha256;  /* of that file; NULL = unknown */
	const char *content; /* weights_content() of an import of that file; NULL = only known to who imported it */
	int64_t bytes;       /* of that file; 0 = unknown */
	const char *licence;
	void (*list)(struct weights_list *out, const struct weights_row *row); /* appends all tensors */
	int net; /* for `list`: enum inception_kind, enum lpips_net or enum vit_family */
	const char *
		/* a diffusion network of that preset's shape, imported from any naming (weights_network.h); else NULL */
		preset;
};
extern const struct weights_row weights_rows[]; /* ends with a row without a name */

/* The tensors of a row, in the order of its network. */
struct weights_list weights_list(const struct weights_row *row);
void scoped_weights_list(struct weights_list *l);

/* Unknown names are a usage error that lists the known ones. */
MUST_CHECK int weights_row_find(const struct weights_row **out, const char *name, struct err *e);
char *weights_path(const struct weights_row *row); /* heap: where its copy is, or would be */
bool weights_here(const struct weights_row *row);

/* Open weights: `st` to read from, and the SHA-256 that names them in protocols (of the published file). */
struct weights {
	const struct safetensors *st;
	char sha256[SHA256_HEX];
	bool published; /* is that the hash of the table? */
	struct weights_file *file;
	struct weights_network *network; /* of an import of one */
};
/* Of `file` (PyTorch checkpoint or safetensors), or of the cache when file is NULL: absent, the error says how to get
 * them; other than they were imported, it is EXIT_RECORD and says how to get them again. Names and shapes are
 * checked. */
MUST_CHECK int weights_open(struct weights **out, const char *name, const char *file, struct err *e);
/* What an open file means to a network, as SHA-256: "NAME DTYPE DIMS" lines in order of name, the metadata bn_eps and
 * input_range, and the SHA-256 of the payload. */
void weights_content(char hex[SHA256_HEX], const struct safetensors *st);
void weights_free(struct weights *w); /* NULL is fine */
void scoped_weights(struct weights **w);

/* Stores `file` in the cache. A file whose hash is not the published one is refused unless `other` says that this is
 * intended. sha256 receives the file's hash. */
MUST_CHECK int weights_import(const struct weights_row *row, const char *file, bool other, char sha256[SHA256_HEX],
                              struct err *e);
/* Downloads (the curl program, https only) and imports. */
MUST_CHECK int weights_fetch(const struct weights_row *row, bool quiet, struct err *e);
/* Reads the cached copy as weights_open does, but all of it, whatever is remembered of it; *official says whether its
 * source is the published file. */
MUST_CHECK int weights_check(const struct weights_row *row, bool *official, char sha256[SHA256_HEX], struct err *e);

#endif
