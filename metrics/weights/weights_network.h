/* weights_network.h - rows of the weights table that are whole diffusion networks: their tensors are those of a
 * preset's network, and an import converts them from any of the namings of model/nets/net_names.h into ours. */
#ifndef ABLATE_WEIGHTS_NETWORK_H
#define ABLATE_WEIGHTS_NETWORK_H

#include "metrics/weights/weights.h"

/* As weights_row.list, of the network of row->preset. */
void weights_network_list(struct weights_list *out, const struct weights_row *row);

/* The same weights in our names, in separate memory. */
struct weights_network;
MUST_CHECK int weights_network_map(struct weights_network **out, const char *preset, const struct safetensors *from,
                                   struct err *e);
const struct safetensors *weights_network_view(const struct weights_network *m);
void weights_network_free(struct weights_network *m); /* NULL is fine */

#endif
