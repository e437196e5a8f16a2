/* params.h - the named parameters of a network: one flat float buffer, and for each tensor its name, shape, place and
 * initialisation. A network's builder adds them in state-dict order; the same list then serves initialisation, the
 * optimizer (one sweep over the flat buffer), checkpoints and parity. */
#ifndef ABLATE_PARAMS_H
#define ABLATE_PARAMS_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum init_kind {
	INIT_ZERO,
	INIT_ONE,
	INIT_XAVIER,      /* U(-1,1) sqrt(6 / (fan_in + fan_out)) * scale */
	INIT_TORCH,       /* U(-1,1) / sqrt(fan_in) * scale, also for its bias */
	INIT_NORMAL,      /* N(0,1) * scale */
	INIT_NOISE_FREQS, /* N(0,1) * scale, a buffer: never trained */
};

struct param {
	const char *name; /* the field's state-dict key, without "model." */
	int ndim;
	int64_t dims[4];  /* as in the state dict: (out,in,kh,kw), (out,in) or (c) */
	size_t at, count; /* place in the flat buffer */
	enum init_kind init;
	double scale;
	int64_t fan_in, fan_out;
	int trained; /* 0: a buffer such as map_noise.freqs: its gradient is never computed */
};

struct params;
struct params *params_new(void);
void params_free(struct params *p);
/* Adds a parameter; returns its index. dims beyond ndim are ignored; the name is copied. */
int params_add(struct params *p, const char *name, int ndim, const int64_t *dims, enum init_kind init, double scale,
               int64_t fan_in, int64_t fan_out);
int params_count(const struct params *p);
const struct param *params_get(const struct params *p, int i);
const struct param *params_find(const struct params *p, const char *name); /* NULL when absent */
size_t params_floats(const struct params *p);   /* length of the flat buffer, trained and not */
int64_t params_trained(const struct params *p); /* the number papers call "parameters" */
/* Fills values (params_floats) by the init rules from (seed, RNG_INIT); parameter i draws from a stream of its own. */
void params_init(const struct params *p, float *values, uint64_t seed);

#endif
