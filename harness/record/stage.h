/* stage.h - the stages of a cell: a training, samplings of it, scores of those. A key names what a stage makes, by all
 * that it depends on; who asks for the same key gets the same result, so each is made once.
 *
 *     training  SHA-256 of {dataset, numerics, seed, train}: train holds the settings of STAGE_TRAIN; all settings
 *               where the training samples on its way (eval.every)
 *     sampling  SHA-256 of {eval_seed, nfe, sample, training}: sample holds the settings of STAGE_SAMPLE that take
 *               part: ema.decay only where the averaged weights are sampled, sample.sigma_mid not at one evaluation
 *     score     SHA-256 of {extractor, metric, n, ref, sampling}
 *
 * as canonical JSON. A cell's own hash (harness/plan/cell.h) is as it always was, over all settings. A key that is no
 * knob of this version counts to training: it decided something once. */
#ifndef ABLATE_STAGE_H
#define ABLATE_STAGE_H

#include "model/base/err.h"
#include "model/base/io.h"

#include <stdint.h>

/* config: canonical JSON of an arm, of this version or an older one. EXIT_RECORD where it is not a JSON object. */

/* The settings of training, once for the many cells of an arm; canonical JSON, heap, NULL with e. */
char *stage_train_settings(const char *config, struct err *e);
void stage_training_of(char hex[SHA256_HEX], const char *settings, const char *dataset, int64_t numerics, int64_t seed);
/* Both. */
MUST_CHECK int stage_training_key(char hex[SHA256_HEX], const char *config, const char *dataset, int64_t numerics,
                                  int64_t seed, struct err *e);
MUST_CHECK int stage_sampling_key(char hex[SHA256_HEX], const char *training, const char *config, int nfe,
                                  int64_t eval_seed, struct err *e);
/* ref and extractor: as they are resolved, never "". */
void stage_score_key(char hex[SHA256_HEX], const char *sampling, const char *metric, const char *ref,
                     const char *extractor, int64_t n);

#endif
