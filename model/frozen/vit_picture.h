/* vit_picture.h - a picture of bytes as a vision transformer takes it: (u / 255 - mean) / sd, per channel, in float, of
 * a square that Pillow's bicubic on bytes (image_resize.h) made.
 *   DINOv2  the whole picture whatever its shape, so its aspect is lost; mean and sd of ImageNet (dgm-eval,
 *           dgm_eval/models/dinov2.py)
 *   CLIP    its largest centred square; CLIP's mean and sd (cmmd, io_util.py and embedding.py). Not what openai/CLIP's
 *           own transform gives, which resizes first and cuts then. */
#ifndef ABLATE_VIT_PICTURE_H
#define ABLATE_VIT_PICTURE_H

#include "model/data/image_u8.h"
#include "model/frozen/vit.h"

/* dst[side][side][3]; grey is repeated. */
MUST_CHECK int vit_picture(float *dst, const struct vit_spec *s, const struct image_u8 *im, struct err *e);
/* How that is called in a protocol: "pillow-bicubic", "square-pillow-bicubic". */
const char *vit_picture_name(enum vit_family family);

#endif
