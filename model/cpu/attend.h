/* attend.h - attention of one image's head on the CPU: blocks of query rows go through logits, softmax and the sum over
 * values while they are in the cache. Products are those of winograd_kernel.h. What is computed: model/ops/attention.c.
 *
 * Everything runs on the caller's thread; results depend on the shape and the instruction set alone. */
#ifndef ABLATE_ATTEND_H
#define ABLATE_ATTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* l pixels, ch channels of the head, c of all heads; logits are scale q k. A pointer to qkv or y is to its head's first
 * value: pixels are 3c floats apart in qkv, where q, k and v are innermost, and c in y. */
struct attend {
	int64_t l, ch, c;
	float scale;
};

enum attend_pass { ATTEND_FORWARD, ATTEND_BACKWARD, ATTEND_CHANGE, ATTEND_JVP };

bool attend_here(void); /* this processor has AVX2 or AVX-512: else nothing below may be called */
size_t attend_floats(const struct attend *s, enum attend_pass pass); /* of scratch; what it holds does not matter */

/* w (l,l), y */
void attend_forward(const struct attend *s, const float *qkv, float *w, float *y, float *scratch);
/* dqkv, from the w of the forward pass */
void attend_backward(const struct attend *s, const float *dy, const float *qkv, const float *w, float *dqkv,
                     float *scratch);
/* y(qkv + d) - y(qkv) without cancellation: its error is relative to the change itself. w: the softmax weights of
 * qkv. */
void attend_change(const struct attend *s, const float *qkv, const float *d, const float *w, float *y, float *scratch);
/* The change of y to first order where qkv changes by d; w as above. */
void attend_jvp(const struct attend *s, const float *qkv, const float *d, const float *w, float *y, float *scratch);

#endif
