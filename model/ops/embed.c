/* embed.c - noise embeddings: t (N,1,1,1) -> (N,1,1,2F) = [cos(a) | sin(a)], or [sin | cos].
 *   positional  a = t f_j, f_j = 10000^(-j / (F - endpoint))
 *   Fourier     a = 2 pi t f_j, f (1,1,1,F) given
 * model/README.md, "Noise embeddings" (EDM networks, PositionalEmbedding and FourierEmbedding). In double: it is a
 * handful of values. */
#include "model/graph/graph.h"

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

/* Value `at` of an embedding of 2 `half` values; f: the Fourier frequency, or NULL. */
static double value(const struct node *nd, double t, const double *f, int64_t half, int64_t at)
{
	double j = (double)(at % half), angle;
	if (f)
		angle = 2 * M_PI * t * *f;
	else
		angle = t * pow(10000, -j / (double)(half - nd->args.embed.endpoint));
	bool is_sin = (at >= half) != nd->args.embed.sin_first;
	return is_sin ? sin(angle) : cos(angle);
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

const struct op_row op_embed = {
	.name = "embed", .meaning = "y = [cos(t f) | sin(t f)] or [sin | cos]", .ref = embed_ref, .cpu = embed_cpu
};
