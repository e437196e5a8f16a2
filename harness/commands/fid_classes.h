/* fid_classes.h - `ablate fid --per-class`. */
#ifndef ABLATE_FID_CLASSES_H
#define ABLATE_FID_CLASSES_H

#include "harness/commands/score_cli.h"

extern const struct json_key per_class_keys[]; /* of its JSON */
/* The whole of it; returns the exit code. */
int fid_classes(struct cli *c, const struct metric_options *o);

#endif
