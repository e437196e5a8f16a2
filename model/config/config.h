/* config.h - struct run_config: every setting that can change a result, and the knob table over it.
 *
 * One row of the table (knobs.c) is one knob: its dotted key, type, range or choices, default, unit, help and
 * source. Grid checking, `ablate explain`, `ablate config`, the run header, the canonical JSON and so the arm's hash
 * all follow from the rows, and so does the struct's layout through `offset`.
 *
 * Calling sequence: config_defaults, then config_preset and config_set as often as wished (later wins), then
 * config_finish, which evaluates expressions and checks what no single row can. Only a finished config is hashed,
 * printed as JSON or run. The seed is not a knob: a config is an arm, an arm and a seed are a cell. */
#ifndef ABLATE_CONFIG_H
#define ABLATE_CONFIG_H

#include "model/base/err.h"
#include "model/base/io.h"
#include "model/base/str.h"
#include "model/graph/backend.h"
#include "model/nets/net_kind.h"
#include "model/graph/optim.h"

#include <stdbool.h>
#include <stdint.h>

/* Part of every cell's identity. Bumped when a golden test shows that the same config gives other bits. */
#define NUMERICS_VERSION 4

#define KNOB_TEXT_MAX 256
#define KNOB_LIST_MAX 8

enum method_kind { METHOD_CT, METHOD_ECT, METHOD_CD, METHOD_SCT, METHOD_TCM, METHOD_MEANFLOW, METHOD_CT_CONTINUOUS };
enum loss_kind {
	LOSS_PSEUDO_HUBER,
	LOSS_LPIPS,
	LOSS_L2,
	LOSS_L1,
	LOSS_LPIPS_CLASSIFIER,
	LOSS_HUBER_PIXEL,
	LOSS_LPIPS_AVERAGE,
	LOSS_HUBER_ELEMENT,
	LOSS_CAUCHY
};
enum loss_reduce { REDUCE_SUM, REDUCE_MEAN };
enum c_schedule { C_CONSTANT, C_SLCT, C_SLCT_RELATIVE };
enum weight_kind {
	WEIGHT_INVERSE_GAP,
	WEIGHT_UNIFORM,
	WEIGHT_SNR,
	WEIGHT_SNR_PLUS_1,
	WEIGHT_TRUNCATED_SNR,
	WEIGHT_SNR_PK,
	WEIGHT_LEARNED,
	WEIGHT_ADAPTIVE
};
enum noise_dist { NOISE_LOGNORMAL, NOISE_UNIFORM };
enum noise_pairing { PAIRING_INDEPENDENT, PAIRING_TRANSPORT };
enum disc_kind { DISC_EXP, DISC_CONSTANT, DISC_SQRT, DISC_LINEAR, DISC_SQRT_SHORT, DISC_SQUARE, DISC_COSINE };
enum mu_exponent { MU_N_MINUS_1, MU_N };
enum precond_kind { PRECOND_CM, PRECOND_EDM, PRECOND_SQUARED_C_IN, PRECOND_DIFFUSERS, PRECOND_TRIGFLOW, PRECOND_FLOW };
enum sigma_grid { GRID_DOUBLE, GRID_SINGLE, GRID_ROUNDED };
enum sample_weights { SAMPLE_EMA, SAMPLE_STUDENT, SAMPLE_TEACHER };
enum quantize_kind { QUANTIZE_ROUND, QUANTIZE_TRUNCATE };
enum cd_solver { SOLVER_HEUN, SOLVER_EULER };

struct knob_list {
	int n, v[KNOB_LIST_MAX];
};
/* A number, or one named value: teacher.ema = 0.95 | "schedule". */
struct knob_number {
	bool named;
	double value;
};
/* A number given directly or as an expression in d = channels * height * width of the data. */
struct knob_expr {
	double value;
	char text[KNOB_TEXT_MAX];
}; /* text[0] == 0 once evaluated */

struct run_config {
	struct {
		char name[KNOB_TEXT_MAX];
		bool flip;
	} data;
	struct {
		int kind;
		struct knob_list mult, attn;
		int channels, blocks, classes, patch, dropout_at;
		double dropout, fourier_scale;
		bool scale_shift;
		char init[KNOB_TEXT_MAX];
	} net;
	struct {
		int kind;
	} method;
	struct {
		int segments;
	} multistep;
	struct {
		struct knob_number ema;
		double mu0;
		int mu_exponent;
		bool shared_dropout;
	} teacher;
	struct {
		int kind, reduce, c_schedule;
		struct knob_expr c;
	} loss;
	struct {
		int kind;
		double p, eps;
	} weight;
	struct {
		int dist, pairing;
		double mean, std;
	} noise;
	struct {
		int kind, s0, s1;
	} disc;
	struct {
		double min, max, data, rho;
		int grid;
	} sigma;
	struct {
		int kind;
		double time_scale;
	} precond;
	struct {
		double q, k, b, ratio_max;
		int stage_steps;
	} ect;
	struct {
		char teacher[KNOB_TEXT_MAX];
		int solver;
	} cd;
	struct {
		double c;
		int warmup;
	} tangent;
	struct {
		double first, ema, lr, split, share, weight, df, scale;
	} tcm;
	struct {
		double generator_share, ema;
	} coupling;
	struct {
		int references;
	} target;
	struct {
		double share;
	} meanflow;
	struct {
		int kind;
		double lr, beta1, beta2, eps;
	} optim;
	struct {
		int steps, batch, microbatch;
		int dtype;
	} train;
	struct {
		double decay;
	} ema;
	struct {
		int every;
	} eval;
	struct {
		int weights, quantize;
		double sigma_mid;
		bool clip;
	} sample;
};

enum knob_type {
	KNOB_BOOL,
	KNOB_INT,
	KNOB_DOUBLE,
	KNOB_EXPR,
	KNOB_CHOICE,
	KNOB_NUMBER_OR_NAME,
	KNOB_INTS,
	KNOB_STRING
};

/* What a setting takes part in: cells that differ only in later stages share the results of the earlier ones
 * (harness/record/stage.h). */
enum knob_stage {
	STAGE_TRAIN, /* training, and all that follows from it */
	STAGE_SAMPLE /* only sampling from trained weights */
};

struct knob {
	const char *key; /* dotted, e.g. "loss.c" */
	enum knob_type type;
	size_t offset;       /* in struct run_config */
	double min, max;     /* numbers and list elements, inclusive */
	const char *choices; /* KNOB_CHOICE: "a|b|c" in the order of its enum; KNOB_NUMBER_OR_NAME: the one name */
	const char *def;     /* default, as a user would write it */
	char unit[8];        /* "" when it has none; an array, so that a row without one need not say so */
	const char *text;    /* help, one sentence */
	const char *source;  /* where the paper or its code says so; "" for knobs of our own */
	enum knob_stage stage;
	const char *methods; /* the names of method.kind that use it, "ct|cd"; NULL: every one */
	bool later;  /* came after the first records: left out of the JSON at its default; a bool, a number or a choice */
	bool looks;  /* what is looked at on the way, which changes nothing of the result: no deviation from a paper */
	bool placed; /* where a cell runs, not what it is: not in its JSON, so in no hash; 0 or "" where it is read */
};

/* A value on its way into a knob, from TOML, JSON or text. */
enum value_type { VALUE_BOOL, VALUE_INT, VALUE_DOUBLE, VALUE_STRING, VALUE_INTS };
struct knob_value {
	enum value_type type;
	bool b;
	int64_t i;
	double d;
	const char *s;
	struct knob_list list;
};

const struct knob *config_knobs(int *n);         /* the table, sorted by key */
const struct knob *config_find(const char *key); /* NULL when there is none */
/* Does a knob's key begin with `name` and a dot, as that of loss.c does with "loss"? */
bool config_is_group(const char *name);
/* Does a method (enum method_kind) use the knob? */
bool config_method_has(int method, const struct knob *k);
char *config_method_name(int method); /* as it is written; heap */
/* "unknown key 'loss.knd'; did you mean loss.kind?" with EXIT_USAGE. Returns -1. */
int config_unknown(const char *key, struct err *e);

void config_defaults(struct run_config *c);
/* Applies preset `name` (e.g. "ict-cifar10", "ict-cifar10-small"). Unknown: EXIT_USAGE with near names. */
MUST_CHECK int config_preset(struct run_config *c, const char *name, struct err *e);
/* Applies what the scaling in a preset's name ("ict-cifar10-small") changes once more, over settings made since. A name
 * without one changes nothing. */
void config_scale(struct run_config *c, const char *preset);
/* Sets one knob. Unknown key, wrong type, out of range, unknown choice: EXIT_USAGE, *c unchanged; the caller puts
 * file:line:col in front. An integer is accepted where a number is asked for. */
MUST_CHECK int config_set(struct run_config *c, const char *key, const struct knob_value *v, struct err *e);
/* The same from text as on a command line: "true", "3", "[1, 2]", "pseudo-huber". */
MUST_CHECK int config_set_text(struct run_config *c, const char *key, const char *text, struct err *e);
/* Evaluates expressions and checks settings against each other. Needs the data set's shape: model/data/dataset.h's
 * table. */
MUST_CHECK int config_finish(struct run_config *c, struct err *e);
/* What finishing and writing earlier configs of the same grid found: networks that passed, numbers as text. It saves
 * time and changes no result; not for several threads at once. Heap; config_memo_free(NULL) is fine, and a `memo` of
 * NULL remembers nothing. */
struct config_memo;
struct config_memo *config_memo_new(void);
void config_memo_free(struct config_memo *m);
/* config_finish and config_json (below) for the many arms of one grid. */
MUST_CHECK int config_finish_with(struct run_config *c, struct config_memo *memo, struct err *e);
char *config_json_with(const struct run_config *c, struct config_memo *memo);
/* Are its noise levels neighbours in a grid of N(k) points (disc.*), rather than drawn each by itself? */
bool config_has_grid(const struct run_config *c);
/* Is its target made of the change of the network's own answer, at one noise level (consistency/continuous.h)? */
bool config_is_continuous(const struct run_config *c);
/* coupling.generator_share and target.references, or 0 where the method has no such knob. */
double config_generator_share(const struct run_config *c);
int config_references(const struct run_config *c);
/* Does training with it need the LPIPS weights, VGG16 and its heads? */
bool config_needs_lpips(const struct run_config *c);

/* Canonical JSON of a finished config: one object, flat dotted keys, sorted, every default written out, numbers as
 * shortest round-trip. Knobs that came after the first records (`later` in their row) are left out at their default, so
 * that a config keeps its hash. Heap text. */
char *config_json(const struct run_config *c);
/* Do two canonical configs differ in nothing that training depends on? Then each may continue what the other began,
 * where that has its averages. */
bool config_trains_alike(const char *a, const char *b);
/* Reads what config_json writes (unknown or missing keys are errors, later ones may be missing); the result is
 * finished. */
MUST_CHECK int config_from_json(struct run_config *c, const char *json, struct err *e);
/* Arm hash: SHA-256 of the canonical JSON. */
void config_hash(char hex[SHA256_HEX], const struct run_config *c);
/* One knob's value as a user would write it; heap text. */
char *config_value_text(const struct run_config *c, const struct knob *k);

/* Presets: rows of values with their locus. */
struct preset_value {
	const char *key, *value, *source;
};
/* Values end with key NULL; scaled (or NULL): what any scaling changes in it besides, since published weights fit the
 * full size only. */
struct preset {
	const char *name, *text;
	const struct preset_value *values, *scaled;
};
const struct preset *config_presets(int *n);  /* the papers' full settings and our own small ones */
const struct preset *config_scalings(int *n); /* "-small", "-tiny": may follow any preset's name */
/* The full-scale preset that `name` scales ("ict-cifar10-small" -> ict-cifar10) and its scaling (or NULL). NULL when
 * unknown. */
const struct preset *config_find_preset(const char *name, const struct preset **scaling);

#endif
