/* cnn_graph.h - a network of cnn.h as a graph of ops, for back ends other than the CPU's own executor: batches of one
 * size, weights in the back end's memory, pixel means taken there. A picture's numbers do not depend on the others of
 * its batch.
 *
 *     cnn_graph_open(&x, &net, load, ctx, keep, n_keep, b, 64, e);
 *     cnn_graph_run(x, pixels, n, e);                    // n <= 64 pictures (n, h, w, c)
 *     cnn_graph_means(x, keep[0], dst, n);               // (n, c)
 */
#ifndef ABLATE_CNN_GRAPH_H
#define ABLATE_CNN_GRAPH_H

#include "model/graph/backend.h"
#include "model/graph/op.h"
#include "model/frozen/cnn.h"
#include "model/frozen/pictures.h"

/* What graph_pool takes for a pooling layer. */
struct pool_args cnn_pool_args(const struct cnn_layer *pool);

struct cnn_graph;

/* keep: tensors that can be read after a run. b must outlive it. */
MUST_CHECK int cnn_graph_open(struct cnn_graph **out, const struct cnn *net, cnn_load *load, void *ctx, const int *keep,
                              int n_keep, struct backend *b, int batch, struct err *e);
void cnn_graph_free(struct cnn_graph *x);
/* Waits for the device. */
MUST_CHECK int cnn_graph_run(struct cnn_graph *x, const float *pixels, int n, struct err *e);
/* The same from bytes, which the back end makes the input of (ops->scores): n pictures of one size, of a network with
 * square input. */
MUST_CHECK int cnn_graph_run_pictures(struct cnn_graph *x, const struct image_u8 *images, int n, enum resize_kind kind,
                                      enum picture_scale scale, struct err *e);
/* Means over the pixels of a kept tensor; its values (n, h, w, c). Of the last run's first n pictures. */
void cnn_graph_means(const struct cnn_graph *x, int tensor, float *dst, int n);
/* The means in the back end's memory, until the next run. */
const float *cnn_graph_means_there(const struct cnn_graph *x, int tensor);
void cnn_graph_read(const struct cnn_graph *x, int tensor, float *dst, int n);

#endif
