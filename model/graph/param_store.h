/* param_store.h - flat buffers of parameters between host memory, where each lies as the state dict has it, and a back
 * end's, where convolution weights lie as its products read them: (Cout,kh,kw,Cin) where ops->by_taps, and the order
 * that the graph is told of by graph_by_taps. Everything that goes over a buffer element by element (optimizer,
 * averages, sums over processes) works in either order.
 *
 * Where a back end computes in bf16, a store may have its rounded values beside it, so that products need not round
 * them at each use: the update writes both (update_job.low), and whoever writes the store otherwise rounds it anew. */
#ifndef ABLATE_PARAM_STORE_H
#define ABLATE_PARAM_STORE_H

#include "model/graph/backend.h"
#include "model/graph/params.h"

/* A whole buffer (params_floats values); the bytes between parameters are left as they are. */
void params_upload(struct backend *b, const struct params *p, float *on, const float *host);
void params_download(struct backend *b, const struct params *p, float *host, const float *on);
/* As backend_lend, in the order of the products; pair with backend_return. */
MUST_CHECK int params_lend(float **out, struct backend *b, const struct params *p, float *host, struct err *e);

/* Memory for a store's rounded values, the back end's, to be released by the caller; NULL where it computes in another
 * type. */
MUST_CHECK int params_low_alloc(void **out, struct backend *b, const struct params *p, struct err *e);
/* How many bytes that is. */
size_t params_low_bytes(const struct backend *b, const struct params *p);
/* low = the store's values, rounded; nothing where low is NULL. */
void params_round(struct backend *b, const struct params *p, void *low, const float *on);

#endif
