/* references.h - the pictures that a step's targets are made from where target.references > 0 (posterior.h): drawn from
 * the training set for each step, without repeats, and mirrored as training pictures are. They follow from the seed and
 * the number of the step alone, so they are the same for all micro-batches and processes that share a step.
 *
 *     references_open(&r, b, &data, m, e);
 *     for each part of each step:  references_draw(&r, &draws, k);  references_tell(&r, &step, samples, n);
 *                                  then graph_send, and on the device references_fill before the graph runs */
#ifndef ABLATE_REFERENCES_H
#define ABLATE_REFERENCES_H

#include "model/train/draw.h"

struct references {
	struct backend *b; /* borrowed */
	int m;             /* how many; 0: none, and all below does nothing */
	bool classes;      /* of a sample's class only */
	struct sample_draw *draws, *draws_on;
	int32_t *place; /* of each training picture among them, or -1 */
	int64_t n;      /* training pictures */
	int64_t step;   /* that draws are of */
};

/* EXIT_USAGE where the set does not have more pictures than that. What is opened halfway can be released. */
MUST_CHECK int references_open(struct references *r, struct backend *b, const struct run_config *c,
                               const struct dataset *data, struct err *e);
void references_release(struct references *r);
/* The references of step k, to the device. */
void references_draw(struct references *r, const struct draws *d, int64_t k);
/* Which of them is each sample's own picture, and the classes, into the step's inputs. */
void references_tell(const struct references *r, struct step *s, const struct sample_draw *samples, int n);
/* Starts making the step's input of them. images: the training set on the device, of the data's shape. */
void references_fill(const struct references *r, struct step *s, const struct step_control *control,
                     const uint8_t *images);

#endif
