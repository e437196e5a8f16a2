/* convs_of_step.h - the convolutions of a training step, for those who ask what a card has for them. */
#ifndef CONVS_OF_STEP_H
#define CONVS_OF_STEP_H

#include "model/cpu/dnn.h"

struct step_conv {
	struct dnn_shape shape;
	enum dnn_pass pass;
	bool low, bias, relu, exact; /* low: in bf16 */
};

/* Those of a preset's step in bf16, each once, as its graph says; single pixels, which are matrix products, are left
 * out. Returns how many there are, of which `most` are written; -1: no such preset. */
int convs_of_step(struct step_conv *out, int most, const char *preset, int batch);

#endif
