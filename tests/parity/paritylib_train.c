/* paritylib_train.c - kind "train": a few whole optimizer steps, with the student's EMA and (method ct) the teacher
 * that follows by mu. See paritylib.h.
 *
 * Gates: losses and gradient norms of every step by their N; after RAdam every parameter by largest deviation; after
 * Adam the change of all parameters by relative L2. Adam turns the rounding noise of a gradient that is 0 into whole
 * steps, so qkv.bias, whose K third has none, stays out of Adam's sums; its Q and V thirds are compared where they are
 * stored. */
#include "tests/parity/paritylib.h"

#include "model/consistency/schedule.h"
#include "model/graph/optim.h"

enum { MAX_BATCH = 256, MAX_STEPS = 1000 };

#define GATE_MAX_ABS    1.5e-6
#define GATE_ADAM_TOTAL 5e-3

struct train {
	struct fixture *f;
	struct fx_model m;
	struct run_config c;
	struct optim optim;
	float *start, *ema, *teacher, *mean, *square;
	double ema_rate;
	bool ct;
	int batch, steps;
	double most_points; /* the largest N so far: what a step inherits from earlier ones */
};

static double relative(double got, double want)
{
	return fabs(got - want) / fmax(fabs(want), 1e-300);
}

static float *copy_of(const float *v, size_t n)
{
	float *out = xaligned(n * sizeof *out);
	if (v)
		memcpy(out, v, n * sizeof *out);
	return out;
}

static bool read_settings(struct train *t)
{
	struct fixture *f = t->f;
	const json_t *o = json_object_get(f->json, "opt_kwargs"), *betas = json_object_get(o, "betas");
	const char *optimizer = fx_text(f->json, "optimizer", ""), *method = fx_text(f->json, "method", "");
	int64_t batch = fx_integer(f->json, "batch", 0), steps = fx_integer(f->json, "steps", 0);
	t->optim = (struct optim){ .kind = strcmp(optimizer, "adam") == 0 ? OPTIM_ADAM : OPTIM_RADAM,
		                       .lr = fx_number(o, "lr", 1e-3),
		                       .beta1 = betas ? json_number_value(json_array_get(betas, 0)) : 0.9,
		                       .beta2 = betas ? json_number_value(json_array_get(betas, 1)) : 0.999,
		                       .eps = fx_number(o, "eps", 1e-8),
		                       .weight_decay = fx_number(o, "weight_decay", 0) };
	t->ct = strcmp(method, "ct") == 0;
	t->ema_rate = fx_number(f->json, "ema_rate", 0);
	t->batch = (int)batch;
	t->steps = (int)steps;
	t->c = fx_config(f);
	if (t->ct) {
		t->c.loss.kind = LOSS_L2;
		t->c.loss.reduce = REDUCE_MEAN;
	}
	if (strcmp(optimizer, "adam") != 0 && strcmp(optimizer, "radam") != 0)
		fx_fail(f, "optimizer '%s' is not known (adam, radam)", optimizer);
	else if (!t->ct && strcmp(method, "ict") != 0)
		fx_fail(f, "method '%s' is not known (ict, ct)", method);
	else if (batch < 1 || batch > MAX_BATCH || steps < 1 || steps > MAX_STEPS)
		fx_fail(f, "batch %lld or steps %lld out of range", (long long)batch, (long long)steps);
	else if (json_array_size(json_object_get(f->json, "schedule")) != (size_t)steps)
		fx_fail(f, "the schedule does not have %lld rows", (long long)steps);
	else
		return true;
	return false;
}

/* Sigmas and weights as float inputs. */
static bool set_noise(struct train *t, struct fx_step *st, const json_t *row)
{
	int64_t points = fx_integer(row, "N", 0);
	double index[MAX_BATCH];
	if (points < 2 || !fx_numbers(t->f, index, row, "i", (size_t)t->batch))
		return false;
	for (int i = 0; i < t->batch; i++) {
		double sigma = sigma_at(&t->c, points, (int64_t)index[i] + 1), r = sigma_at(&t->c, points, (int64_t)index[i]);
		double w = t->ct ? 1 : (double)(float)loss_weight(&t->c, sigma, r);
		step_set_noise(&st->s, &t->c, i, (double)(float)sigma, (double)(float)r, w);
	}
	t->most_points = fmax(t->most_points, (double)points);
	return true;
}

/* Steps; the deviations of losses and gradient norms. */
static bool run_steps(struct train *t)
{
	struct fixture *f = t->f;
	struct fx_step st;
	struct fx_worst loss = { 0 }, norm = { 0 };
	double losses[MAX_STEPS], norms[MAX_STEPS];
	bool ok = fx_numbers(f, losses, f->json, "losses_f64", (size_t)t->steps) &&
	          fx_numbers(f, norms, f->json, "grad_l2_f64", (size_t)t->steps);
	fx_step_build(&st, f, &t->c, &t->m, t->batch, t->ct ? t->teacher : t->m.w);
	for (int k = 0; ok && k < t->steps; k++) {
		const json_t *row = json_array_get(json_object_get(f->json, "schedule"), (size_t)k);
		SCOPED(free) char *x0 = xstrfmt("x0@%d", k), *z = xstrfmt("z@%d", k), *name = xstrfmt("step %d", k);
		fx_step_images(&st, f, x0, z);
		ok = set_noise(t, &st, row);
		if (!ok)
			break;
		graph_run(st.g);
		SCOPED(free) double *grad = fx_widen(t->m.grad, t->m.floats);
		fx_worst(&loss, name, relative((double)st.s.loss->data[0], losses[k]));
		fx_worst(&norm, name, relative(fx_l2(grad, t->m.floats), norms[k]));
		struct optim_step s = optim_step_at(&t->optim, k + 1);
		optim_apply(&s, t->m.floats, t->m.w, t->m.grad, t->mean, t->square, t->ema, t->ema_rate,
		            t->ct ? t->teacher : NULL, fx_number(row, "mu", 0));
	}
	fx_step_release(&st);
	if (!ok)
		return false;
	double peer_loss = NAN, peer_norm = NAN;
	for (int k = 0; k < t->steps; k++) {
		const json_t *l = json_array_get(json_object_get(f->json, "losses_f32"), (size_t)k),
					 *g = json_array_get(json_object_get(f->json, "grad_l2_f32"), (size_t)k);
		peer_loss = l ? fmax(peer_loss, relative(json_number_value(l), losses[k])) : peer_loss;
		peer_norm = g ? fmax(peer_norm, relative(json_number_value(g), norms[k])) : peer_norm;
	}
	fx_check_worst(f, "loss of each step", &loss, fx_gate_total(t->most_points), peer_loss);
	fx_check_worst(f, "gradient norm of each step", &norm, fx_gate_gradient(t->most_points), peer_norm);
	return true;
}

static bool is_qkv_bias(const char *key)
{
	size_t n = strlen(key);
	return n >= 8 && strcmp(key + n - 8, "qkv.bias") == 0;
}

/* Change of one set of weights against its digests: "param", "ema" or "target" of each row. */
static void compare_digests(struct train *t, const char *what, const float *values)
{
	struct fixture *f = t->f;
	const json_t *rows = json_object_get(f->json, "params"), *row;
	struct fx_worst each = { 0 };
	double error = 0, change = 0, size = 0, peer = NAN;
	bool adam = t->optim.kind == OPTIM_ADAM;
	size_t at;
	if (json_array_size(rows) == 0)
		return fx_fail(f, "no list 'params'");
	json_array_foreach(rows, at, row)
	{
		const char *key = fx_text(row, "key", "");
		const json_t *d = json_object_get(row, what);
		const struct param *q = params_find(t->m.p, key);
		if (!q || !d)
			return fx_fail(f, "%s: parameter '%s' is absent", what, key);
		if (!q->trained || (adam && is_qkv_bias(key)))
			continue;
		SCOPED(free) double *delta = xcalloc(q->count, sizeof *delta);
		for (size_t i = 0; i < q->count; i++)
			delta[i] = (double)values[q->at + i] - (double)t->start[q->at + i];
		double probe = fx_probe(delta, q->count, f->prefix, key) - fx_number(d, "delta_probe", NAN),
			   l2 = fx_number(d, "delta_l2", NAN);
		error += 3 * probe * probe; /* E u^2 = 1/3 */
		change += l2 * l2;
		size += pow(fx_number(d, "l2", NAN), 2);
		fx_worst(&each, key, fabs(probe) / sqrt((double)q->count / 3));
		if (json_object_get(d, "f32_max_abs_dev"))
			peer = fmax(peer, fx_number(d, "f32_max_abs_dev", NAN));
	}
	/* Storing in float costs half a unit in the last place a step; that much no float engine can avoid. */
	double storage = sqrt((double)t->steps * size) * 0x1p-24;
	SCOPED(free)
	char *a = xstrfmt("%s: change of all, rel L2, estimated", what),
		 *b = xstrfmt("%s: deviation of an element, rms by digest", what);
	double gate = GATE_ADAM_TOTAL + 2 * storage / sqrt(change),
		   peer_total = fx_number(f->json, "f32_rel_l2_dev_of_total_delta", NAN);
	if (!(gate >= 1)) /* else the change drowns in its storage, and the check would say nothing */
		fx_check(f, a, sqrt(error / change), gate, strcmp(what, "param") == 0 ? peer_total : NAN);
	if (!adam)
		fx_check_worst(f, b, &each, GATE_MAX_ABS, peer);
}

/* delta_f64/KEY: the change of a parameter in full. */
static void compare_stored(struct train *t)
{
	struct fixture *f = t->f;
	struct fx_worst most = { 0 }, rel = { 0 };
	bool adam = t->optim.kind == OPTIM_ADAM;
	double error = 0, change = 0;
	for (int i = 0; i < params_count(t->m.p); i++) {
		const struct param *q = params_get(t->m.p, i);
		SCOPED(free) char *name = xstrfmt("delta_f64/%s", q->name);
		const struct fx_tensor *want = fx_find(f, name);
		if (!want)
			continue;
		if (want->count != q->count) {
			fx_fail(f, "%s has %zu values, %zu expected", name, want->count, q->count);
			continue;
		}
		for (size_t j = 0; j < q->count; j++) {
			if (adam && is_qkv_bias(q->name) && j % 3 == 1) /* K */
				continue;
			double got = (double)t->m.w[q->at + j] - (double)t->start[q->at + j], e = got - want->v[j];
			fx_worst(&most, q->name, fabs(e));
			error += e * e;
			change += want->v[j] * want->v[j];
		}
	}
	if (!most.name[0])
		return;
	fx_worst(&rel, "all of them", sqrt(error / change));
	if (adam)
		fx_check_worst(f, "param: stored changes, rel L2", &rel, GATE_ADAM_TOTAL, NAN);
	else
		fx_check_worst(f, "param: stored changes, max abs", &most, GATE_MAX_ABS,
		               fx_number(f->json, "f32_max_abs_dev_params", NAN));
}

void family_train(struct fixture *f)
{
	struct train t = { .f = f };
	if (!read_settings(&t) || fx_model(&t.m, f))
		return;
	size_t n = t.m.floats;
	t.start = copy_of(t.m.w, n);
	t.ema = copy_of(t.m.w, n);
	t.teacher = copy_of(t.m.w, n);
	t.mean = copy_of(NULL, n);
	t.square = copy_of(NULL, n);
	if (run_steps(&t)) {
		compare_stored(&t);
		compare_digests(&t, "param", t.m.w);
		compare_digests(&t, "ema", t.ema);
		if (t.ct)
			compare_digests(&t, "target", t.teacher);
	}
	float *all[] = { t.start, t.ema, t.teacher, t.mean, t.square };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		free(all[i]);
	fx_model_release(&t.m);
}
