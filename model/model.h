/* model.h - what a program does once before it uses the engine. */
#ifndef ABLATE_MODEL_H
#define ABLATE_MODEL_H

/* Sets the thread count (0 = what OpenMP would take) and the allocator's behaviour for large blocks. */
void model_init(int threads);
int model_threads(void);

#endif
