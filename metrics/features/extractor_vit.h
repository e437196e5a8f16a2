/* extractor_vit.h - vision transformers (model/frozen/vit.h) as extractors: `dinov2`, 1024 features for FD-DINOv2, and
 * `clip`, 768 of unit length for CMMD. Each has one way to prepare pictures (model/frozen/vit_picture.h), which its
 * protocol names; neither gives class scores or spatial features. In fp32, on the CPU or a device. */
#ifndef ABLATE_EXTRACTOR_VIT_H
#define ABLATE_EXTRACTOR_VIT_H

#include "metrics/features/extractor.h"
#include "model/formats/safetensors.h"
#include "model/frozen/vit.h"

MUST_CHECK int extractor_dinov2_open(struct extractor **out, const struct extractor_options *o, struct err *e);
MUST_CHECK int extractor_clip_open(struct extractor **out, const struct extractor_options *o, struct err *e);

/* The same of any sizes and weights, which may be freed afterwards; name lives as long as the program. A resize other
 * than its own, and bf16, are usage errors. */
MUST_CHECK int extractor_vit_open(struct extractor **out, const char *name, const struct vit_spec *s,
                                  const struct safetensors *weights, const struct extractor_options *o, struct err *e);

#endif
