/* paritylib_tables.c - kind "tables": the schedules in double, and the known answers of the formula's hash. Columns of
 * other people's variants (diffusers' preconditioning, float32 grids) are not ours and are left alone. See
 * paritylib.h. */
#include "tests/parity/paritylib.h"

#include "tests/common/formula.h"
#include "model/consistency/schedule.h"
#include "model/config/expr.h"

#define CLOSE       1e-12 /* relative, in double */
#define DIFFERENCES 1e-9  /* 1 / (s_{i+1} - s_i) and erf differences lose digits with N */

static double relative(double got, double want)
{
	return fabs(got - want) / fmax(fabs(want), 1e-300);
}

static struct run_config config_of(const json_t *row, enum disc_kind kind)
{
	struct run_config c;
	config_defaults(&c);
	c.disc.kind = kind;
	c.disc.s0 = (int)fx_integer(row, "s0", 10);
	c.disc.s1 = (int)fx_integer(row, "s1", 1280);
	c.train.steps = (int)fx_integer(row, "K", 1);
	c.teacher.ema = (struct knob_number){ .named = true };
	c.teacher.mu0 = fx_number(row, "mu0", 0.9);
	c.sigma.min = fx_number(row, "sigma_min", 0.002);
	c.sigma.max = fx_number(row, "sigma_max", 80);
	c.sigma.rho = fx_number(row, "rho", 7);
	c.sigma.data = fx_number(row, "sigma_data", 0.5);
	c.noise.dist = NOISE_LOGNORMAL;
	c.noise.mean = fx_number(row, "Pmean", -1.1);
	c.noise.std = fx_number(row, "Pstd", 2);
	c.weight.kind = WEIGHT_INVERSE_GAP;
	c.precond.time_scale = 0.25;
	if (c.train.steps < 1)
		c.train.steps = 1;
	return c;
}

static double at(const json_t *list, size_t i)
{
	const json_t *v = json_array_get(list, i);
	return json_is_number(v) ? json_number_value(v) : NAN;
}

static void check_ict_n(struct fixture *f, const json_t *tables)
{
	const json_t *table, *row;
	size_t i, j;
	struct fx_worst w = { 0 };
	json_array_foreach(tables, i, table)
	{
		struct run_config c = config_of(table, DISC_EXP);
		json_array_foreach(json_object_get(table, "rows"), j, row)
			fx_worst(&w, "step", fabs((double)schedule_n(&c, (int64_t)at(row, 0)) - at(row, 1)));
	}
	if (tables)
		fx_check_worst(f, "iCT N(k)", &w, 0, NAN);
}

static void check_ct_n_mu(struct fixture *f, const json_t *tables)
{
	const json_t *table, *row;
	size_t i, j;
	struct fx_worst n = { 0 }, mu = { 0 }, paper = { 0 }, first = { 0 };
	json_array_foreach(tables, i, table)
	{
		struct run_config c = config_of(table, DISC_SQRT);
		json_array_foreach(json_object_get(table, "rows"), j, row)
		{
			int64_t k = (int64_t)at(row, 0);
			fx_worst(&n, "step", fabs((double)schedule_n(&c, k) - at(row, 1)));
			c.teacher.mu_exponent = MU_N_MINUS_1;
			fx_worst(&mu, "step", relative(schedule_mu(&c, k), at(row, 2)));
			c.teacher.mu_exponent = MU_N;
			fx_worst(&paper, "step", relative(schedule_mu(&c, k), at(row, 3)));
		}
		const json_t *firsts = json_object_get(table, "first_k_of_each_N");
		for (size_t k = 0; k < json_array_size(firsts); k++) { /* a short run may leap over some N */
			int64_t step = (int64_t)at(firsts, k), before = k ? schedule_n(&c, (int64_t)at(firsts, k - 1)) : -1;
			bool begins = k ? schedule_n(&c, step - 1) == before && schedule_n(&c, step) > before : step == 0;
			fx_worst(&first, "step", begins ? 0 : 1);
		}
	}
	if (!tables)
		return;
	fx_check_worst(f, "CT N(k)", &n, 0, NAN);
	fx_check_worst(f, "CT mu(k), exponent over N - 1", &mu, CLOSE, NAN);
	fx_check_worst(f, "CT mu(k), exponent over N", &paper, CLOSE, NAN);
	if (first.name[0])
		fx_check_worst(f, "CT first step of each N", &first, 0, NAN);
}

struct series {
	struct fx_worst sigma, p, lambda, cdf;
};

static void compare_series(struct fx_worst *w, const double *got, size_t n, const json_t *list,
                           const struct fx_tensor *t)
{
	if ((list && json_array_size(list) != n) || (t && t->count != n))
		fx_worst(w, "another length", NAN);
	for (size_t i = 0; i < n; i++) {
		if (list)
			fx_worst(w, "grid", relative(got[i], at(list, i)));
		if (t && t->count == n)
			fx_worst(w, "grid", relative(got[i], t->v[i]));
	}
}

static void one_grid(struct fixture *f, struct series *s, const json_t *grid)
{
	struct run_config c = config_of(grid, DISC_EXP);
	int64_t n = fx_integer(grid, "N", 0);
	if (n < 2 || n > 100000)
		return fx_fail(f, "a grid of %lld points", (long long)n);
	size_t m = (size_t)n - 1;
	SCOPED(free) double *sigma = xcalloc(m + 1, sizeof *sigma), *cdf = xcalloc(m, sizeof *cdf);
	SCOPED(free) double *p = xcalloc(m, sizeof *p), *lambda = xcalloc(m, sizeof *lambda);
	SCOPED(free)
	char *ns = xstrfmt("sigma_N%lld", (long long)n), *np = xstrfmt("p_N%lld", (long long)n),
		 *nl = xstrfmt("lambda_N%lld", (long long)n);
	index_cdf(cdf, &c, n);
	for (size_t i = 0; i <= m; i++)
		sigma[i] = sigma_at(&c, n, (int64_t)i);
	double mean = 0;
	size_t most = 0, least = 0;
	for (size_t i = 0; i < m; i++) {
		p[i] = cdf[i] - (i ? cdf[i - 1] : 0);
		lambda[i] = loss_weight(&c, sigma[i + 1], sigma[i]);
		mean += p[i] * lambda[i];
		most = p[i] > p[most] ? i : most;
		least = p[i] < p[least] ? i : least;
	}
	compare_series(&s->sigma, sigma, m + 1, json_object_get(grid, "sigma"), fx_find(f, ns));
	compare_series(&s->p, p, m, json_object_get(grid, "p"), fx_find(f, np));
	compare_series(&s->lambda, lambda, m, json_object_get(grid, "lam"), fx_find(f, nl));
	compare_series(&s->cdf, cdf, m, json_object_get(grid, "cdf"), NULL);
	fx_worst(&s->p, "largest", relative(p[most], fx_number(grid, "p_max", p[most])));
	fx_worst(&s->p, "smallest", relative(p[least], fx_number(grid, "p_min", p[least])));
	fx_worst(&s->p, "place of the largest",
	         fabs((double)((int64_t)most - fx_integer(grid, "argmax_p", (int64_t)most))));
	fx_worst(&s->lambda, "mean", relative(mean, fx_number(grid, "E_lambda", mean)));
}

static void check_grids(struct fixture *f, const json_t *grids)
{
	struct series s = { .sigma = { 0 } };
	const json_t *grid;
	size_t i;
	json_array_foreach(grids, i, grid) one_grid(f, &s, grid);
	if (!grids)
		return;
	fx_check_worst(f, "grid sigma_i", &s.sigma, CLOSE, NAN);
	fx_check_worst(f, "index distribution p(i)", &s.p, DIFFERENCES, NAN);
	fx_check_worst(f, "weights 1 / (sigma_{i+1} - sigma_i)", &s.lambda, DIFFERENCES, NAN);
	if (s.cdf.name[0])
		fx_check_worst(f, "index distribution, summed", &s.cdf, CLOSE, NAN);
}

static void one_value(struct fx_worst *w, const json_t *row, const char *key, double got)
{
	const json_t *v = json_object_get(row, key);
	if (v) /* values near 0 are differences of values near 1 */
		fx_worst(w, key, fabs(got - json_number_value(v)) / fmax(fabs(json_number_value(v)), 1e-3));
}

static void check_preconditioning(struct fixture *f, const json_t *rows)
{
	struct run_config c = config_of(NULL, DISC_EXP), eval = c;
	const json_t *row;
	size_t i;
	struct fx_worst w = { 0 };
	eval.sigma.min = 0.003;
	json_array_foreach(rows, i, row)
	{
		double sigma = fx_number(row, "sigma", NAN);
		struct precond cm = precond_at(&c, PRECOND_CM, sigma), dif = precond_at(&c, PRECOND_DIFFUSERS, sigma),
					   edm = precond_at(&c, PRECOND_EDM, sigma), ect = precond_at(&eval, PRECOND_CM, sigma);
		one_value(&w, row, "c_skip", cm.c_skip);
		one_value(&w, row, "c_out", cm.c_out);
		one_value(&w, row, "c_in", cm.c_in);
		one_value(&w, row, "c_noise", cm.c_noise);
		one_value(&w, row, "edm_c_skip", edm.c_skip);
		one_value(&w, row, "edm_c_out", edm.c_out);
		one_value(&w, row, "ect_eval_c_skip", ect.c_skip);
		one_value(&w, row, "ect_eval_c_out", ect.c_out);
		one_value(&w, row, "diffusers_c_skip", dif.c_skip);
		one_value(&w, row, "diffusers_c_out", dif.c_out);
		one_value(&w, row, "diffusers_c_in", dif.c_in);
	}
	if (rows)
		fx_check_worst(f, "preconditioning of CM, EDM, ECT and diffusers", &w, CLOSE, NAN);
}

static void check_multistep(struct fixture *f, const json_t *rows)
{
	struct run_config c = config_of(NULL, DISC_EXP);
	const json_t *row;
	size_t i;
	struct fx_worst w = { 0 }, noise = { 0 };
	json_array_foreach(rows, i, row)
	{
		int64_t n = fx_integer(row, "steps", 2);
		const json_t *ts = json_object_get(row, "ts"), *sigmas = json_object_get(row, "sigmas"),
					 *std = json_object_get(row, "renoise_std");
		for (size_t j = 0; j < json_array_size(ts); j++) { /* counted from sigma_max */
			double s = sigma_at(&c, n, n - 1 - (int64_t)at(ts, j)), v = s * s - c.sigma.min * c.sigma.min;
			fx_worst(&w, "step", relative(s, at(sigmas, j)));
			if (std) /* sqrt of a difference: 1e-10 is what remains of 0 */
				fx_worst(&noise, "step", fabs(sqrt(v > 0 ? v : 0) - at(std, j)));
		}
	}
	if (!rows)
		return;
	fx_check_worst(f, "multistep sigmas", &w, CLOSE, NAN);
	if (noise.name[0])
		fx_check_worst(f, "multistep noise, absolute", &noise, 1e-8, NAN);
}

static void check_ect(struct fixture *f, const json_t *tables)
{
	const json_t *table, *row;
	size_t i, j;
	struct fx_worst w = { 0 }, constant = { 0 }, weight = { 0 };
	json_array_foreach(tables, i, table)
	{
		struct run_config c = config_of(NULL, DISC_EXP);
		c.ect.q = fx_number(table, "q", 2);
		c.ect.b = fx_number(table, "b", 1);
		c.ect.stage_steps = 1;
		int64_t stage = fx_integer(table, "stage", 0);
		json_array_foreach(json_object_get(table, "rows"), j, row)
		{
			double t = at(row, 0);
			c.ect.k = fx_number(table, "k", 8);
			double r = ect_r(&c, t, stage);
			fx_worst(&w, "r", fabs(r - at(row, 1)) / fmax(at(row, 1), 1e-3 * t));
			fx_worst(&weight, "weight", relative(loss_weight(&c, t, r), at(row, 3)));
			c.ect.k = 0; /* the "const" mapping is the sigmoid's without its bump */
			fx_worst(&constant, "r", relative(ect_r(&c, t, stage), at(row, 2)));
		}
	}
	if (!tables)
		return;
	fx_check_worst(f, "ECT r(t)", &w, CLOSE, NAN);
	fx_check_worst(f, "ECT r(t), constant mapping", &constant, CLOSE, NAN);
	fx_check_worst(f, "ECT weight 1 / (t - r)", &weight, DIFFERENCES, NAN);
}

static void check_huber(struct fixture *f, const json_t *rows)
{
	const json_t *row;
	size_t i, j;
	struct fx_worst w = { 0 };
	json_array_foreach(rows, i, row)
	{
		double d = 1, c = NAN;
		struct err e = ERR_INIT;
		const json_t *shape = json_object_get(row, "shape");
		for (j = 0; j < json_array_size(shape); j++)
			d *= at(shape, j);
		if (expr_eval(&c, "0.00054*sqrt(d)", d, &e))
			fx_fail(f, "%s", e.msg);
		fx_worst(&w, "shape", relative(c, fx_number(row, "c", NAN)));
	}
	if (rows)
		fx_check_worst(f, "Pseudo-Huber c = 0.00054 sqrt(d)", &w, CLOSE, NAN);
}

static bool same_hex(const json_t *v, uint64_t got)
{
	char *end;
	const char *s = json_string_value(v);
	return s && strtoull(s, &end, 16) == got && !*end;
}

static void check_hash(struct fixture *f, const json_t *names, const json_t *numbers)
{
	const json_t *row;
	size_t i, j;
	int wrong = 0;
	json_array_foreach(names, i, row)
	{
		const char *name = fx_text(row, "name", "");
		const json_t *h = json_object_get(row, "h"), *u = json_object_get(row, "u");
		wrong += !same_hex(json_object_get(row, "fnv1a64"), formula_fnv(name));
		for (j = 0; j < json_array_size(h); j++)
			wrong += !same_hex(json_array_get(h, j), formula_hash(name, j));
		for (j = 0; j < json_array_size(u); j++)
			wrong += !(fabs(formula_u(name, j) - at(u, j)) <= 0);
	}
	json_array_foreach(numbers, i, row)
	{
		const char *x = json_string_value(json_array_get(row, 0));
		wrong += !x || !same_hex(json_array_get(row, 1), formula_splitmix(strtoull(x, NULL, 16)));
	}
	if (names || numbers)
		fx_check(f, "known answers of the formula's hash: wrong ones", wrong, 0, NAN);
}

void family_tables(struct fixture *f)
{
	const json_t *j = f->json;
	check_ict_n(f, json_object_get(j, "ict_N"));
	check_ct_n_mu(f, json_object_get(j, "ct_N_mu"));
	check_grids(f, json_object_get(j, "grids"));
	check_preconditioning(f, json_object_get(j, "preconditioning"));
	check_multistep(f, json_object_get(j, "multistep_cm"));
	check_ect(f, json_object_get(j, "ect_t_to_r"));
	check_huber(f, json_object_get(j, "huber_c"));
	check_hash(f, json_object_get(j, "hash_kat"), json_object_get(j, "splitmix64_kat"));
}
