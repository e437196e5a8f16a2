/* schedule.c - see schedule.h. */
#include "model/consistency/schedule.h"

#include "model/base/err.h"

#include <math.h>

static double clamp(double x, double lo, double hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

/* floor(log2(x)) of a positive integer. */
static int floor_log2(int64_t x)
{
	return 63 - __builtin_clzll((unsigned long long)x);
}

/* iCT: N(k) = min(s0 2^floor(k/K'), s1) + 1, K' = floor(K / (log2 floor(s1/s0) + 1)). */
static int64_t doubling(const struct run_config *c, int64_t k)
{
	double stages = log2(floor((double)c->disc.s1 / c->disc.s0)) + 1;
	int64_t length = (int64_t)floor((double)c->train.steps / stages);
	int64_t stage = length > 0 ? k / length : floor_log2(c->disc.s1) + 1;
	int64_t n = stage < 40 ? (int64_t)c->disc.s0 << stage : c->disc.s1;
	return (n < c->disc.s1 ? n : c->disc.s1) + 1;
}

/* Song 2023: s = max(ceil(sqrt(k/K (end^2 - s0^2) + s0^2) - 1), 1), N = s + 1, with end = s1 + 1; a public reproduction
 * has s1. */
static int64_t square_root(const struct run_config *c, int64_t k, double end)
{
	double s0 = c->disc.s0, total = c->train.steps > 0 ? c->train.steps : 1;
	double s = ceil(sqrt((double)k / total * (end * end - s0 * s0) + s0 * s0) - 1);
	return (int64_t)(s > 1 ? s : 1) + 1;
}

/* From s0 to s1 intervals as `done` goes from 0 to 1. */
static int64_t between(const struct run_config *c, double done)
{
	return (int64_t)floor(c->disc.s0 + done * (c->disc.s1 - c->disc.s0)) + 1;
}

int64_t schedule_n(const struct run_config *c, int64_t k)
{
	double done = c->train.steps > 0 ? clamp((double)k / c->train.steps, 0, 1) : 0;
	switch ((enum disc_kind)c->disc.kind) {
	case DISC_CONSTANT: return c->disc.s0 + 1;
	case DISC_LINEAR: return between(c, done);
	case DISC_SQUARE: return between(c, done * done);
	case DISC_COSINE: return between(c, (1 + sin(M_PI * (done - 0.5))) / 2); /* half at half */
	case DISC_SQRT: return square_root(c, k, (double)c->disc.s1 + 1);
	case DISC_SQRT_SHORT: return square_root(c, k, c->disc.s1);
	case DISC_EXP: return doubling(c, k);
	}
	BUG("disc.kind %d", c->disc.kind);
}

double schedule_mu(const struct run_config *c, int64_t k)
{
	if (!c->teacher.ema.named)
		return c->teacher.ema.value;
	int64_t n = schedule_n(c, k);
	double s = (double)(c->teacher.mu_exponent == MU_N ? n : n - 1);
	return exp(c->disc.s0 * log(c->teacher.mu0) / s);
}

double sigma_at(const struct run_config *c, int64_t n, int64_t i)
{
	double lo = pow(c->sigma.min, 1 / c->sigma.rho), hi = pow(c->sigma.max, 1 / c->sigma.rho);
	if (c->sigma.grid == GRID_SINGLE) /* counted from sigma_max, as jcm does */
		return powf((float)hi + (float)(n - 1 - i) / (float)(n - 1) * (float)(lo - hi), (float)c->sigma.rho);
	double sigma = pow(lo + (double)i / (double)(n - 1) * (hi - lo), c->sigma.rho);
	return c->sigma.grid == GRID_ROUNDED ? (float)sigma : sigma;
}

/* Of ln sigma between the neighbours from and to, not yet divided by the sum. */
static double interval_mass(const struct run_config *c, double from, double to)
{
	double scale = sqrt(2) * c->noise.std;
	if (c->sigma.grid == GRID_ROUNDED) {
		float mean = (float)c->noise.mean, by = (float)scale;
		return erff((logf((float)to) - mean) / by) - erff((logf((float)from) - mean) / by);
	}
	double a = (log(from) - c->noise.mean) / scale, b = (log(to) - c->noise.mean) / scale;
	return a > 0 ? erfc(a) - erfc(b) : erf(b) - erf(a); /* the tail without cancellation */
}

void index_cdf(double *cdf, const struct run_config *c, int64_t n)
{
	double total = 0;
	for (int64_t i = 0; i + 1 < n; i++) {
		total += c->noise.dist == NOISE_LOGNORMAL ? interval_mass(c, sigma_at(c, n, i), sigma_at(c, n, i + 1)) : 1;
		cdf[i] = total;
	}
	for (int64_t i = 0; i + 1 < n; i++)
		cdf[i] /= total;
}

int64_t index_of(const double *cdf, int64_t n, double u)
{
	int64_t lo = 0, hi = n - 2;
	while (lo < hi) {
		int64_t mid = (lo + hi) / 2;
		if (cdf[mid] > u)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

double level_of(const struct run_config *c, double u)
{
	double lo = c->sigma.min, hi = c->sigma.max, root = 1 / c->sigma.rho;
	if (c->noise.dist != NOISE_LOGNORMAL)
		return pow(pow(lo, root) + u * (pow(hi, root) - pow(lo, root)), c->sigma.rho);
	double all = interval_mass(c, lo, hi), from = log(lo), to = log(hi);
	for (int i = 0; i < 60; i++) { /* halving: the mass is monotone */
		double mid = (from + to) / 2;
		if (interval_mass(c, lo, exp(mid)) < u * all)
			from = mid;
		else
			to = mid;
	}
	return exp((from + to) / 2);
}

double loss_c(const struct run_config *c, int64_t n)
{
	double first = c->loss.c.value, m = (double)(n - 1);
	if (m <= c->disc.s0)
		return first;
	switch ((enum c_schedule)c->loss.c_schedule) {
	case C_CONSTANT: return first;
	case C_SLCT: return exp(-1.15 * log(m) - 0.85);
	case C_SLCT_RELATIVE: return first * pow(m / c->disc.s0, -1.15);
	}
	BUG("loss.c_schedule %d", c->loss.c_schedule);
}

double loss_weight(const struct run_config *c, double t, double r)
{
	double snr = 1 / (t * t), sd = c->sigma.data;
	switch ((enum weight_kind)c->weight.kind) {
	case WEIGHT_INVERSE_GAP: return 1 / (t - r);
	case WEIGHT_UNIFORM: return 1;
	case WEIGHT_SNR: return snr;
	case WEIGHT_SNR_PLUS_1: return snr + 1;
	case WEIGHT_TRUNCATED_SNR: return snr > 1 ? snr : 1;
	case WEIGHT_LEARNED: /* the network's, in the graph; by the distance itself, there, too */
	case WEIGHT_ADAPTIVE: return 1;
	case WEIGHT_SNR_PK: return (t * t + sd * sd) / (t * sd * t * sd);
	}
	BUG("weight.kind %d", c->weight.kind);
}

double loss_weight_limit(const struct run_config *c, double t)
{
	double root = 1 / c->sigma.rho, length = pow(c->sigma.max, root) - pow(c->sigma.min, root);
	if (c->weight.kind == WEIGHT_INVERSE_GAP || c->weight.kind == WEIGHT_LEARNED || c->weight.kind == WEIGHT_ADAPTIVE)
		return 1;
	return loss_weight(c, t, t) * c->sigma.rho * pow(t, 1 - root) * length;
}

double flow_time(double sigma)
{
	return 1 / (1 + 1 / sigma); /* 1 where sigma is infinite, too */
}

double flow_level(double max, int j, int n)
{
	double s = flow_time(max) * j / n;
	return j == n ? max : s / (1 - s);
}

struct precond precond_at(const struct run_config *c, enum precond_kind kind, double s)
{
	double sd = c->sigma.data, from = kind == PRECOND_CM || kind == PRECOND_SQUARED_C_IN ? c->sigma.min : 0;
	double root = sqrt(s * s + sd * sd);
	if (kind == PRECOND_TRIGFLOW)
		return (struct precond){ sd * sd / (root * root), -s * sd / root, 1 / root,
			                     c->precond.time_scale * atan(s / sd) };
	if (kind == PRECOND_FLOW)
		return (struct precond){ 1 / (1 + s), -s / (1 + s), 1 / (1 + s), c->precond.time_scale * flow_time(s) };
	bool squared = kind == PRECOND_SQUARED_C_IN || kind == PRECOND_DIFFUSERS;
	return (struct precond){ .c_skip = sd * sd / ((s - from) * (s - from) + sd * sd),
		                     .c_out = (s - from) * (kind == PRECOND_DIFFUSERS ? 1 : sd) / root,
		                     .c_in = 1 / (squared ? s * s + sd * sd : root),
		                     .c_noise = c->precond.time_scale * log(s > 0 ? s : 1e-44) };
}

struct precond precond_slope_at(const struct run_config *c, enum precond_kind kind, double s)
{
	if (kind == PRECOND_TRIGFLOW || kind == PRECOND_FLOW)
		BUG("precond.kind %d has a time of its own", kind);
	struct precond p = precond_at(c, kind, s);
	double sd = c->sigma.data, above = kind == PRECOND_CM || kind == PRECOND_SQUARED_C_IN ? s - c->sigma.min : s;
	double squares = s * s + sd * sd, factor = kind == PRECOND_DIFFUSERS ? 1 : sd;
	bool squared = kind == PRECOND_SQUARED_C_IN || kind == PRECOND_DIFFUSERS;
	return (struct precond){ .c_skip = -2 * above * p.c_skip * p.c_skip / (sd * sd),
		                     .c_out = (factor - p.c_out * s / sqrt(squares)) / sqrt(squares),
		                     .c_in = -(squared ? 2 : 1) * s * p.c_in / squares,
		                     .c_noise = c->precond.time_scale / s };
}

double tangent_warmth(const struct run_config *c, int64_t k)
{
	return c->tangent.warmup > 0 ? clamp((double)k / c->tangent.warmup, 0, 1) : 1;
}

double ect_r(const struct run_config *c, double t, int64_t k)
{
	double stage = (double)(k / c->ect.stage_steps);
	double n = 1 + c->ect.k / (1 + exp(c->ect.b * t));
	double r = t * (1 - n / fmin(pow(c->ect.q, stage + 1), 1 / (1 - c->ect.ratio_max)));
	return r > 0 ? r : 0;
}
