/* paritylib_loss.c - kinds "loss" (CT and iCT: preconditioned student and teacher, metrics, totals, gradients) and
 * "ect" (the same with continuous noise levels and EDM's preconditioning). See paritylib.h. */
#include "tests/parity/paritylib.h"

#include "model/consistency/schedule.h"

enum { MAX_BATCH = 256 };

struct noise {
	int n;
	double t[MAX_BATCH], r[MAX_BATCH], lambda[MAX_BATCH];
	double points;
}; /* points: N, which the gates go by */

static double relative(double got, double want)
{
	return fabs(got - want) / fmax(fabs(want), 1e-300);
}

static int batch_of(struct fixture *f)
{
	int64_t n = fx_integer(f->json, "batch", 0);
	if (n < 1 || n > MAX_BATCH) {
		fx_fail(f, "batch %lld is not in 1 .. %d", (long long)n, MAX_BATCH);
		return 0;
	}
	return (int)n;
}

/* ---- what both kinds compare ----------------------------------------------------------------- */

static void compare_image(struct fixture *f, const char *what, const struct tensor *t, const char *stored, bool ref,
                          double peer)
{
	size_t n = tensor_count(t);
	const double *want = fx_need(f, stored, n);
	SCOPED(free) double *got = fx_nchw(t, ref);
	SCOPED(free) char *label = xstrfmt("%s%s, rel L2", ref ? "in double: " : "", what);
	if (want)
		fx_check(f, label, fx_rel_l2(got, want, n), ref ? FX_DOUBLE(FX_GATE_OUT) : FX_GATE_OUT, ref ? NAN : peer);
}

static double worst_entry(const json_t *list)
{
	double most = NAN;
	size_t at;
	const json_t *v;
	json_array_foreach(list, at, v) most = fmax(most, json_number_value(v));
	return most;
}

/* One list of per-sample values, relative. */
static void compare_samples(struct fixture *f, const char *what, const double *got, int n, const json_t *object,
                            const char *key, double gate, double peer)
{
	double want[MAX_BATCH];
	struct fx_worst w = { 0 };
	if (!fx_numbers(f, want, object, key, (size_t)n))
		return;
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *name = xstrfmt("sample %d", i);
		fx_worst(&w, name, relative(got[i], want[i]));
	}
	fx_check_worst(f, what, &w, gate, peer);
}

struct outcome {
	const char *what, *before;
	const json_t *row;
	bool ref;
}; /* which metric; gates of the double run */

static void compare_loss(struct fixture *f, const struct fx_step *st, const struct fx_model *m,
                         const struct noise *noise, const struct outcome *o)
{
	SCOPED(free) double *grad = fx_widen(m->grad, m->floats);
	SCOPED(free) char *what = xstrfmt("%s%s", o->ref ? "in double: " : "", o->what);
	SCOPED(free)
	char *ld = xstrfmt("%s d", what), *lp = xstrfmt("%s per sample", what), *lt = xstrfmt("%s total", what);
	SCOPED(free) char *lg = xstrfmt("%s gradient norm", what), *lx = xstrfmt("%s gradient", what);
	double d[MAX_BATCH], per[MAX_BATCH], total = o->ref ? st->s.loss->ref[0] : (double)st->s.loss->data[0],
										 norm = fx_number(o->row, "grad_l2_f64", NAN);
	if (o->ref)
		fx_ref_gradients(grad, st->g);
	for (int i = 0; i < noise->n; i++) {
		d[i] = o->ref ? st->s.d->ref[i] : (double)st->s.d->data[i];
		per[i] = d[i] * (o->ref ? st->s.weight->ref[i] : (double)st->s.weight->data[i]);
	}
	double share = o->ref ? FX_DOUBLE(1) : 1, sample = share * fx_gate_sample(noise->points),
		   gradient = share * fx_gate_gradient(noise->points);
	const json_t *dev = json_object_get(o->row, "d_rel_dev_f32");
	if (!dev)
		dev = json_object_get(o->row, "per_rel_dev");
	if (json_object_get(o->row, "d_f64"))
		compare_samples(f, ld, d, noise->n, o->row, "d_f64", sample, o->ref ? NAN : worst_entry(dev));
	compare_samples(f, lp, per, noise->n, o->row, "per_sample_f64", sample, o->ref ? NAN : worst_entry(dev));
	double want = fx_number(o->row, "total_f64", NAN);
	fx_check(f, lt, relative(total, want), share * fx_gate_total(noise->points),
	         o->ref ? NAN : relative(fx_number(o->row, "total_f32", NAN), want));
	fx_check(f, lg, relative(fx_l2(grad, m->floats), norm), gradient,
	         o->ref ? NAN : relative(fx_number(o->row, "grad_l2_f32", NAN), norm));
	fx_check_gradient(f, lx, m->p, grad,
	                  &(struct fx_gradient){ .list = json_object_get(o->row, "params"),
	                                         .before = o->before,
	                                         .total = norm,
	                                         .gate = gradient,
	                                         .own_gate = NAN,
	                                         .all_gate = gradient,
	                                         .peer = o->ref ? NAN : fx_number(o->row, "grad_rel_l2_dev_f32", NAN) });
}

static bool is_cheap(const struct fixture *f, const struct fx_step *st)
{
	return f->double_too || graph_flops(st->g) < FX_CHEAP_GFLOP * 1e9;
}

/* ---- loss ------------------------------------------------------------------------------------ */

static const struct metric {
	const char *name;
	enum loss_kind kind;
	enum loss_reduce reduce;
	bool weighted;
} metrics[] = {
	{ "ict_ph", LOSS_PSEUDO_HUBER, REDUCE_SUM, true }, { "ict_l2", LOSS_L2, REDUCE_SUM, true },
	{ "ict_l1", LOSS_L1, REDUCE_SUM, true },           { "ct_l2mean", LOSS_L2, REDUCE_MEAN, false },
	{ "ct_l1mean", LOSS_L1, REDUCE_MEAN, false },
};

/* The other metrics of two given images: no network, no gradient. */
static const struct {
	const char *name;
	enum dist_kind kind;
	bool with_c;
} others[] = {
	{ "ph_stable", DIST_HUBER, true },  { "ph_elementwise_mean", DIST_HUBER_PIXEL, true },
	{ "norm", DIST_HUBER, false },      { "l1_mean", DIST_L1_MEAN, false },
	{ "l1_sum", DIST_L1_SUM, false },   { "l2_sum", DIST_L2_SUM, false },
	{ "l2_mean", DIST_L2_MEAN, false },
};

static void compare_other(struct fixture *f, const struct fx_step *st, const struct noise *noise, const char *name,
                          const json_t *row)
{
	size_t k = 0, n = sizeof others / sizeof *others;
	while (k < n && strcmp(others[k].name, name) != 0)
		k++;
	if (k == n)
		return fx_fail(f, "unknown metric '%s'", name);
	const struct tensor *student = st->s.student;
	struct graph *g = fx_graph();
	struct tensor *a = graph_input(g, "a", student->n, student->h, student->w, student->c),
				  *b = graph_input(g, "b", student->n, student->h, student->w, student->c);
	struct tensor *d = graph_distance(g, a, b, others[k].kind,
	                                  others[k].with_c ? fx_number(f->json, "huber_c", NAN) : 0);
	graph_keep(d);
	graph_plan(g);
	memcpy(a->data, student->data, tensor_count(a) * sizeof *a->data);
	memcpy(b->data, st->s.teacher->data, tensor_count(b) * sizeof *b->data);
	graph_run(g);
	double got[MAX_BATCH], f64[MAX_BATCH], f32[MAX_BATCH], peer = NAN;
	for (int i = 0; i < noise->n; i++)
		got[i] = (double)d->data[i];
	if (json_object_get(row, "f32") && fx_numbers(f, f32, row, "f32", (size_t)noise->n) &&
	    fx_numbers(f, f64, row, "f64", (size_t)noise->n))
		for (int i = 0; i < noise->n; i++)
			peer = fmax(peer, relative(f32[i], f64[i]));
	compare_samples(f, name, got, noise->n, row, "f64", fx_gate_sample(noise->points), peer);
	graph_free(g);
}

/* Stored float inputs of the step, against our own grid. */
static bool read_noise(struct noise *noise, struct fixture *f, const struct run_config *c, int n)
{
	const double *t = fx_need(f, "sigma_t", (size_t)n), *r = fx_need(f, "sigma_r", (size_t)n),
				 *l = fx_need(f, "lambda", (size_t)n);
	int64_t points = fx_integer(f->json, "N", 0);
	double index[MAX_BATCH];
	struct fx_worst w = { 0 };
	if (!t || !r || !l || !fx_numbers(f, index, f->json, "indices", (size_t)n))
		return false;
	*noise = (struct noise){ .n = n, .points = (double)points };
	for (int i = 0; i < n; i++) {
		double want_t = sigma_at(c, points, (int64_t)index[i] + 1), want_r = sigma_at(c, points, (int64_t)index[i]);
		noise->t[i] = t[i];
		noise->r[i] = r[i];
		noise->lambda[i] = l[i];
		fx_worst(&w, "sigma_t", relative(t[i], want_t));
		fx_worst(&w, "sigma_r", relative(r[i], want_r));
		fx_worst(&w, "lambda", relative(l[i], loss_weight(c, want_t, want_r)));
	}
	fx_check_worst(f, "sigmas and weights of the grid, stored as float", &w, 6e-8, NAN);
	return true;
}

static void run_metric(struct fixture *f, struct fx_model *m, struct run_config c, const struct noise *noise,
                       const char *name, const json_t *row, bool first)
{
	size_t k = 0, count = sizeof metrics / sizeof *metrics;
	while (k < count && strcmp(metrics[k].name, name) != 0)
		k++;
	if (k == count)
		return fx_fail(f, "unknown metric '%s'", name);
	struct fx_step st;
	c.loss.kind = (int)metrics[k].kind;
	c.loss.reduce = (int)metrics[k].reduce;
	fx_step_build(&st, f, &c, m, noise->n, m->w);
	fx_step_images(&st, f, "x0", "z");
	for (int i = 0; i < noise->n; i++)
		step_set_noise(&st.s, &c, i, noise->t[i], noise->r[i], metrics[k].weighted ? noise->lambda[i] : 1);
	graph_run(st.g);
	SCOPED(free) char *before = xstrfmt("%s/", name);
	struct outcome o = { .what = name, .before = before, .row = row };
	if (first) {
		compare_image(f, "student", st.s.student, "f_student_f64", false,
		              fx_number(json_object_get(f->json, "f_student_dev"), "rel_l2", NAN));
		compare_image(f, "teacher", st.s.teacher, "f_teacher_f64", false,
		              fx_number(json_object_get(f->json, "f_teacher_dev"), "rel_l2", NAN));
	}
	compare_loss(f, &st, m, noise, &o);
	if (first) {
		const char *other;
		const json_t *list;
		json_object_foreach(json_object_get(f->json, "other_metrics"), other, list)
			compare_other(f, &st, noise, other, list);
	}
	if ((first && is_cheap(f, &st)) || f->double_too) {
		fx_step_run_double(&st, &c, noise->t, noise->r);
		o.ref = true;
		compare_image(f, "student", st.s.student, "f_student_f64", true, NAN);
		compare_image(f, "teacher", st.s.teacher, "f_teacher_f64", true, NAN);
		compare_loss(f, &st, m, noise, &o);
	}
	fx_step_release(&st);
}

void family_loss(struct fixture *f)
{
	struct fx_model m;
	struct noise noise;
	struct run_config c = fx_config(f);
	int n = batch_of(f);
	const char *name;
	const json_t *row;
	bool first = true;
	if (n && !fx_model(&m, f)) {
		if (read_noise(&noise, f, &c, n)) {
			json_t *list = json_object_get(f->json, "metrics");
			if (json_object_size(list) == 0)
				fx_fail(f, "no object 'metrics'");
			json_object_foreach(list, name, row)
			{
				run_metric(f, &m, c, &noise, name, row, first);
				first = false;
			}
		}
		fx_model_release(&m);
	}
}

/* ---- ect ------------------------------------------------------------------------------------- */

/* t = exp(P_std n + P_mean), r(t) at the stage; stored as float, which is what the step is given. */
static bool read_ect_noise(struct noise *noise, struct fixture *f, const struct run_config *c, int n)
{
	const double *normal = fx_need(f, "normal", (size_t)n), *t = fx_need(f, "t_f32", (size_t)n),
				 *r = fx_need(f, "r_f32", (size_t)n);
	int64_t stage = fx_integer(f->json, "stage", 0);
	struct fx_worst w = { 0 };
	if (!normal || !t || !r)
		return false;
	/* r = t (1 - 1/Q) is about as close as neighbours of a grid of N points, 5.4 / (N - 1) apart at the top (rho =
	 * 7) */
	*noise = (struct noise){ .n = n, .points = 1 + 5.4 * pow(c->ect.q, (double)stage + 1) };
	for (int i = 0; i < n; i++) {
		double want = exp(c->noise.std * normal[i] + c->noise.mean);
		noise->t[i] = t[i];
		noise->r[i] = r[i];
		noise->lambda[i] = 1 / (t[i] - r[i]);
		fx_worst(&w, "t", relative(t[i], want));
		fx_worst(&w, "r", fabs(r[i] - ect_r(c, t[i], stage)) / t[i]);
	}
	fx_check_worst(f, "t and r(t), stored as float", &w, 1e-6, NAN);
	return true;
}

static struct run_config ect_config(struct fixture *f)
{
	struct run_config c = fx_config(f);
	const char *adj = fx_text(f->json, "adj", "sigmoid");
	c.precond.kind = PRECOND_EDM;
	c.loss.c.value = fx_number(f->json, "c", 0);
	c.ect.q = fx_number(f->json, "q", 2);
	c.ect.k = strcmp(adj, "const") == 0 ? 0 : fx_number(f->json, "k", 8);
	c.ect.b = fx_number(f->json, "b", 1);
	c.ect.stage_steps = 1;
	c.noise.mean = fx_number(f->json, "P_mean", -1.1);
	c.noise.std = fx_number(f->json, "P_std", 2);
	if (strcmp(adj, "const") != 0 && strcmp(adj, "sigmoid") != 0)
		fx_fail(f, "mapping '%s' is neither sigmoid nor const", adj);
	return c;
}

void family_ect(struct fixture *f)
{
	struct run_config c = ect_config(f);
	struct fx_model m;
	struct fx_step st;
	struct noise noise;
	int n = batch_of(f);
	if (!n || fx_model(&m, f))
		return;
	if (read_ect_noise(&noise, f, &c, n)) {
		struct outcome o = { .what = "ect", .before = "", .row = f->json };
		fx_step_build(&st, f, &c, &m, n, m.w);
		fx_step_images(&st, f, "x0", "z");
		for (int i = 0; i < n; i++)
			step_set_noise(&st.s, &c, i, noise.t[i], noise.r[i], noise.lambda[i]);
		graph_run(st.g);
		compare_image(f, "D(t)", st.s.student, "D_t_f64", false, NAN);
		compare_image(f, "D(r)", st.s.teacher, "D_r_f64", false, NAN);
		compare_loss(f, &st, &m, &noise, &o);
		if (is_cheap(f, &st)) {
			o.ref = true;
			fx_step_run_double(&st, &c, noise.t, noise.r);
			for (int i = 0; i < n; i++)
				st.s.weight->ref[i] = noise.lambda[i];
			graph_rerun_ref(st.g);
			compare_image(f, "D(t)", st.s.student, "D_t_f64", true, NAN);
			compare_image(f, "D(r)", st.s.teacher, "D_r_f64", true, NAN);
			compare_loss(f, &st, &m, &noise, &o);
		}
		fx_step_release(&st);
	}
	fx_model_release(&m);
}
