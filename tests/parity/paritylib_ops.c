/* paritylib_ops.c - kind "ops": single ops and single residual blocks, in float and by their specifications in double.
 * Inputs are formula tensors PREFIX + op + "/" + name; what is stored is the answer and the gradients of sum(answer *
 * r). See paritylib.h. */
#include "tests/parity/paritylib.h"

struct op_test {
	struct fixture *f;
	const json_t *spec;
	const char *op;
	struct graph *g;
	struct tensor *y;
};

static char *input_name(const struct op_test *t, const char *name)
{
	return xstrfmt("%s%s/%s", t->f->prefix, t->op, name);
}

static int size_of(const struct op_test *t, const char *key, int otherwise)
{
	int64_t v = fx_integer(t->spec, key, otherwise);
	return v >= 0 && v <= 4096 ? (int)v : 0;
}

static bool flag(const json_t *object, const char *key, bool otherwise)
{
	const json_t *v = json_object_get(object, key);
	return v ? json_is_true(v) || json_integer_value(v) != 0 : otherwise;
}

/* An input that may be differentiated; its name gives its gradient's: "x" -> "dx". */
static struct tensor *in(struct op_test *t, const char *name, int n, int h, int w, int c)
{
	if (n < 1 || h < 1 || w < 1 || c < 1) {
		fx_fail(t->f, "%s: a size is missing or not in 1 .. 4096", t->op);
		return NULL;
	}
	struct tensor *x = graph_input(t->g, name, n, h, w, c);
	x->needs_grad = true;
	return x;
}

/* Records the gradient of sum(y * r) and plans; false when there is no y. */
static bool finish(struct op_test *t, struct tensor *y, bool gradient)
{
	if (!y)
		return false;
	t->y = y;
	graph_keep(y);
	struct tensor *r = NULL;
	if (gradient) {
		r = graph_input(t->g, "r", y->n, y->h, y->w, y->c);
		y->grad = r;
		graph_backward(t->g, y);
	}
	graph_plan(t->g);
	SCOPED(free) char *name = input_name(t, "r");
	if (r)
		fx_fill_image(r, name, FX_UNIT);
	return true;
}

/* One stored tensor: float and double runs side by side. `transposed`: ours is (N,H,W,C) of the fixture's (N,C,H,W). */
static void compare(struct op_test *t, const char *what, const struct tensor *got, bool transposed, double gate)
{
	SCOPED(free)
	char *name = xstrfmt("%s/%s", t->op, what), *label = xstrfmt("%s, rel L2", name),
		 *label2 = xstrfmt("%s in double, rel L2", name);
	size_t n = got ? tensor_count(got) : 0;
	const double *want = got ? fx_need(t->f, name, n) : NULL;
	if (!got)
		fx_fail(t->f, "%s: not made", name);
	if (!want)
		return;
	struct tensor flat = *got;
	if (!transposed)
		flat = (struct tensor){ .n = 1, .h = 1, .w = 1, .c = (int64_t)n, .data = got->data, .ref = got->ref };
	SCOPED(free) double *a = fx_nchw(&flat, false), *b = fx_nchw(&flat, true);
	fx_check(t->f, label, fx_rel_l2(a, want, n), gate, NAN);
	fx_check(t->f, label2, fx_rel_l2(b, want, n), FX_DOUBLE(gate), NAN);
}

static void fill(const struct op_test *t, struct tensor *x, const char *name, enum fx_fill kind, double arg)
{
	SCOPED(free) char *full = input_name(t, name);
	fx_fill(x->data, full, tensor_count(x), kind, arg);
}

static void fill_image(const struct op_test *t, struct tensor *x, const char *name)
{
	SCOPED(free) char *full = input_name(t, name);
	fx_fill_image(x, full, FX_UNIT);
}

/* In float, after the formula's own rounding. */
static void scale_input(const struct op_test *t, struct tensor *x, double otherwise)
{
	float scale = (float)fx_number(t->spec, "scale", otherwise);
	for (size_t i = 0; i < tensor_count(x); i++)
		x->data[i] *= scale;
}

static void run_both(const struct op_test *t)
{
	graph_run(t->g);
	graph_run_ref(t->g);
}

static int taps_of(struct op_test *t, const json_t *filter)
{
	size_t n = json_array_size(filter);
	if (!filter)
		return 2;
	bool flat = n == 2 && json_number_value(json_array_get(filter, 0)) == json_number_value(json_array_get(filter, 1));
	bool binomial = n == 4 &&
	                json_number_value(json_array_get(filter, 1)) == 3 * json_number_value(json_array_get(filter, 0)) &&
	                json_number_value(json_array_get(filter, 2)) == 3 * json_number_value(json_array_get(filter, 0)) &&
	                json_number_value(json_array_get(filter, 3)) == json_number_value(json_array_get(filter, 0));
	if (!flat && !binomial)
		fx_fail(t->f, "%s: a filter that is neither [1,1] nor [1,3,3,1]", t->op);
	return flat ? 2 : binomial ? 4 : 0;
}

/* ---- ops ------------------------------------------------------------------------------------- */

/* EDM's Conv2d: a resampling, then the convolution; fused: the filter takes over part of the padding. */
static struct tensor *record_conv(struct op_test *t, struct tensor *x, struct tensor *w, struct tensor *b, int k,
                                  int taps)
{
	bool up = flag(t->spec, "up", false), down = flag(t->spec, "down", false);
	bool fused = (flag(t->spec, "fused", false) || flag(t->spec, "fused_resample", false)) && w;
	int filter_pad = (taps - 1) / 2, pad = k / 2;
	if (fused && up) {
		x = graph_resample(t->g, x, true, taps, filter_pad > pad ? filter_pad - pad : 0);
		pad = pad > filter_pad ? pad - filter_pad : 0;
		return graph_conv2d(t->g, x, w, b, 1, pad, pad, false);
	}
	if (fused && down) /* taps that sum to 1 over no border: a bias before the filter is a bias after it */
		return graph_resample(t->g, graph_conv2d(t->g, x, w, b, 1, pad + filter_pad, pad + filter_pad, false), false,
		                      taps, 0);
	if (up || down)
		x = graph_resample(t->g, x, up, taps, -1);
	return w ? graph_conv2d(t->g, x, w, b, 1, pad, pad, false) : x;
}

static void test_conv(struct op_test *t)
{
	int cin = size_of(t, "cin", 0), cout = size_of(t, "cout", cin), k = size_of(t, "k", 3), h = size_of(t, "H", 0);
	int taps = taps_of(t, json_object_get(t->spec, json_object_get(t->spec, "filt") ? "filt" : "resample_filter"));
	struct tensor *x = in(t, "x", size_of(t, "B", 1), h, size_of(t, "W", h), cin), *w = NULL, *b = NULL;
	if (!x || !taps)
		return;
	if (k) {
		w = in(t, "weight", cout, cin, k, k);
		b = flag(t->spec, "bias", true) ? in(t, "bias", 1, 1, 1, cout) : NULL;
	}
	if ((k && !w) || !finish(t, record_conv(t, x, w, b, k, taps), true))
		return;
	fill_image(t, x, "x");
	if (w)
		fill(t, w, "weight", FX_WEIGHT, (double)cin * k * k);
	if (b)
		fill(t, b, "bias", FX_BIAS, 1);
	run_both(t);
	compare(t, "y", t->y, true, FX_GATE_OUT);
	compare(t, "dx", x->grad, true, FX_GATE_DX);
	if (w)
		compare(t, "dweight", w->grad, false, FX_GATE_DX);
	if (b)
		compare(t, "dbias", b->grad, false, FX_GATE_DX);
}

static void test_groupnorm(struct op_test *t)
{
	int c = size_of(t, "C", 0), h = size_of(t, "H", 0), groups = c / 4 < 32 ? c / 4 : 32;
	groups = size_of(t, "num_groups", groups);
	struct tensor *x = in(t, "x", size_of(t, "B", 1), h, size_of(t, "W", h), c);
	if (!x || groups < 1 || c % groups)
		return fx_fail(t->f, "%s: %d channels in %d groups", t->op, c, groups);
	struct tensor *w = in(t, "weight", 1, 1, 1, c), *b = in(t, "bias", 1, 1, 1, c);
	if (!finish(t,
	            graph_groupnorm(t->g, x, w, b, NULL,
	                            (struct norm_args){ .groups = groups, .eps = fx_number(t->spec, "eps", 1e-5) }),
	            true))
		return;
	SCOPED(free) char *name = input_name(t, "x");
	fx_fill_image(x, name, FX_UNIT);
	scale_input(t, x, 1);
	fill(t, w, "weight", FX_NORM_WEIGHT, 1);
	fill(t, b, "bias", FX_BIAS, 1);
	run_both(t);
	compare(t, "y", t->y, true, FX_GATE_OUT);
	compare(t, "dx", x->grad, true, FX_GATE_DX);
	compare(t, "dweight", w->grad, false, FX_GATE_DX);
	compare(t, "dbias", b->grad, false, FX_GATE_DX);
}

static void test_silu(struct op_test *t)
{
	struct tensor *x = in(t, "x", 1, 1, 1, size_of(t, "n", 0));
	if (!x || !finish(t, graph_silu(t->g, x), true))
		return;
	fill(t, x, "x", FX_UNIT, 1);
	scale_input(t, x, 4); /* the fixtures' inputs of silu reach +-4 sqrt(3), which their JSON does not say */
	run_both(t);
	compare(t, "y", t->y, false, FX_GATE_OUT);
	compare(t, "dx", x->grad, false, FX_GATE_DX);
}

static void test_attention(struct op_test *t)
{
	int heads = size_of(t, "heads", 1), c = size_of(t, "C", 0), pixels = size_of(t, "HW", 0);
	struct tensor *qkv = in(t, "qkv", size_of(t, "B", 1), 1, pixels, 3 * c);
	if (!qkv || heads < 1 || c % heads)
		return fx_fail(t->f, "%s: %d channels, %d heads", t->op, c, heads);
	struct tensor *y = graph_attention(t->g, qkv, heads), *weights = y->maker->dst[1];
	graph_keep(weights);
	if (!finish(t, y, true))
		return;
	fill_image(t, qkv, "qkv");
	run_both(t);
	compare(t, "y", t->y, true, FX_GATE_OUT);
	compare(t, "dqkv", qkv->grad, true, FX_GATE_DX);
	compare(t, "attn_w", weights, false, FX_GATE_OUT);
}

static void test_embedding(struct op_test *t)
{
	const json_t *times = json_object_get(t->spec, "t");
	int n = (int)json_array_size(times), c = size_of(t, "C", 0);
	bool fourier = strcmp(fx_text(t->spec, "kind", ""), "fourier") == 0, flip = flag(t->spec, "flip", false);
	struct tensor *x = in(t, "t", n, 1, 1, 1), *freqs = fourier ? in(t, "freqs", 1, 1, 1, c / 2) : NULL;
	if (!x || (fourier && !freqs) || c < 2 || c % 2)
		return fx_fail(t->f, "%s: %d channels", t->op, c);
	struct embed_args how = { .endpoint = flag(t->spec, "endpoint", false), .sin_first = flip };
	if (!finish(t, graph_embed(t->g, x, freqs, c, how), false))
		return;
	for (int i = 0; i < n; i++)
		x->data[i] = (float)json_number_value(json_array_get(times, (size_t)i));
	if (freqs)
		fill(t, freqs, "freqs", FX_FREQS, fx_number(t->spec, "scale", 16));
	run_both(t);
	compare(t, "y", t->y, false, FX_GATE_OUT);
}

/* ---- a residual block ------------------------------------------------------------------------ */

/* An argument of EDM's UNetBlock: from "args", else from "styl" (what one network's blocks share). */
static const json_t *argument(const struct op_test *t, const char *key)
{
	const json_t *v = json_object_get(json_object_get(t->spec, "args"), key);
	return v ? v : json_object_get(json_object_get(t->spec, "styl"), key);
}

static double arg_number(const struct op_test *t, const char *key, double otherwise)
{
	const json_t *v = argument(t, key);
	return json_is_number(v) ? json_number_value(v) : otherwise;
}

static bool arg_flag(const struct op_test *t, const char *key, bool otherwise)
{
	const json_t *v = argument(t, key);
	return v ? json_is_true(v) : otherwise;
}

static int arg_size(const struct op_test *t, const char *key, int otherwise)
{
	double v = arg_number(t, key, otherwise);
	return v >= 0 && v <= 4096 ? (int)v : 0;
}

static struct block_spec block_of(struct op_test *t)
{
	int h = size_of(t, "H", 0), out = arg_size(t, "out_channels", 0), per_head = arg_size(t, "channels_per_head", 64);
	int heads = arg_size(t, "num_heads", per_head ? out / per_head : 0);
	struct block_spec s = { .in_c = arg_size(t, "in_channels", 0),
		                    .out_c = out,
		                    .emb_c = arg_size(t, "emb_channels", 0),
		                    .h = h,
		                    .w = size_of(t, "W", h),
		                    .heads = arg_flag(t, "attention", false) ? heads : 0 };
	s.how = arg_flag(t, "up", false) ? UP : arg_flag(t, "down", false) ? DOWN : SAME;
	s.style = (struct block_style){ .skip_scale = arg_number(t, "skip_scale", 1),
		                            .eps = arg_number(t, "eps", 1e-5),
		                            .taps = taps_of(t, argument(t, "resample_filter")),
		                            .resample_proj = arg_flag(t, "resample_proj", false),
		                            .adaptive = arg_flag(t, "adaptive_scale", true) };
	return s;
}

/* "params": per key the size and probe of its gradient. */
static void compare_block_gradients(struct op_test *t, const struct params *p, const double *grad, bool ref)
{
	const json_t *rows = json_object_get(t->spec, "params"), *row;
	const char *key;
	struct fx_worst w = { 0 };
	double total = 0;
	if (json_object_size(rows) != (size_t)params_count(p))
		fx_fail(t->f, "%s: %d parameters here, %zu in the fixture", t->op, params_count(p), json_object_size(rows));
	json_object_foreach((json_t *)(uintptr_t)rows, key, row) total += pow(fx_number(row, "l2", NAN), 2);
	total = sqrt(total);
	json_object_foreach((json_t *)(uintptr_t)rows, key, row)
	{
		const struct param *q = params_find(p, key);
		if (!q) {
			fx_fail(t->f, "%s: the block has no parameter %s", t->op, key);
			continue;
		}
		SCOPED(free) char *before = xstrfmt("%s%s/", t->f->prefix, t->op);
		fx_worst(&w, key, fabs(fx_l2(grad + q->at, q->count) - fx_number(row, "l2", NAN)) / total);
		fx_worst(&w, key, fabs(fx_probe(grad + q->at, q->count, before, key) - fx_number(row, "probe", NAN)) / total);
	}
	SCOPED(free) char *label = xstrfmt("%s/gradients%s: digest error / total", t->op, ref ? " in double" : "");
	fx_check_worst(t->f, label, &w, ref ? FX_DOUBLE(FX_GATE_GRAD) : FX_GATE_GRAD, NAN);
}

static void test_block(struct op_test *t)
{
	struct block_spec s = block_of(t);
	struct tensor *x = in(t, "x", size_of(t, "B", 1), s.h, s.w, s.in_c);
	struct tensor *emb = x ? in(t, "emb", (int)x->n, 1, 1, s.emb_c) : NULL;
	if (!emb || !s.style.taps)
		return;
	struct params *p = block_params(&s);
	size_t floats = params_floats(p);
	SCOPED(free) float *w = xaligned(floats * sizeof *w), *g = xaligned(floats * sizeof *g);
	SCOPED(free) char *before = input_name(t, "");
	fx_fill_params(w, p, before, 1);
	if (finish(t, block_forward(t->g, &s, p, STORE_STUDENT, x, emb), true)) {
		graph_bind(t->g, STORE_STUDENT, w);
		graph_bind(t->g, STORE_GRAD, g);
		fill_image(t, x, "x");
		fill(t, emb, "emb", FX_UNIT, 1);
		run_both(t);
		compare(t, "y", t->y, true, FX_GATE_OUT);
		compare(t, "dx", x->grad, true, FX_GATE_DX);
		compare(t, "demb", emb->grad, false, FX_GATE_DX);
		SCOPED(free) double *grad = fx_widen(g, floats);
		compare_block_gradients(t, p, grad, false);
		fx_ref_gradients(grad, t->g);
		compare_block_gradients(t, p, grad, true);
	}
	params_free(p);
}

static const struct {
	const char *kind;
	void (*run)(struct op_test *t);
} kinds[] = {
	{ "conv", test_conv },           { "groupnorm", test_groupnorm },  { "silu", test_silu },
	{ "attention", test_attention }, { "positional", test_embedding }, { "fourier", test_embedding },
	{ "block", test_block },
};

void family_ops(struct fixture *f)
{
	const json_t *list = json_object_get(f->json, "ops"), *spec;
	size_t at;
	if (json_array_size(list) == 0)
		fx_fail(f, "no list 'ops'");
	json_array_foreach(list, at, spec)
	{
		struct op_test t = { .f = f, .spec = spec, .op = fx_text(spec, "op", ""), .g = fx_graph() };
		void (*run)(struct op_test *) = NULL;
		for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
			if (strcmp(kinds[i].kind, fx_text(spec, "kind", "")) == 0)
				run = kinds[i].run;
		if (run)
			run(&t);
		else
			fx_fail(f, "%s: unknown kind of op '%s'", t.op, fx_text(spec, "kind", ""));
		graph_free(t.g);
	}
}
