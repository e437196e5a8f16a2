/* pth.h - the tensors of a PyTorch checkpoint, in both serialisations of torch.save: the zip archive (torch >= 1.6) and
 * the older sequence of pickles followed by raw storages. The pickle is read by model/formats/pickle.h, so nothing in
 * the file is ever executed.
 *
 * What counts as weights: a dict of name -> tensor, or a dict with such a dict under "state_dict", "model",
 * "params", "ema" or "net"; entries that are not tensors are skipped. Tensors are made contiguous in C order. */
#ifndef ABLATE_PTH_H
#define ABLATE_PTH_H

#include "model/formats/safetensors.h"

struct pth {
	struct st_tensor *tensors; /* in the order of the file, names unique */
	size_t n_tensors;
	struct arena *own;
};

MUST_CHECK int pth_open(struct pth **out, const char *path, struct err *e);
/* The same of n bytes in memory; they may be released afterwards. */
MUST_CHECK int pth_parse(struct pth **out, const void *bytes, size_t n, const char *path, struct err *e);
void pth_free(struct pth *pth); /* NULL is fine */

#endif
