/* cases.h - what the families of parity_metrics share: the folder, the seed letter, the comparisons and their count.
 *
 * A family is a function that looks for its files in the folder, says what is absent, and reports each array. It reads
 * nothing outside the folder but the formula generator. */
#ifndef ABLATE_CASES_H
#define ABLATE_CASES_H

#include "model/formats/npz.h"
#include "model/base/mem.h"
#include "model/frozen/inception.h"
#include "model/frozen/resize.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct cases {
	const char *dir;
	char letter; /* seed letter of pictures whose names do not carry one ("A32" + 'p') */
	int passed, failed, skipped;
	struct inception *net;                /* of formula weights; made when first asked for */
	float *tf_features[2], *tf_logits[2]; /* torch-fidelity's features of A32 and B32, kept between families */
};

/* ---- comparing ---- */

/* got against the reference in double; peer is the peer's own float32 result, or NULL. Allowed, in the largest and in
 * the root-mean-square deviation: 4 times the peer's, but not less than 4 float32 roundings of the largest value.
 * Without a peer: largest and rms as given. NaN fails. */
void cases_array(struct cases *c, const char *name, const double *got, const double *want, const double *peer,
                 int64_t n, double max_allowed, double rms_allowed);
/* |got - want| <= allowed. */
void cases_value(struct cases *c, const char *name, double got, double want, double allowed);
/* Equal bit for bit. */
void cases_equal(struct cases *c, const char *name, bool equal, const char *what);
void cases_skip(struct cases *c, const char *name, const char *why);
/* A file that is there but cannot be used. */
void cases_broken(struct cases *c, const char *name, const struct err *e);

/* ---- reading ---- */

/* DIR/name as JSON / .npz; false (and reported as skipped, or as failed when damaged) when absent. */
bool cases_json(json_t **out, struct cases *c, const char *name);
bool cases_npz(struct npz **out, struct cases *c, const char *name);
/* An array as doubles (heap), or NULL with its absence reported when `family` is not NULL; *n receives its size. */
double *cases_doubles(struct cases *c, const char *family, struct npz *z, const char *key, int64_t *n);
/* results.a.b... of a JSON as a number; NAN when absent. */
double cases_number(const json_t *object, const char *key);
/* The name with its letter: "A32/3" becomes "A32p/3". Heap text. */
char *cases_picture(const struct cases *c, const char *name);

/* ---- the network ---- */

enum cases_input { INPUT_PYTORCH_FID, INPUT_TORCH_FIDELITY, INPUT_CLEAN };
enum { CASES_MAX_PICTURES = 4096 };
/* The network's input of a picture, [299][299][3]. */
void cases_input(float *dst, const char *picture, enum cases_input how);
struct inception *cases_net(struct cases *c);
/* Runs n named pictures; any of out's arrays may be NULL. */
void cases_run(struct cases *c, const char *const *names, int n, enum cases_input how, const struct inception_out *out);
/* torch-fidelity's features and class scores of the whole set A32 (0) or B32 (1), computed once. */
void cases_tf_set(struct cases *c, int which);

/* ---- families ---- */

void family_images(struct cases *c);
void family_png_modes(struct cases *c);
void family_block_stats(struct cases *c);
void family_features(struct cases *c);
void family_clean(struct cases *c);
void family_feature_sets(struct cases *c);
void family_fid_sets(struct cases *c);
void family_fid_synthetic(struct cases *c);
void family_kid_is_prc(struct cases *c);
void family_lpips(struct cases *c);
void family_lpips_openai(struct cases *c);

#endif
