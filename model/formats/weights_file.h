/* weights_file.h - a file of weights as one view of named tensors, whichever container it is in: safetensors, or a
 * PyTorch checkpoint in either of its forms (plain tensors only; nothing in it is ever executed,
 * model/formats/pth.h). */
#ifndef ABLATE_WEIGHTS_FILE_H
#define ABLATE_WEIGHTS_FILE_H

#include "model/formats/safetensors.h"

struct weights_file {
	const struct safetensors *st; /* tensors in order of name */
	struct weights_file_own *own;
};

MUST_CHECK int weights_file_open(struct weights_file **out, const char *path, struct err *e);
void weights_file_free(struct weights_file *w); /* NULL is fine; pointers from it die here */
void scoped_weights_file(struct weights_file **w);

/* Where a setting such as net.init = "edm-cifar10-uncond-vp" finds its file: text with a slash or a dot is a path, a
 * bare name is weights of that name in the user's cache, where `ablate weights import` puts them. Heap text; "" gives
 * "". */
char *weights_file_path(const char *setting);

#endif
