/* weights_network.c - see weights_network.h. */
#include "metrics/weights/weights_network.h"
#include "model/config/net_spec.h"

#include "model/base/mem.h"
#include "model/nets/net.h"
#include "model/nets/net_weights.h"

#include <stdlib.h>
#include <string.h>

struct weights_network {
	struct params *params;
	float *values;
	struct safetensors view;
};

static struct params *params_of(const char *preset)
{
	struct run_config c;
	struct err e = ERR_INIT;
	config_defaults(&c);
	if (config_preset(&c, preset, &e) || config_finish(&c, &e))
		BUG("preset %s: %s", preset, e.msg);
	struct net_spec net = net_spec_of(&c);
	return net_params(&net);
}

void weights_network_list(struct weights_list *out, const struct weights_row *row)
{
	struct params *params = params_of(row->preset);
	for (int i = 0; i < params_count(params); i++) {
		const struct param *p = params_get(params, i);
		struct weights_tensor t = { .n_dims = p->ndim };
		(void)snprintf(t.name, sizeof t.name, "%s", p->name);
		for (int k = 0; k < p->ndim; k++)
			t.dims[k] = p->dims[k];
		VEC_PUSH(out->v, out->n, out->cap) = t;
	}
	params_free(params);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct st_tensor *)a)->name, ((const struct st_tensor *)b)->name);
}

int weights_network_map(struct weights_network **out, const char *preset, const struct safetensors *from, struct err *e)
{
	struct weights_network *m = xcalloc(1, sizeof *m);
	m->params = params_of(preset);
	m->values = xaligned(params_floats(m->params) * sizeof *m->values);
	params_init(m->params, m->values, 0);
	if (net_weights_read(m->values, m->params, from, NULL, e)) {
		weights_network_free(m);
		return -1;
	}
	size_t n = (size_t)params_count(m->params);
	m->view =
		(struct safetensors){ .path = from->path, .tensors = xcalloc(n, sizeof *m->view.tensors), .n_tensors = n };
	for (size_t i = 0; i < n; i++) {
		const struct param *p = params_get(m->params, (int)i);
		struct st_tensor *t = &m->view.tensors[i];
		*t = (struct st_tensor){ .name = p->name, .dtype = ST_F32, .n_dims = p->ndim, .data = m->values + p->at };
		for (int k = 0; k < p->ndim; k++)
			t->dims[k] = p->dims[k];
	}
	qsort(m->view.tensors, n, sizeof *m->view.tensors, by_name);
	*out = m;
	return 0;
}

const struct safetensors *weights_network_view(const struct weights_network *m)
{
	return &m->view;
}

void weights_network_free(struct weights_network *m)
{
	if (!m)
		return;
	free(m->view.tensors);
	free(m->values);
	params_free(m->params);
	free(m);
}
