/* paritylib_model.c - the network of a fixture from its "config", its formula weights, and the deviation of its
 * gradients. Absent keys have the defaults of EDM's SongUNet and DhariwalUNet constructors. See paritylib.h. */
#include "tests/parity/paritylib.h"

static bool is_one_of(const char *s, const char *a, const char *b)
{
	return strcmp(s, a) == 0 || strcmp(s, b) == 0;
}

static int int_list(int *out, int *n, struct fixture *f, const json_t *config, const char *key, const int *otherwise,
                    int n_otherwise)
{
	const json_t *list = json_object_get(config, key);
	*n = list ? (int)json_array_size(list) : n_otherwise;
	if (*n > KNOB_LIST_MAX) {
		fx_fail(f, "config.%s: at most %d entries", key, KNOB_LIST_MAX);
		return -1;
	}
	for (int i = 0; i < *n; i++)
		out[i] = list ? (int)json_integer_value(json_array_get(list, (size_t)i)) : otherwise[i];
	return 0;
}

/* Number of taps of [1,1] or [1,3,3,1], 0 otherwise. */
static int filter_taps(const json_t *filter)
{
	static const double f2[] = { 1, 1 }, f4[] = { 1, 3, 3, 1 };
	size_t n = json_array_size(filter);
	const double *want = n == 2 ? f2 : n == 4 ? f4 : NULL;
	for (size_t i = 0; want && i < n; i++)
		if (json_number_value(json_array_get(filter, i)) != want[i])
			return 0;
	return want ? (int)n : 0;
}

static int bounded(int *out, struct fixture *f, const json_t *config, const char *key, int otherwise, int least,
                   int most)
{
	int64_t v = fx_integer(config, key, otherwise);
	if (v < least || v > most) {
		fx_fail(f, "config.%s = %lld is not in %d .. %d", key, (long long)v, least, most);
		return -1;
	}
	*out = (int)v;
	return 0;
}

static int song_options(struct net_spec *s, struct fixture *f, const json_t *config)
{
	const char *embedding = fx_text(config, "embedding_type", "positional"),
			   *encoder = fx_text(config, "encoder_type", "standard");
	const json_t *filter = json_object_get(config, "resample_filter");
	if (!is_one_of(embedding, "positional", "fourier") || !is_one_of(encoder, "standard", "residual") ||
	    strcmp(fx_text(config, "decoder_type", "standard"), "standard") != 0) {
		fx_fail(f, "config: embedding %s, encoder %s, decoder %s is not known", embedding, encoder,
		        fx_text(config, "decoder_type", "standard"));
		return -1;
	}
	s->fourier = strcmp(embedding, "fourier") == 0;
	s->residual = strcmp(encoder, "residual") == 0;
	s->taps = filter ? filter_taps(filter) : 2;
	s->fourier_scale = fx_number(config, "fourier_scale", 16);
	s->kind = s->residual ? NET_NCSNPP : NET_DDPMPP;
	if (!s->taps) {
		fx_fail(f, "config.resample_filter is neither [1,1] nor [1,3,3,1]");
		return -1;
	}
	return bounded(&s->noise_mult, f, config, "channel_mult_noise", 1, 1, 64);
}

int fx_net(struct net_spec *out, struct fixture *f)
{
	static const int song_mult[] = { 1, 2, 2, 2 }, song_attn[] = { 16 }, adm_mult[] = { 1, 2, 3, 4 },
					 adm_attn[] = { 32, 16, 8 };
	const json_t *config = json_object_get(f->json, "config");
	const char *type = fx_text(config, "type", "");
	bool adm = strcmp(type, "DhariwalUNet") == 0;
	struct net_spec s = { .kind = NET_ADM, .taps = 2, .noise_mult = 1 };
	int side;
	if (!adm && strcmp(type, "SongUNet") != 0) {
		fx_fail(f, "config.type '%s' is neither SongUNet nor DhariwalUNet", type);
		return -1;
	}
	if (bounded(&side, f, config, "img_resolution", 0, 1, 512) ||
	    bounded(&s.in_c, f, config, "in_channels", 3, 1, 64) ||
	    bounded(&s.out_c, f, config, "out_channels", 3, 1, 64) ||
	    bounded(&s.channels, f, config, "model_channels", adm ? 192 : 128, 4, 1024) ||
	    bounded(&s.emb_mult, f, config, "channel_mult_emb", 4, 1, 64) ||
	    bounded(&s.blocks, f, config, "num_blocks", adm ? 3 : 4, 1, 32) ||
	    bounded(&s.classes, f, config, "label_dim", 0, 0, 100000) ||
	    bounded(&s.augment, f, config, "augment_dim", 0, 0, 1000) ||
	    int_list(s.mult, &s.n_mult, f, config, "channel_mult", adm ? adm_mult : song_mult, 4) ||
	    int_list(s.attn, &s.n_attn, f, config, "attn_resolutions", adm ? adm_attn : song_attn, adm ? 3 : 1) ||
	    (!adm && song_options(&s, f, config)))
		return -1;
	for (int i = 0; i < s.n_mult; i++)
		if (s.mult[i] < 1 || s.mult[i] > 64)
			s.n_mult = 0;
	if (s.n_mult == 0 || side % (1 << (s.n_mult - 1))) {
		fx_fail(f, "config: %d pixels cannot be halved for every entry of channel_mult", side);
		return -1;
	}
	s.h = s.w = side;
	*out = s;
	return 0;
}

int fx_model(struct fx_model *m, struct fixture *f)
{
	*m = (struct fx_model){ .p = NULL };
	if (fx_net(&m->net, f))
		return -1;
	m->p = net_params(&m->net);
	m->floats = params_floats(m->p);
	m->w = xaligned(m->floats * sizeof *m->w);
	m->grad = xaligned(m->floats * sizeof *m->grad);
	fx_fill_params(m->w, m->p, f->prefix, m->net.fourier_scale);
	return 0;
}

void fx_model_release(struct fx_model *m)
{
	params_free(m->p);
	free(m->w);
	free(m->grad);
}

void fx_labels(struct fixture *f, struct tensor *labels)
{
	const struct fx_tensor *stored = fx_find(f, "class_labels");
	if (stored && stored->count != tensor_count(labels))
		fx_fail(f, "class_labels has %zu values, %zu expected", stored->count, tensor_count(labels));
	for (int64_t i = 0; i < (int64_t)tensor_count(labels); i++) {
		int64_t row = i / labels->c, at = i % labels->c;
		double rule = at == (3 * row + 1) % labels->c;
		labels->data[i] = (float)(stored && stored->count == tensor_count(labels) ? stored->v[i] : rule);
	}
}

void fx_check_gradient(struct fixture *f, const char *what, const struct params *p, const double *grad,
                       const struct fx_gradient *want)
{
	struct fx_worst digest = { 0 }, error = { 0 }, own = { 0 };
	const json_t *row;
	size_t at;
	double sum = 0;
	if (json_array_size(want->list) == 0)
		fx_fail(f, "%s: no parameter is listed", what);
	json_array_foreach(want->list, at, row)
	{
		const char *key = fx_text(row, "key", "");
		const struct param *q = params_find(p, key);
		if (!q) {
			fx_fail(f, "%s: the network has no parameter '%s'", what, key);
			return;
		}
		if (!q->trained)
			continue;
		const json_t *d = want->digest ? json_object_get(row, want->digest) : row;
		double probe = fx_probe(grad + q->at, q->count, f->prefix, key) - fx_number(d, "probe", NAN);
		double size = fx_l2(grad + q->at, q->count) - fx_number(d, "l2", NAN);
		sum += probe * probe;
		fx_worst(&digest, key, fmax(fabs(probe), fabs(size)) / want->total);
		if (isnan(probe) || isnan(size))
			fx_worst(&digest, key, NAN);
	}
	for (int i = 0; i < params_count(p); i++) {
		const struct param *q = params_get(p, i);
		static const char *const kinds[] = { "grad/", "grad_head1024/" };
		for (int k = 0; k < 2; k++) {
			SCOPED(free) char *name = xstrfmt("%s%s%s", want->before, kinds[k], q->name);
			const struct fx_tensor *t = fx_find(f, name);
			if (!t)
				continue;
			if (t->count > q->count) {
				fx_fail(f, "%s: %zu values for a parameter of %zu", name, t->count, q->count);
				continue;
			}
			double rel = fx_rel_l2(grad + q->at, t->v, t->count), size = fx_l2(t->v, t->count);
			fx_worst(&error, q->name, rel * (size > 0 ? size : 1) / want->total);
			if (size >= 1e-4 * want->total)
				fx_worst(&own, q->name, rel);
		}
	}
	SCOPED(free) char *a = xstrfmt("%s: digest error / total", what), *b = xstrfmt("%s: stored error / total", what);
	SCOPED(free)
	char *c = xstrfmt("%s: stored, own rel L2", what), *d = xstrfmt("%s: rel L2 of all, estimated from probes", what);
	fx_check_worst(f, a, &digest, want->gate, NAN);
	if (error.name[0])
		fx_check_worst(f, b, &error, want->gate, NAN);
	if (own.name[0] && !isnan(want->own_gate))
		fx_check_worst(f, c, &own, want->own_gate, NAN);
	fx_check(f, d, sqrt(3 * sum) / want->total, want->all_gate, want->peer); /* E u^2 = 1/3 */
}

/* ---- gates that grow with N ------------------------------------------------------------------ */

double fx_gate_total(double n)
{
	return n <= 41 ? 5e-6 : n <= 641 ? 2e-5 : 2e-4;
}

double fx_gate_gradient(double n)
{
	return 4 * (n <= 41 ? 8.5e-6 : n <= 151 ? 5.1e-5 : n <= 321 ? 1.2e-4 : n <= 641 ? 7.1e-4 : 1.2e-3);
}

/* 1e-2 at N = 1281; the relative difference of neighbours, and with it the cancellation, goes as 1 / (N - 1). */
double fx_gate_sample(double n)
{
	double gate = 1e-2 * (n - 1) / 1280;
	return gate > 5e-6 ? gate : 5e-6;
}
