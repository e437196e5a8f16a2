/* paritylib_opt.c - kind "opt": Adam and RAdam on one short vector, parameters after every step. See paritylib.h. */
#include "tests/parity/paritylib.h"

#include "model/graph/optim.h"

static int optim_of(struct optim *o, struct fixture *f, const char *name, const char *cls, const json_t *kwargs)
{
	const json_t *betas = json_object_get(kwargs, "betas");
	*o = (struct optim){ .kind = strcmp(cls, "Adam") == 0 ? OPTIM_ADAM : OPTIM_RADAM,
		                 .lr = fx_number(kwargs, "lr", 1e-3),
		                 .beta1 = betas ? json_number_value(json_array_get(betas, 0)) : 0.9,
		                 .beta2 = betas ? json_number_value(json_array_get(betas, 1)) : 0.999,
		                 .eps = fx_number(kwargs, "eps", 1e-8),
		                 .weight_decay = fx_number(kwargs, "weight_decay", 0) };
	if (strcmp(cls, "Adam") != 0 && strcmp(cls, "RAdam") != 0) {
		fx_fail(f, "%s: optimizer '%s' is not known (Adam, RAdam)", name, cls);
		return -1;
	}
	return 0;
}

static void gradient(float *g, size_t n, const struct fixture *f, int64_t step)
{
	static const float forced[] = { 0, 0, 1e-9f, 1e-9f };
	SCOPED(free) char *name = xstrfmt("%sopt/g%lld", f->prefix, (long long)step);
	for (size_t i = 0; i < n; i++)
		g[i] = i < 4 ? forced[i] : (float)(fx_u(name, i) * pow(10, (double)(-2 * (step % 4))));
}

/* What the JSON says of RAdam's schedule: rho_t of each step, and where it rectifies. */
static void check_rectification(struct fixture *f, const json_t *spec, const char *name, double beta2)
{
	const json_t *rho = json_object_get(spec, "rho_t"), *rectified = json_object_get(spec, "rectified");
	struct fx_worst w = { 0 };
	for (size_t i = 0; i < json_array_size(rho); i++) {
		int64_t t = (int64_t)i + 1;
		double want = json_number_value(json_array_get(rho, i));
		fx_worst(&w, "step", fabs(radam_rho(beta2, t) - want) / fabs(want));
		if (i < json_array_size(rectified) &&
		    json_is_true(json_array_get(rectified, i)) != (radam_rectification(beta2, t) > 0))
			fx_fail(f, "%s: step %lld rectified differently", name, (long long)t);
	}
	SCOPED(free) char *label = xstrfmt("%s: rho_t", name);
	if (w.name[0]) /* 1 - beta2^t loses half the digits at the first steps */
		fx_check(f, label, w.value, 1e-9, NAN);
}

static void run_case(struct fixture *f, const json_t *spec)
{
	const char *name = fx_text(spec, "name", "");
	SCOPED(free) char *key = xstrfmt("%s/f64", name), *label = xstrfmt("%s: parameters, max abs over all steps", name);
	const struct fx_tensor *want = fx_find(f, key);
	struct optim o;
	if (!want || want->n_dims != 2 || want->dims[1] < 1 || want->dims[0] < 1)
		return fx_fail(f, "no tensor %s of (steps, values)", key);
	if (optim_of(&o, f, name, fx_text(spec, "cls", ""), json_object_get(spec, "kwargs")))
		return;
	size_t n = (size_t)want->dims[1];
	SCOPED(free) float *all = xaligned(4 * n * sizeof *all);
	float *p = all, *m = all + n, *v = all + 2 * n, *g = all + 3 * n;
	SCOPED(free) char *start = xstrfmt("%sopt/p", f->prefix);
	struct fx_worst worst = { 0 };
	fx_fill(p, start, n, FX_UNIT, 1);
	for (int64_t k = 0; k < want->dims[0]; k++) {
		struct optim_step s = optim_step_at(&o, k + 1);
		gradient(g, n, f, k);
		optim_apply(&s, n, p, g, m, v, NULL, 0, NULL, 0);
		SCOPED(free) double *now = fx_widen(p, n);
		SCOPED(free) char *step = xstrfmt("step %lld", (long long)k + 1);
		fx_worst(&worst, step, fx_max_abs(now, want->v + (size_t)k * n, n));
	}
	fx_check_worst(f, label, &worst, 1.5e-6, fx_number(json_object_get(spec, "dev"), "max_abs", NAN));
	check_rectification(f, spec, name, o.beta2);
}

void family_opt(struct fixture *f)
{
	const json_t *cases = json_object_get(f->json, "cases"), *spec;
	size_t at;
	if (json_array_size(cases) == 0)
		fx_fail(f, "no list 'cases'");
	json_array_foreach(cases, at, spec) run_case(f, spec);
}
