/* net_weights.h - the weights of a whole network from a file, whoever wrote it (net_names.h): the start of training
 * (net.init) and the teacher of distillation (cd.teacher). */
#ifndef ABLATE_NET_WEIGHTS_H
#define ABLATE_NET_WEIGHTS_H

#include "model/nets/net_names.h"
#include "model/formats/safetensors.h"

/* Fills values (params_floats) with every tensor of p. A common prefix of all names ("model.", "ema.", "module.") is
 * found automatically; where a file holds several copies, the averaged one is taken. Buffers that are never trained
 * keep what values holds if the file lacks them; other content of the file is ignored. A tensor that is absent, of
 * another shape or not finite is an error, and so is a file in none of the namings. *naming (may be NULL) says which it
 * was. */
MUST_CHECK int net_weights_read(float *values, const struct params *p, const struct safetensors *st,
                                enum net_naming *naming, struct err *e);
/* The same of a file, or of weights in the user's cache by their bare name (weights_file_path). */
MUST_CHECK int net_weights_load(float *values, const struct params *p, const char *setting, struct err *e);
/* Names and shapes alone: would net_weights_load find every tensor? */
MUST_CHECK int net_weights_check(const struct params *p, const char *setting, struct err *e);

#endif
