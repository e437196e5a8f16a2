/* worker_score_private.h - what the parts of worker_score.c share: the requests of a job and the samples that they are
 * about. worker_samples.c makes, takes and keeps samples; worker_during.c has pictures and scores on the way. */
#ifndef ABLATE_WORKER_SCORE_PRIVATE_H
#define ABLATE_WORKER_SCORE_PRIVATE_H

#include "harness/record/score_key.h"
#include "harness/run/worker_score.h"

enum { PICTURE_SIDE = 8 }; /* tiles of the picture that is drawn of samples */

/* One [[metric]] of the grid. */
struct request {
	const struct job_score *asked;
	const struct metric *row, *infinity; /* infinity: NULL unless it is asked for, too */
	struct metric_options options;
	struct score_request key;
	char *reference, *ref; /* what it compares with, and how that counts in keys; heap */
	int group;
	bool known; /* all its scores of the samples at hand */
};

/* Requests that share the features of both sides: one extractor, reference and number of samples. */
struct group {
	int x;
	const char *ref;
	int64_t samples;
}; /* x: in scorer.extractors */

/* Samples to be made, once for all who ask for them. */
struct samples {
	uint8_t *px;
	int64_t n;
	int h, w, c, nfe;
	int64_t seed;
	bool picture;
	char key[SHA256_HEX]; /* of the sampling */
};

/* Scores of a training on its way, summed over the evaluation seeds. */
struct during {
	struct {
		char *name; /* of the curve, heap */
		double sum;
		int n;
	} * v;
	int n, cap;
};

struct scorer {
	struct worker *w;
	const struct run_config *config;
	struct request *requests;
	struct group *groups;
	struct samples *samples; /* in the order in which the grid names them */
	int n_requests, n_groups, cap_groups, n_samples, cap_samples;
	struct {
		const char *name;
		struct extractor *x;
	} * extractors;
	int n_extractors, cap_extractors;
	/* where scores go while the training is on its way; at its end NULL: into the journal */
	void (*take)(struct during *to, const char *extractor, const struct score_list *list, const struct group *g,
	             const struct samples *m);
	struct during *during;
};

/* The samples' images into m->px: read from an earlier attempt's file as far as one has them, then made, and kept in a
 * file. make: false where only what there is is wanted. *got: how many there are. */
MUST_CHECK int samples_get(struct samples *m, int64_t *got, struct scorer *s, bool *stopped, const char *checkpoint,
                           bool make, struct err *e);
/* Makes all of them. */
MUST_CHECK int samples_make(struct samples *m, struct scorer *s, bool *stopped, const char *checkpoint, struct err *e);
/* A row of an output or an input of the attempt; path: of the file, whose SHA-256 is taken. items < 0: unknown. */
MUST_CHECK int scorer_record_file(struct worker *w, const char *table, const char *role, const char *kind,
                                  const char *path, int64_t items, struct err *e);
/* A grid of the first of them, into the attempt's folder: picture@STEPS, or during@STEPS/STEP of a training that is at
 * that step; step < 0: at its end. */
MUST_CHECK int samples_draw(struct scorer *s, const struct samples *m, int64_t step, struct err *e);
/* What computes a request, unless that is open. */
MUST_CHECK int scorer_open_request(struct request *r, struct scorer *s, struct err *e);
/* Is the request about these samples? */
bool scorer_wants(const struct request *r, const struct samples *m);
/* Scores m by the requests that want it and are not known. */
MUST_CHECK int scorer_score(struct scorer *s, const struct samples *m, int64_t step, struct err *e);

#endif
