/* score_cli.h - what `ablate fid`, `kid`, `is`, `pr`, `metrics` and `features` share: naming the two sides, extracting
 * features with a progress bar, and printing the scores. */
#ifndef ABLATE_SCORE_CLI_H
#define ABLATE_SCORE_CLI_H

#include "harness/cli/cmd.h"
#include "metrics/scores/score.h"
#include "harness/text/json_keys.h"

#define SCORE_SOURCES_HELP \
	"A source is a folder, zip or tar of pictures (PNG, JPEG, WebP, TIFF; sub-folders too), an LMDB database " \
	"of them, an IDX file (.gz too), CIFAR-10's folder or archive, or a file of arrays: .npz, .npy, HDF5, or a " \
	"pickle of numpy arrays, which is never executed. Arrays of uint8 images are arr_0, images, samples " \
	"(N,H,W,C), imgs (N,C,H,W too) or data (N rows of three square planes); features are features, feats or " \
	"pool_3; statistics are mu and sigma, mean and cov, or StyleGAN's sums, as this program, pytorch-fid, " \
	"clean-fid and others write them. Where there is no such path, it is a data set's name: NAME or NAME- " \
	"train, NAME-test, NAME@SIDE (`ablate data list`). stats:NAME are published statistics (`ablate stats " \
	"list`). All images of a source have one size, unless --mixed-sizes is given."

/* Rows of a command's option table that choose the features. */
#define SCORE_EXTRACTOR_OPTIONS \
	{ .name = "extractor", \
	  .letter = 'e', \
	  .kind = OPT_STRING, \
	  .arg = "NAME", \
	  .help = "what makes the features; command:PROGRAM ARGS is one of your own" }, \
		{ .name = "weights", \
		  .letter = 'w', \
		  .kind = OPT_STRING, \
		  .arg = "FILE", \
		  .help = "its weights, instead of those in the cache" }, \
		{ .name = "resize", \
		  .kind = OPT_STRING, \
		  .arg = "NAME", \
		  .help = "pre-processing, instead of the extractor's own" }, \
		{ .name = "mixed-sizes", \
		  .kind = OPT_FLAG, \
		  .help = "pictures of any size, each resized by itself: in the protocol" }, \
		{ .name = "bf16", .kind = OPT_FLAG, .help = "bfloat16 arithmetic: faster, and part of the protocol" }, \
		{ .name = "device", .kind = OPT_STRING, .arg = "D", .help = "auto, cpu, cuda or cuda:N (default auto)" }, \
		{ .name = "batch", \
		  .kind = OPT_INT, \
		  .arg = "N", \
		  .min = 1, \
		  .max = 4096, \
		  .help = "images per call of the network" }, \
		{ .name = "limit", \
		  .letter = 'n', \
		  .kind = OPT_INT, \
		  .arg = "N", \
		  .min = 2, \
		  .max = 1e12, \
		  .help = "a random subset of N images of A; the protocol says so" }, \
	{ \
		.name = "seed", .kind = OPT_INT, .arg = "N", .min = 0, .max = UINT32_MAX, .help = "which subset (default 0)" \
	}
#define SCORE_INTERVAL_OPTION \
	{ \
		.name = "no-interval", .kind = OPT_FLAG, \
		.help = "leave out the jackknife interval of FID, which costs 20 distances" \
	}

#define SCORE_SHUFFLE_OPTION \
	{ \
		.name = "no-shuffle", .kind = OPT_FLAG, .help = "splits of the Inception Score in the order of the images" \
	}

/* The default of --extractor. */
#define SCORE_EXTRACTOR "inception-2015"

struct score_side {
	const char *path;
	struct feature_set set;        /* loaded, or extracted from source */
	struct feature_set statistics; /* those beside the pictures of source, if any: of the Frechet distances */
	char drawn[PROTOCOL_DRAWN];    /* how score_side_draw drew its pictures; "" = all are there */
	struct source *source;
};

/* Opens a path: loads features or statistics, or opens the pictures, with the statistics beside them where the file has
 * both, and says what was left out. */
MUST_CHECK int score_side_open(struct score_side *s, const struct cli *c, const char *path, struct err *e);
/* The subset of -n and --seed, of the first side alone; a reference is never cut. EXIT_USAGE where it has fewer
 * pictures, or features instead. */
MUST_CHECK int score_side_draw(struct score_side *s, const struct cli *c, struct err *e);
/* Extracts the features of the sides that are pictures (n sides), opening the extractor once. keep, want: bits per side
 * (feature_set.h); what is wanted and the extractor does not have is left out if `optional`, else an error before the
 * first image. Does nothing for sides that are loaded already, nor for one with statistics of which no bit is
 * wanted. */
MUST_CHECK int score_extract(struct score_side *sides, int n, const struct cli *c, const unsigned *keep,
                             const unsigned *want, bool optional, struct err *e);
void score_side_release(struct score_side *s);

/* " ± 0.1 (what that is)" where there is a half-width, and "; no interval: why" where there is none. */
void score_print_spread(const struct score *s);
void score_print_no_spread(const struct score *s);
extern const struct json_key score_keys[], score_side_keys[]; /* of score_json and score_side_json */
extern const struct json_key scores_keys[];                   /* of the commands that print scores ... */
extern const struct json_form score_forms[];                  /* ... and nothing else */
/* One score of --json: its value as decimal and hex, half-width or why there is none, n, protocol, warning, parts. */
json_t *score_json(const struct score *s);

/* A side of --json: path, n, sha256, protocol of its features. */
json_t *score_side_json(const struct score_side *s);
/* A back end for a distance's singular values, by --device; NULL where that is the host. */
MUST_CHECK int score_device_open(struct backend **out, const struct cli *c, struct err *e);

/* The whole of a command that computes `n` metrics over its one or two arguments. Optional ones are left out with a
 * note where a side does not support them. Returns the exit code. */
int score_command(struct cli *c, const struct metric *const *metrics, int n, bool optional,
                  const struct metric_options *o);

#endif
