/* model.h - what a program calls once before it uses the engine. */
#ifndef ABLATE_MODEL_H
#define ABLATE_MODEL_H

/* Sets the thread count (0 = unchanged: OpenMP's own, or cpu_set_threads) and the allocator's behaviour for large
 * blocks. */
void model_init(int threads);
int model_threads(void);

#endif
