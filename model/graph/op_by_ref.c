/* op_by_ref.c - an op's specification, in double, run on the floats of its tensors. See op.h. */
#include "model/base/mem.h"
#include "model/graph/op.h"

#include <stdlib.h>

static double *opened(const struct tensor *t)
{
	double *values = xcalloc(tensor_count(t), sizeof *values);
	for (size_t i = 0; i < tensor_count(t); i++)
		values[i] = (double)t->data[i];
	return values;
}

void op_cpu_by_ref(struct node *nd)
{
	double *kept[MAX_SRC + MAX_DST] = { NULL };
	struct tensor *all[MAX_SRC + MAX_DST];
	int n = 0;
	for (int i = 0; i < nd->n_src; i++)
		all[n++] = nd->src[i];
	for (int i = 0; i < nd->n_dst; i++)
		all[n++] = nd->dst[i];
	for (int i = 0; i < n; i++) { /* a tensor that is two sources is opened twice, and closed as often */
		if (!all[i])
			continue;
		kept[i] = all[i]->ref;
		all[i]->ref = opened(all[i]);
	}
	op_row(nd->op)->ref(nd);
	for (int i = 0; i < nd->n_dst; i++)
		for (size_t j = 0; j < tensor_count(nd->dst[i]); j++)
			nd->dst[i]->data[j] = (float)nd->dst[i]->ref[j];
	for (int i = n - 1; i >= 0; i--) {
		if (!all[i])
			continue;
		free(all[i]->ref);
		all[i]->ref = kept[i];
	}
}
