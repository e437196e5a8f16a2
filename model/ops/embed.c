/* embed.c - noise embeddings: t (N,1,1,1) -> (N,1,1,2F) = [cos(a) | sin(a)], or [sin | cos].
 *   positional  a = t f_j, f_j = 10000^(-j / (F - endpoint))
 *   Fourier     a = 2 pi t f_j, f (1,1,1,F) given
 * model/README.md, "Noise embeddings" (EDM networks, PositionalEmbedding and FourierEmbedding). In double: it is a
 * handful of values. */
#include "model/graph/tangent.h"

#include "model/base/err.h"

#include <math.h>

struct tensor *graph_embed(struct graph *g, struct tensor *t, struct tensor *freqs, int64_t c, struct embed_args how)
{
	if (c % 2 || (freqs && 2 * freqs->c != c))
		BUG("embed: %lld channels", (long long)c);
	struct tensor *y = graph_temp(g, t->n, 1, 1, c);
	(void)graph_node(g, OP_embed, &(union op_args){ .embed = how }, 2, (struct tensor *[]){ t, freqs }, 1, &y);
	return y;
}

/* a / t of value `at` of an embedding of 2 `half` values; f: the Fourier frequency, or NULL. */
static double frequency(const struct node *nd, const double *f, int64_t half, int64_t at)
{
	if (f)
		return 2 * M_PI * *f;
	return pow(10000, -(double)(at % half) / (double)(half - nd->args.embed.endpoint));
}

static bool is_sine(const struct node *nd, int64_t half, int64_t at)
{
	return (at >= half) != nd->args.embed.sin_first;
}

static double value(const struct node *nd, double t, const double *f, int64_t half, int64_t at)
{
	double angle = t * frequency(nd, f, half, at);
	return is_sine(nd, half, at) ? sin(angle) : cos(angle);
}

static void embed_ref(struct node *nd)
{
	const struct tensor *t = nd->src[0], *freqs = nd->src[1];
	struct tensor *y = nd->dst[0];
	for (int64_t i = 0; i < t->n * y->c; i++)
		y->ref[i] = value(nd, t->ref[i / y->c], freqs ? &freqs->ref[i % (y->c / 2)] : NULL, y->c / 2, i % y->c);
}

static void embed_cpu(struct node *nd)
{
	const struct tensor *t = nd->src[0], *freqs = nd->src[1];
	struct tensor *y = nd->dst[0];
	for (int64_t i = 0; i < t->n * y->c; i++) {
		double f = freqs ? (double)freqs->data[i % (y->c / 2)] : 0;
		y->data[i] = (float)value(nd, (double)t->data[i / y->c], freqs ? &f : NULL, y->c / 2, i % y->c);
	}
}

static struct tensor *jvp(struct graph *g, struct node *nd, struct tensor *const *d)
{
	struct tensor *y = graph_like(g, nd->dst[0]);
	REQUIRE(!d[1]); /* frequencies are never trained */
	(void)graph_node(g, OP_embed_jvp, &nd->args, 3, (struct tensor *[]){ nd->src[0], nd->src[1], d[0] }, 1, &y);
	return y;
}

const struct op_row op_embed = { .name = "embed",
	                             .meaning = "y = [cos(t f) | sin(t f)] or [sin | cos]",
	                             .ref = embed_ref,
	                             .cpu = embed_cpu,
	                             .jvp = jvp };

/* ---- embed_jvp: t, [freqs], dt -> dy ----------------------------------------------------------- */

static double change(const struct node *nd, double t, double dt, const double *f, int64_t half, int64_t at)
{
	double a = frequency(nd, f, half, at);
	return dt * a * (is_sine(nd, half, at) ? cos(t * a) : -sin(t * a));
}

static void jvp_ref(struct node *nd)
{
	const struct tensor *t = nd->src[0], *freqs = nd->src[1], *dt = nd->src[2];
	struct tensor *y = nd->dst[0];
	for (int64_t i = 0; i < t->n * y->c; i++)
		y->ref[i] = change(nd, t->ref[i / y->c], dt->ref[i / y->c], freqs ? &freqs->ref[i % (y->c / 2)] : NULL,
		                   y->c / 2, i % y->c);
}

static void jvp_cpu(struct node *nd)
{
	const struct tensor *t = nd->src[0], *freqs = nd->src[1], *dt = nd->src[2];
	struct tensor *y = nd->dst[0];
	for (int64_t i = 0; i < t->n * y->c; i++) {
		double f = freqs ? (double)freqs->data[i % (y->c / 2)] : 0;
		y->data[i] = (float)change(nd, (double)t->data[i / y->c], (double)dt->data[i / y->c], freqs ? &f : NULL,
		                           y->c / 2, i % y->c);
	}
}

const struct op_row op_embed_jvp = {
	.name = "embed_jvp", .meaning = "change of embed with t", .ref = jvp_ref, .cpu = jvp_cpu
};
