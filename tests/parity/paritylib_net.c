/* paritylib_net.c - kind "net": a network's answer, and the gradients of sum(answer * r) with respect to image and
 * parameters. See paritylib.h. */
#include "tests/parity/paritylib.h"

struct run {
	struct graph *g;
	struct tensor *x, *r, *y;
	struct net_inputs in;
};

static int64_t batch_of(struct fixture *f)
{
	int64_t n = fx_integer(f->json, "batch", 0);
	if (n < 1 || n > 256 || (size_t)n != json_array_size(json_object_get(f->json, "sigmas"))) {
		fx_fail(f, "batch %lld does not fit the list of sigmas", (long long)n);
		return 0;
	}
	return n;
}

static void fill_noise(struct fixture *f, struct tensor *c_noise)
{
	size_t n = tensor_count(c_noise);
	const double *stored = fx_need(f, "c_noise", n);
	struct fx_worst w = { 0 };
	for (size_t i = 0; i < n; i++) {
		double sigma = json_number_value(json_array_get(json_object_get(f->json, "sigmas"), i)),
			   ours = 0.25 * log(sigma);
		c_noise->data[i] = stored ? (float)stored[i] : (float)ours;
		fx_worst(&w, "sample", fabs((double)c_noise->data[i] - ours) / fmax(1, fabs(ours)));
	}
	fx_check_worst(f, "c_noise against 0.25 ln(sigma)", &w, 1e-7, NAN);
}

/* Names, shapes and values of all parameters are those of the peer. */
static void check_parameters(struct fixture *f, const struct fx_model *m)
{
	const json_t *rows = json_object_get(f->json, "params"), *row;
	struct fx_worst w = { 0 };
	size_t at;
	if (json_array_size(rows) != (size_t)params_count(m->p) ||
	    fx_integer(f->json, "n_params", -1) != params_trained(m->p))
		fx_fail(f, "%d tensors with %lld trained values; the fixture has %zu with %lld", params_count(m->p),
		        (long long)params_trained(m->p), json_array_size(rows), (long long)fx_integer(f->json, "n_params", -1));
	json_array_foreach(rows, at, row)
	{
		const char *key = fx_text(row, "key", "");
		const struct param *q = params_find(m->p, key);
		const json_t *shape = json_object_get(row, "shape"), *first = json_object_get(row, "first4"),
					 *digest = json_object_get(row, "w");
		bool same = q && json_array_size(shape) == (size_t)q->ndim;
		for (size_t i = 0; same && i < (size_t)q->ndim; i++)
			same = json_integer_value(json_array_get(shape, i)) == q->dims[i];
		if (!same) {
			fx_fail(f, "parameter '%s' is absent or of another shape here", key);
			continue;
		}
		for (size_t i = 0; i < json_array_size(first) && i < q->count; i++)
			fx_worst(&w, key, fabs((double)m->w[q->at + i] - json_number_value(json_array_get(first, i))));
		if (!digest)
			continue;
		SCOPED(free) double *v = fx_widen(m->w + q->at, q->count);
		double l2 = fx_number(digest, "l2", NAN);
		fx_worst(&w, key, fabs(fx_l2(v, q->count) - l2) / l2);
		fx_worst(&w, key, fabs(fx_probe(v, q->count, f->prefix, key) - fx_number(digest, "probe", NAN)) / l2);
	}
	fx_check_worst(f, "formula weights against their digests", &w, 1e-12, NAN);
}

static struct run build(struct fixture *f, const struct fx_model *m, int64_t n)
{
	const struct net_spec *s = &m->net;
	struct graph *g = fx_graph();
	struct run b = { .g = g,
		             .x = graph_input(g, "x", n, s->h, s->w, s->in_c),
		             .r = graph_input(g, "r", n, s->h, s->w, s->out_c) };
	b.in = (struct net_inputs){ .x = b.x, .c_noise = graph_input(g, "c_noise", n, 1, 1, 1) };
	if (s->classes)
		b.in.labels = graph_input(g, "labels", n, 1, 1, s->classes);
	if (s->augment)
		b.in.augment = graph_input(g, "augment", n, 1, 1, s->augment);
	b.x->needs_grad = true;
	b.y = net_forward(g, s, m->p, STORE_STUDENT, &b.in);
	b.y->grad = b.r;
	graph_keep(b.y);
	graph_backward(g, b.y);
	graph_plan(g);
	graph_bind(g, STORE_STUDENT, m->w);
	graph_bind(g, STORE_GRAD, m->grad);
	SCOPED(free)
	char *x = xstrfmt("%sx", f->prefix), *r = xstrfmt("%sr", f->prefix), *a = xstrfmt("%saugment_labels", f->prefix);
	fx_fill_image(b.x, x, FX_UNIT);
	fx_fill_image(b.r, r, FX_UNIT);
	fill_noise(f, b.in.c_noise);
	if (b.in.labels)
		fx_labels(f, b.in.labels);
	if (b.in.augment)
		fx_fill(b.in.augment->data, a, tensor_count(b.in.augment), FX_UNIT, 1);
	return b;
}

static double peer_of(const json_t *rows, const char *key)
{
	double most = NAN;
	size_t at;
	const json_t *row;
	json_array_foreach(rows, at, row) most = fmax(most, fx_number(json_object_get(row, "dev"), key, NAN));
	return most;
}

static void compare(struct fixture *f, const struct run *b, const struct params *p, const double *grad, bool ref)
{
	size_t n_out = tensor_count(b->y), n_in = tensor_count(b->x);
	const double *out = fx_need(f, "out_f64", n_out), *dx = fx_need(f, "dx_f64", n_in);
	SCOPED(free) double *y = fx_nchw(b->y, ref), *d = fx_nchw(b->x->grad, ref);
	const json_t *rows = json_object_get(f->json, "params");
	if (!out || !dx)
		return;
	double total = fx_number(f->json, "total_grad_l2_f64", NAN);
	struct fx_gradient want = { .list = rows,
		                        .digest = "grad_f64",
		                        .before = "",
		                        .total = total,
		                        .gate = ref ? FX_DOUBLE(FX_GATE_GRAD) : FX_GATE_GRAD,
		                        .own_gate = ref ? FX_DOUBLE(FX_GATE_GRAD_OWN) : FX_GATE_GRAD_OWN,
		                        .all_gate = ref ? FX_DOUBLE(FX_GATE_DX) : FX_GATE_DX,
		                        .peer = NAN };
	fx_check(f, ref ? "in double: out, rel L2" : "out, rel L2", fx_rel_l2(y, out, n_out),
	         ref ? FX_DOUBLE(FX_GATE_OUT) : FX_GATE_OUT,
	         ref ? NAN : fx_number(json_object_get(f->json, "out_dev"), "rel_l2", NAN));
	fx_check(f, ref ? "in double: dx, rel L2" : "dx, rel L2", fx_rel_l2(d, dx, n_in),
	         ref ? FX_DOUBLE(FX_GATE_DX) : FX_GATE_DX,
	         ref ? NAN : fx_number(json_object_get(f->json, "dx_dev"), "rel_l2", NAN));
	fx_check_gradient(f, ref ? "in double: gradients" : "gradients", p, grad, &want);
	if (!ref)
		fx_note("peer's gradients: worst error / total %.1e, worst own rel L2 %.1e", peer_of(rows, "l2_err_over_total"),
		        peer_of(rows, "rel_l2"));
}

void family_net(struct fixture *f)
{
	struct fx_model m;
	int64_t n = batch_of(f);
	if (n && !fx_model(&m, f)) {
		check_parameters(f, &m);
		struct run b = build(f, &m, n);
		graph_run(b.g);
		SCOPED(free) double *grad = fx_widen(m.grad, m.floats);
		compare(f, &b, m.p, grad, false);
		if (f->double_too || graph_flops(b.g) < FX_CHEAP_GFLOP * 1e9) {
			graph_run_ref(b.g);
			fx_ref_gradients(grad, b.g);
			compare(f, &b, m.p, grad, true);
		}
		graph_free(b.g);
	}
	if (n)
		fx_model_release(&m);
}
