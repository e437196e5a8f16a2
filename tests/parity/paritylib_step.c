/* paritylib_step.c - one consistency step as the kinds loss, ect and train have it. See paritylib.h. */
#include "tests/parity/paritylib.h"

#include "model/consistency/schedule.h"

struct run_config fx_config(const struct fixture *f)
{
	struct run_config c;
	config_defaults(&c);
	c.net.patch = 1;
	c.teacher.shared_dropout = true;
	c.sigma.min = fx_number(f->json, "sigma_min", 0.002);
	c.sigma.max = fx_number(f->json, "sigma_max", 80);
	c.sigma.rho = fx_number(f->json, "rho", 7);
	c.sigma.data = fx_number(f->json, "sigma_data", 0.5);
	c.precond.kind = PRECOND_CM;
	c.precond.time_scale = 0.25;
	c.loss.kind = LOSS_PSEUDO_HUBER;
	c.loss.c = (struct knob_expr){ .value = fx_number(f->json, "huber_c", 0) };
	return c;
}

/* Does the fixture drop out in this block? Without a list every block does. */
static bool has_dropout(const struct fixture *f, const char *block)
{
	const json_t *list = json_object_get(f->json, "dropout_blocks"), *row;
	size_t at;
	if (!json_is_array(list))
		return true;
	json_array_foreach(list, at,
	                   row) if (json_is_string(row) && strcmp(json_string_value(row), block) == 0) return true;
	return false;
}

static void make_masks(struct fx_step *st, struct fixture *f, const struct net_spec *net, int batch)
{
	st->dropout = fx_number(f->json, "dropout_p", 0);
	if (st->dropout < 0 || st->dropout >= 1) {
		fx_fail(f, "dropout_p = %g is not in [0, 1)", st->dropout);
		st->dropout = 0;
	}
	if (st->dropout <= 0)
		return;
	st->n_masks = net_dropout_layers(net);
	st->masks = xcalloc((size_t)st->n_masks, sizeof(struct tensor *));
	for (int i = 0; i < st->n_masks; i++) {
		struct net_layer l = net_dropout_layer(net, i);
		st->masks[i] = graph_input(st->g, l.block, batch, l.h, l.w, l.c);
	}
}

/* Keeps where (u + 1) / 2 >= p. */
static void fill_masks(struct fx_step *st, const struct fixture *f)
{
	for (int i = 0; i < st->n_masks; i++) {
		struct tensor *m = st->masks[i];
		SCOPED(free) char *name = xstrfmt("%sdrop/%s", f->prefix, m->name);
		bool drops = has_dropout(f, m->name);
		fx_fill_image(m, name, FX_U);
		for (size_t j = 0; j < tensor_count(m); j++) {
			bool keep = ((double)m->data[j] + 1) / 2 >= st->dropout;
			m->data[j] = drops ? (keep ? (float)(1 / (1 - st->dropout)) : 0) : 1;
		}
	}
}

void fx_step_build(struct fx_step *out, struct fixture *f, const struct run_config *c, const struct fx_model *m,
                   int batch, float *teacher)
{
	*out = (struct fx_step){ .g = fx_graph() };
	make_masks(out, f, &m->net, batch);
	struct step_options o = {
		.batch = batch, .dropout = out->n_masks > 0, .backward = true, .masks = out->masks, .n_masks = out->n_masks
	};
	out->s = step_build(out->g, c, &m->net, m->p, &o);
	graph_plan(out->g);
	graph_bind(out->g, STORE_STUDENT, m->w);
	graph_bind(out->g, STORE_TEACHER, teacher);
	graph_bind(out->g, STORE_GRAD, m->grad);
	fill_masks(out, f);
	if (out->s.labels)
		fx_labels(f, out->s.labels);
}

void fx_step_images(struct fx_step *st, const struct fixture *f, const char *x0, const char *z)
{
	SCOPED(free) char *a = xstrfmt("%s%s", f->prefix, x0), *b = xstrfmt("%s%s", f->prefix, z);
	fx_fill_image(st->s.x0, a, FX_U);
	fx_fill_image(st->s.z, b, FX_UNIT);
}

void fx_step_run_double(struct fx_step *st, const struct run_config *c, const double *t, const double *r)
{
	struct run_config rounded = *c;
	rounded.sigma.min =
		(double)(float)c->sigma.min; /* the peer's double run has sigma_min, as the sigmas, from float */
	graph_load_ref(st->g);
	for (int k = 0; k < 2; k++)
		for (int64_t i = 0; i < st->s.x0->n; i++) {
			double sigma = k == 0 ? t[i] : r[i];
			if (sigma <= 0)
				continue;
			struct precond p = precond_at(&rounded, (enum precond_kind)c->precond.kind, sigma);
			st->s.sigma[k]->ref[i] = sigma;
			st->s.c_skip[k]->ref[i] = p.c_skip;
			st->s.c_out[k]->ref[i] = p.c_out;
			st->s.c_in[k]->ref[i] = p.c_in;
			st->s.c_noise[k]->ref[i] = p.c_noise;
		}
	for (int i = 0; i < st->n_masks; i++)
		for (size_t j = 0; j < tensor_count(st->masks[i]); j++)
			if (st->masks[i]->ref[j] > 1)
				st->masks[i]->ref[j] = 1 / (1 - st->dropout);
	graph_rerun_ref(st->g);
}

void fx_step_release(struct fx_step *st)
{
	graph_free(st->g);
	free(st->masks);
	*st = (struct fx_step){ .g = NULL };
}
