/* extractor.c - the table of extractors; see extractor.h. */
#include "metrics/features/extractor.h"

#include "metrics/features/extractor_classifier.h"
#include "metrics/features/extractor_command.h"
#include "metrics/features/extractor_inception.h"
#include "metrics/features/extractor_pixels.h"
#include "metrics/features/extractor_vit.h"
#include "model/base/mem.h"
#include "model/base/str.h"
#include "model/data/shapes.h"

#include <string.h>

const struct extractor_row extractor_rows[] = {
	{ .name = "inception-2015",
	  .open = extractor_inception_2015_open,
	  .text = "the network of published FIDs: 2048 features, class scores, sFID's features" },
	{ .name = "inception-keras",
	  .open = extractor_inception_keras_open,
	  .text = "Inception v3 of Keras: the same, values not comparable with published FIDs" },
	{ .name = "dinov2",
	  .open = extractor_dinov2_open,
	  .text = "DINOv2 ViT-L/14 at 224, for FD-DINOv2 (`fid -e dinov2`): 1024 features" },
	{ .name = "clip",
	  .open = extractor_clip_open,
	  .text = "CLIP ViT-L/14 at 336, as CMMD feeds it: 768 features of unit length" },
	{ .name = "classifier:b",
	  .open = extractor_classifier_b_open,
	  .text = "the in-tree classifier that scores (of the data set, or Fashion-MNIST's): 128 pooled features, class "
	          "scores" },
	{ .name = "classifier:a",
	  .open = extractor_classifier_a_open,
	  .text = "the other one, whose layers are the loss lpips-classifier: a grid with that loss needs allow_leak" },
	{ .name = "classifier",
	  .open = extractor_classifier_open,
	  .text = "classifier:b, or the weights of `ablate classifier` in a file" },
	{ .name = "pixels",
	  .open = extractor_pixels_open,
	  .text = "the picture's own bytes / 255, averaged to 8 x 8: needs no weights; for checks, not for papers" },
	{ .name = "all-pixels",
	  .open = extractor_all_pixels_open,
	  .text = "every value of the picture / 255, so height x width x channels features; pictures of one size" },
	{ 0 },
};

int extractor_open(struct extractor **out, const char *name, const struct extractor_options *o, struct err *e)
{
	SCOPED(str) struct str known = { 0 };
	if (extractor_is_command(name))
		return extractor_command_open(out, name, o, e);
	for (const struct extractor_row *row = extractor_rows; row->name; row++) {
		if (strcmp(row->name, name) == 0)
			return row->open(out, o, e);
		str_addf(&known, "%s%s", known.len ? ", " : "", row->name);
	}
	return err_code(e, EXIT_USAGE, "no extractor '%s'; known are: %s, command:PROGRAM ARGS", name, str_text(&known));
}

void extractor_free(struct extractor *x)
{
	if (x)
		x->free(x);
}

void scoped_extractor(struct extractor **x)
{
	extractor_free(*x);
}

const char *extractor_default(const char *data)
{
	static const struct {
		const char *data, *extractor;
	} own[] = {
		{ "fashion-mnist", "classifier:b" },
		{ "cifar10", "inception-2015" },
		{ "imagenet64", "inception-2015" },
	};
	char base[DATA_NAME_MAX];
	(void)data_name_side(base, data);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (strcmp(own[i].data, base) == 0)
			return own[i].extractor;
	return "pixels";
}
