/* step.h - the graph of one training step: x_t = x0 + t z through the student, x_r = x0 + r z (in distillation: where a
 * frozen diffusion network leads from x_t, distill.h) through the teacher (same z, same dropout masks, no gradient),
 * the metric between the two answers, its weighted mean, and the backward pass.
 *
 * What changes from step to step is data: x0, z and a few numbers per sample, so one graph serves the whole
 * training. */
#ifndef ABLATE_STEP_H
#define ABLATE_STEP_H

#include "model/consistency/continuous.h"
#include "model/consistency/coupling.h"
#include "model/consistency/distill.h"
#include "model/consistency/posterior.h"
#include "model/nets/classifier.h"
#include "model/frozen/lpips_loss.h"
#include "model/nets/net.h"

struct step_options {
	int batch;
	bool dropout;          /* false for parity tests without masks */
	bool backward;         /* false: losses only */
	bool apart;            /* to measure by: the teacher in a pass of its own whatever the precision (change.h) */
	struct tensor **masks; /* NULL, or given masks (inputs of the graph), shared by student and teacher */
	int n_masks;
	const struct classifier *classifier; /* for loss.kind lpips-classifier */
	const struct lpips_loss *lpips;      /* for loss.kind lpips */
};

struct step {
	struct graph *g;
	struct tensor *x0, *z;   /* (N,H,W,C) inputs */
	struct tensor *labels;   /* (N,1,1,classes) one-hot input, or NULL */
	struct tensor *one;      /* (N,1,1,1) input: ones */
	struct tensor *weight;   /* (N,1,1,1) input: lambda */
	struct tensor *c;        /* (N,1,1,1) input: the loss's c where it changes with N(k), or NULL */
	struct tensor *d, *loss; /* results: per-sample metric (N), its weighted mean (1) */
	/* results: D(x_t, t), D(x_r, r); of continuous-time methods the network's answer and its target */
	struct tensor *student, *teacher;
	struct distill distill;                                                /* of method.kind = "cd" */
	struct continuous continuous;                                          /* of continuous-time methods */
	struct coupling coupling;                                              /* of coupling.generator_share > 0 */
	struct posterior posterior;                                            /* of target.references > 0 */
	struct tensor *sigma[2], *c_skip[2], *c_out[2], *c_in[2], *c_noise[2]; /* inputs (N): student, teacher */
	struct denoise frozen; /* of method.kind = "tcm": the first stage's answer at the teacher's point */
};

/* Are the teacher's weights an average of the student's, rather than the student's themselves? */
bool step_has_teacher(const struct run_config *c);
/* Does training keep a second average of the student's weights: the teacher's, or the one in STORE_AVERAGE, which is
 * TCM's first stage or what makes pictures for generator-augmented coupling? */
bool step_has_average(const struct run_config *c);
/* Begins a step on graph g (so that masks may be made on it first); not yet planned. */
struct step step_build(struct graph *g, const struct run_config *c, const struct net_spec *net, const struct params *p,
                       const struct step_options *o);
/* Fills sample i's numbers for student noise t, teacher noise r and weight w; r = 0 makes the teacher answer x_r = x0
 * itself (Song 2023's boundary; ECT's guard, where the network must not be evaluated at ln 0). r is not below t's
 * segment (segment_teacher). After graph_plan; graph_send brings them to a device. */
void step_set_noise(struct step *s, const struct run_config *c, int i, double t, double r, double w);

/* The same of a truncated training, where the frozen network may answer in the teacher's place. */
void step_set_truncated(struct step *s, const struct run_config *c, int i, double t, double r, double w, bool frozen);
/* The same for a continuous-time method at noise sigma in a step of which `warm` of the tangent counts. */
void step_set_continuous(struct step *s, const struct run_config *c, int i, double sigma, double warm, double w);
/* The same for MeanFlow: sample i at noise sigma, its mean velocity down to noise `lower`. */
void step_set_flow(struct step *s, const struct run_config *c, int i, double sigma, double lower, double w);
/* The loss's c of a step where loss.c_schedule changes it; nothing otherwise. As step_set_noise. */
void step_set_c(struct step *s, double c);

/* D(x, sigma) of one image batch for sampling: records onto g. */
struct denoiser {
	struct graph *g;
	struct tensor *x, *sigma, *c_skip, *c_out, *c_in, *c_noise, *labels, *out;
	struct tensor *c_gap; /* of a network of two times, or NULL */
};
struct denoiser denoiser_build(struct graph *g, const struct run_config *c, const struct net_spec *net,
                               const struct params *p, enum store store, int batch);
void denoiser_set_sigma(struct denoiser *d, const struct run_config *c, double sigma); /* all samples */
/* From now on the result is not D, but what leads from x towards it, down to noise `end` only (denoise.h). */
void denoiser_set_towards(struct denoiser *d, const struct run_config *c, double sigma, double end);

#endif
