/* paritylib.h - what the families of `parity` share: one fixture in memory, the tensors that formulas make, comparisons
 * and their report.
 *
 * A fixture is NAME.json (what was run, and digests), NAME.idx (a line per tensor) and NAME.bin (the tensors).
 * Reference values are in double; each deviation is shown beside its gate and, where the fixture stores it, beside the
 * deviation of the peer's own float32. Everything foreign is bounded here; a family that trips over an impossible shape
 * aborts its own process, which the program reports. */
#ifndef ABLATE_PARITYLIB_H
#define ABLATE_PARITYLIB_H

#include "model/base/err.h"
#include "model/base/mem.h"
#include "model/consistency/step.h"
#include "model/nets/net.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FX_MAX_DIMS = 6, FX_NAME = 200 };

struct fx_tensor {
	char name[FX_NAME];
	int n_dims;
	int64_t dims[FX_MAX_DIMS];
	size_t count;
	double *v;
};

struct fixture {
	char *name; /* without extension */
	json_t *json;
	const char *kind, *prefix; /* name_prefix, "" when absent */
	struct fx_tensor *tensors;
	int n_tensors, cap_tensors;
	int checks, failures;
	bool double_too; /* run the double-precision path where it is cheap */
};

/* ---- loading ---- */

MUST_CHECK int fx_load(struct fixture *f, const char *dir, const char *name, struct err *e);
void fx_release(struct fixture *f);
const struct fx_tensor *fx_find(const struct fixture *f, const char *name);
/* The values of a stored tensor of `count` elements, or NULL with the failure reported. */
const double *fx_need(struct fixture *f, const char *name, size_t count);
/* Numbers of an object; the default when absent. */
double fx_number(const json_t *object, const char *key, double otherwise);
int64_t fx_integer(const json_t *object, const char *key, int64_t otherwise); /* clipped to +-2^40 */
const char *fx_text(const json_t *object, const char *key, const char *otherwise);
/* A list of exactly n numbers; false with the failure reported otherwise. */
bool fx_numbers(struct fixture *f, double *out, const json_t *object, const char *key, size_t n);

/* ---- where ---- */

/* From here on fx_graph's nodes run on this device, with every value in host memory still. In the process that uses it:
 * a device does not survive a fork. */
MUST_CHECK int fx_open_device(const char *name, struct err *e);
void fx_close_device(void);
/* A graph for a fixture: on the CPU unless a device was opened. */
struct graph *fx_graph(void);

/* ---- report ---- */

/* Passes iff got <= gate is true. peer: NAN when the fixture does not say. */
void fx_check(struct fixture *f, const char *what, double got, double gate, double peer);
void fx_fail(struct fixture *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void fx_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The largest of many deviations and whose it is; a NaN is larger than everything. */
struct fx_worst {
	double value;
	char name[FX_NAME];
};
void fx_worst(struct fx_worst *w, const char *name, double value);
void fx_check_worst(struct fixture *f, const char *what, const struct fx_worst *w, double gate, double peer);

/* ---- formula tensors ---- */

enum fx_fill { FX_U, FX_UNIT, FX_WEIGHT, FX_BIAS, FX_NORM_WEIGHT, FX_FREQS };
/* n values of formula `name` in its own order; arg: fan_in of a weight, scale of frequencies. */
void fx_fill(float *dst, const char *name, size_t n, enum fx_fill kind, double arg);
/* An image (N,C,H,W) of the fixture into our (N,H,W,C). */
void fx_fill_image(struct tensor *t, const char *name, enum fx_fill kind);
double fx_u(const char *name, uint64_t i);
/* Every parameter of a list, named `before` + its key. */
void fx_fill_params(float *values, const struct params *p, const char *before, double fourier_scale);

/* ---- comparing ---- */

/* Our (N,H,W,C) as (N,C,H,W) in double, from ->data or (ref) ->ref. Heap. */
double *fx_nchw(const struct tensor *t, bool ref);
double fx_rel_l2(const double *got, const double *want, size_t n);
double fx_l2(const double *v, size_t n);
double fx_max_abs(const double *got, const double *want, size_t n);
/* sum of v_i u_i, u from before + "probe/" + key */
double fx_probe(const double *v, size_t n, const char *before, const char *key);
double *fx_widen(const float *v, size_t n);
/* Gradients of STORE_GRAD as the double run left them, at their places in a flat buffer of n values. */
void fx_ref_gradients(double *out, struct graph *g);

/* ---- networks ---- */

/* The network of a fixture's "config", with the defaults of EDM's constructors; -1 with the failure reported. */
MUST_CHECK int fx_net(struct net_spec *out, struct fixture *f);
/* Formula parameters and a zeroed gradient buffer. */
struct fx_model {
	struct net_spec net;
	struct params *p;
	float *w, *grad;
	size_t floats;
};
MUST_CHECK int fx_model(struct fx_model *m, struct fixture *f);
void fx_model_release(struct fx_model *m);
/* One-hot labels (stored, else by rule) into an input of (N,1,1,classes). */
void fx_labels(struct fixture *f, struct tensor *labels);
/* Deviation of all parameter gradients from the digests of `list` and stored tensors before + "grad/" + key:
 * error / total norm of the reference gradient, worst over parameters. Reports under `what`. */
struct fx_gradient {
	const json_t *list;
	const char *digest, *before;
	double total, gate, own_gate, all_gate, peer;
};
void fx_check_gradient(struct fixture *f, const char *what, const struct params *p, const double *grad,
                       const struct fx_gradient *want);

/* ---- one training step ---- */

struct fx_step {
	struct graph *g;
	struct step s;
	struct tensor **masks;
	int n_masks;
	double dropout;
};
/* A config with the fixture's constants (sigma_min, sigma_data, huber_c) and nothing else of its own. */
struct run_config fx_config(const struct fixture *f);
/* Planned and bound: student m->w, gradient m->grad, teacher as given; masks, labels filled. */
void fx_step_build(struct fx_step *out, struct fixture *f, const struct run_config *c, const struct fx_model *m,
                   int batch, float *teacher);
void fx_step_images(struct fx_step *st, const struct fixture *f, const char *x0, const char *z);
/* The same step in double: coefficients of the n samples' noise levels and masks are not rounded to float. */
void fx_step_run_double(struct fx_step *st, const struct run_config *c, const double *t, const double *r);
void fx_step_release(struct fx_step *st);

/* Rows of the gates that grow with N (cancellation between student and teacher). */
double fx_gate_total(double n);
double fx_gate_gradient(double n);
double fx_gate_sample(double n);

/* ---- families ---- */

void family_net(struct fixture *f);
void family_ops(struct fixture *f);
void family_loss(struct fixture *f);
void family_ect(struct fixture *f);
void family_train(struct fixture *f);
void family_opt(struct fixture *f);
void family_tables(struct fixture *f);

enum { FX_CHEAP_GFLOP = 3 }; /* the double path is run below this many GFLOP */
#define FX_GATE_OUT      5e-6
#define FX_GATE_DX       1.5e-5
#define FX_GATE_GRAD     6e-6
#define FX_GATE_GRAD_OWN 6e-5
/* Our specification in double against the peer's double: measured at 1e-14, gated 50 times closer than float, because a
 * fixture does not always say which of its inputs passed through float on their way. */
#define FX_DOUBLE(gate) ((gate) / 50.0)

#endif
