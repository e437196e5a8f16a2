/* dnn_images.h - convolutions by oneDNN on all threads, with bits that are the shape's alone. oneDNN itself cuts sums
 * as its threads are (weights gradients always, others where one image is a matrix product), so ranges of images, which
 * the shape decides, are a primitive of one thread each, and gradients of weights are added in the ranges' order. */
#ifndef ABLATE_DNN_IMAGES_H
#define ABLATE_DNN_IMAGES_H

#include "model/cpu/dnn.h"

/* As dnn_conv_new, dnn_conv_free, dnn_conv_scratch and dnn_conv_run. */
struct dnn_images;
struct dnn_images *dnn_images_new(const struct dnn_shape *s, enum dnn_pass pass, bool bias, bool relu);
void dnn_images_free(struct dnn_images *c);
size_t dnn_images_scratch(const struct dnn_images *c);
void dnn_images_run(struct dnn_images *c, float *x, float *w, float *b, float *y, void *scratch);

#endif
