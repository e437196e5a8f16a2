/* backend.h - where graphs' memory lives and who runs their nodes: a struct of function pointers per kind of device.
 * Devices are opened by name in devices.h.
 *
 *     struct backend *b;
 *     if (backend_open(&b, "cuda:0", DTYPE_FP32, e)) ...         // "cpu", "auto", "cuda", "cuda:N"
 *     struct graph *g = graph_new_on(b);  ...  graph_try_plan(g, e);
 *     graph_write(g, x, 0, values, n);  graph_run(g);  graph_read(g, dst, y, 0, n);
 *     if (backend_check(b, e)) ...                               // waits; what went wrong on the device since the last
 *     check
 *     graph_free(g);  backend_free(b);
 *
 * Calls on one back end are made by one thread and take effect in order. What fails on the device is remembered and
 * reported by backend_check; until then its results mean nothing. */
#ifndef ABLATE_BACKEND_H
#define ABLATE_BACKEND_H

#include "model/base/err.h"
#include "model/graph/step_control.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct node;
struct backend;

/* In what matrix products and convolutions take their operands: the one list of the kinds and of their names in configs
 * and records. X(IDENTIFIER, "name") for each, `between` them. */
#define DTYPES(X, between)    X(FP32, "fp32") between X(TF32, "tf32") between X(BF16, "bf16")
#define DTYPES_COMMA          ,
#define DTYPES_ENUM(id, name) DTYPE_##id
enum dtype_kind { DTYPES(DTYPES_ENUM, DTYPES_COMMA), N_DTYPES };
#define DTYPES_NAME(id, name) name
#define DTYPE_CHOICES         DTYPES(DTYPES_NAME, "|") /* "fp32|tf32|bf16", in the enum's order */
const char *dtype_name(enum dtype_kind dtype);

enum { TEAM_NAME_BYTES = 128, SINGULAR_TEXT = 64 };

/* A batch made on the device: x0 = images chosen and mirrored, as values in [-1,1]; z = normal noise of (seed,
 * RNG_NOISE, step); labels one-hot. All pointers are device memory. */
struct batch_job {
	const struct step_control *control;
	const struct sample_draw *draws; /* (batch) */
	const uint8_t *images;           /* (any, h, w, c) */
	int64_t batch;
	int h, w, c, classes;
	float *x0, *z, *labels; /* (batch, h, w, c) twice, (batch, classes); the latter two may be NULL */
};

/* x / 255; x * (2 / 255) - 1 (pytorch-fid); (x - 128) / 128 (torch-fidelity, clean-fid) */
enum picture_scale { PICTURE_UNIT, PICTURE_SIGNED, PICTURE_BY_128 };
/* Pictures of bytes made into a network's input, as pictures.h makes them on the host, to the bit. All pointers are
 * device memory. */
struct picture_axis {
	const int *from, *n;
	const double *w;
	int most;
}; /* resize.h's, `side` outputs */
struct picture_job {
	const uint8_t *bytes; /* (n, h, w, c), c 1 or 3 */
	int n, h, w, c, side;
	struct picture_axis rows, columns; /* down a column, along a row */
	int clean;                         /* resize_kind is RESIZE_CLEAN */
	enum picture_scale scale;
	void *dst; /* (n, side, side, 3) floats, or bf16 where low */
	int low;
};

/* n vectors centred on their mean and taken into (n_folded, mean, scatter), in double: one fold of
 * metrics/math/moments.h. All pointers are device memory. */
struct fold_job {
	const float *rows; /* (n, d) */
	int64_t n, n_folded;
	int d;
	double *fresh, *mean, *scatter; /* (d) for the rows' mean, (d), (d, d): the upper triangle */
};

/* One optimizer step and the averages that follow it, over n floats of flat stores; ema and teacher may be NULL. What
 * p and teacher become is also written as bf16 to their `low` stores, which may be NULL. Does nothing where the status
 * says that training diverged. All pointers are device memory. */
struct update_job {
	const struct step_control *control;
	const struct step_status *status;
	const float *grad; /* NULL, on the CPU only: zeros */
	float *p, *m, *v, *ema, *teacher;
	void *low, *low_teacher; /* (n) of bf16 */
	size_t n;
};

/* A further average of n parameters after their update, which changes nothing else: as the job of an update has one. */
struct follow_job {
	const struct step_status *status;
	const float *p;
	float *to;
	struct average of;
	size_t n;
};

/* One micro-batch's share of a step's n gradients, or of its loss: sum = part where control->part is 0, else
 * sum + part. All pointers are device memory. */
struct part_job {
	const struct step_control *control;
	const float *part;
	float *sum;
	size_t n;
};

/* What a device is, for people and records. */
struct backend_facts {
	char device[128], driver[64], libraries[256], math[128];
	char kernels[192];      /* hash of the plugin's own sources, its compiler, and for which cards; "" on the CPU */
	char convolutions[128]; /* what computes those planned so far; "" = the back end's only way, or none yet */
	char uuid[48], bus[24]; /* which of several alike: "GPU-8f3c...", "0000:01:00.0", as nvidia-smi has them; "" */
	bool timed;             /* engines are chosen by the clock, so bits depend on what it chose, too */
	uint64_t memory, memory_free; /* bytes; 0 = unknown */
};

/* What a back end can do, in tables by purpose. Those in struct backend_ops itself every back end fills; a pointer to
 * one is NULL where there is nothing to do on a device that the host does not do itself.
 *
 * Memory of the device, and between it and the host's. */
struct backend_memory {
	void *(*alloc)(struct backend *b, size_t bytes, struct err *e); /* zeroed; NULL with e set */
	void (*release)(struct backend *b, void *p);
	void (*upload)(struct backend *b, void *dst, const void *src, size_t bytes);   /* src may be reused at once */
	void (*download)(struct backend *b, void *dst, const void *src, size_t bytes); /* waits */
};

/* The nodes of a graph. */
struct backend_nodes {
	size_t (*prepare)(struct backend *b, struct node *nd); /* makes nd->state; bytes of scratch wanted */
	/* The same bytes without what takes long, such as a library's search for a way: the node cannot run. NULL: prepare
	 * does not take long. */
	size_t (*measure)(struct backend *b, struct node *nd);
	void (*run)(struct backend *b, struct node *nd);
	void (*release)(struct backend *b, struct node *nd);
	void (*set_step)(struct backend *b, const struct step_scalars *s); /* of the nodes that run from here on */
};

/* A training step around its graph: its batch before, and after it the loss, then the updates. */
struct backend_training {
	void (*batch)(struct backend *b, const struct batch_job *job);
	void (*add_part)(struct backend *b, const struct part_job *job);
	void (*settle)(struct backend *b, struct step_status *status,
	               const float *loss); /* the loss is there: before the updates */
	void (*update)(struct backend *b, const struct update_job *job);
	void (*follow)(struct backend *b, const struct follow_job *job); /* after the update of the same parameters */
	void (*round)(struct backend *b, void *low, const float *values,
	              size_t n); /* low = values in bf16; NULL: nothing is stored in bf16 */
};

/* A recorded sequence of calls (no alloc, upload or download in it), run again as one. NULL: nothing is recorded. */
struct backend_programs {
	int (*begin)(struct backend *b, struct err *e);
	int (*end)(struct backend *b, void **program, struct err *e);
	void (*replay)(struct backend *b, void *program);
	void (*free)(struct backend *b, void *program);
};

/* What scores do where features are made: pictures.h, device_moments.h, metrics/math/linalg.h. NULL: the host does
 * it. */
struct backend_scores {
	void (*pictures)(struct backend *b, const struct picture_job *job);
	void (*fold)(struct backend *b, const struct fold_job *job);
	void (*copy)(struct backend *b, void *dst, const void *src, size_t bytes); /* within device memory */
	void (*clear)(struct backend *b, void *dst, size_t bytes);                 /* to zeros */
	/* The singular values, largest first, of a (m, n), column-major, m >= n, all in the host's memory; `by` tells what
	 * computed them. Fails where the library is not there, or fails: nothing else is harmed. */
	int (*singular)(struct backend *b, double *values, char by[SINGULAR_TEXT], const double *a, int m, int n,
	                struct err *e);
};

/* Processes that train together, each on a device of its own (team.h). One makes a name, all join by it; a mean over
 * all is made in place beside what is enqueued next, and is there for what follows `wait`. NULL: the host carries their
 * sums. */
struct backend_team {
	int (*name)(struct backend *b, char name[TEAM_NAME_BYTES], struct err *e);
	int (*join)(struct backend *b, const char name[TEAM_NAME_BYTES], int rank, int size, struct err *e);
	void (*mean)(struct backend *b, float *values, size_t n);
	void (*wait)(struct backend *b);
};

struct backend_ops {
	const char *kind; /* "cpu", "cuda" */
	bool host_memory; /* device memory is host memory: pointers may be followed */
	size_t align;     /* of tensors in planned memory, bytes */
	bool sums;        /* it adds up an image that it writes, rather than read it again: op_row.sums */
	bool strided;     /* it runs ops with .strided on channels of wider tensors */
	bool by_taps;     /* its products read weights as (Cout,kh,kw,Cin): graph_by_taps */
	bool repeats;     /* it takes time for memory and another order: graph_repeat.h, graph_delay.h */
	struct backend_memory memory;
	struct backend_nodes nodes;
	struct backend_training training;
	const struct backend_programs *programs;
	const struct backend_scores *scores;
	const struct backend_team *team;
	void (*wait)(
		struct backend *b); /* for what was enqueued; failures stay for check. NULL where calls wait themselves */
	int (*check)(struct backend *b, struct err *e);
	void (*facts)(struct backend *b, struct backend_facts *out);
	/* The i-th of the convolutions that a library was asked for, and the engine that computes it, as a line; false:
	 * there is none. NULL: no library has a choice. */
	bool (*convolution)(struct backend *b, int i, char *out, size_t bytes);
	void (*close)(struct backend *b);
};

/* A back end begins with this; its own state follows. */
struct backend {
	const struct backend_ops *ops;
	char name[32];
	enum dtype_kind dtype;
};

/* What a plugin exports as `ablate_backend_plugin`. That its structs are laid out as this program's is known before it
 * is opened: its note holds a hash of the headers (model/base/plugin_note.h). */
struct backend_plugin {
	int (*devices)(int *n, struct err *e); /* how many there are; an error says why none can be used */
	int (*open)(struct backend **out, int device, enum dtype_kind dtype, struct err *e);
	/* What replaces the libraries that were looked for and not found, and why; "" = nothing. Opens them. */
	void (*lacks)(char *out, size_t bytes);
	void (*leave)(void); /* gives back what this process holds of the devices that were opened; none is open */
};

void backend_free(struct backend *b); /* accepts NULL and the CPU's */

/* Waits for the device; -1 with the first thing that went wrong since the last check. */
MUST_CHECK int backend_check(struct backend *b, struct err *e);
/* Device memory holding n floats: the host's own where that is the device's, else a copy. Pair with backend_return. */
MUST_CHECK int backend_lend(float **out, struct backend *b, float *host, size_t n, struct err *e);
void backend_return(struct backend *b, float *lent, const float *host);

#endif
