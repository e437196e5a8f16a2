/* fuzz_labels.c - any bytes as EDM's dataset.json: what is accepted has every name once, in order, with a label in
 * range. */
#include "model/data/label_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct label_file f;
	struct err e = ERR_INIT;
	if (label_file_parse(&f, data, size, "fuzz", &e))
		return 0;
	for (size_t i = 0; i < f.n; i++)
		if (label_file_find(&f, f.names[i]) != f.labels[i] || f.labels[i] < 0 || f.labels[i] >= f.classes ||
		    (i && strcmp(f.names[i - 1], f.names[i]) >= 0))
			abort();
	label_file_release(&f);
	return 0;
}
