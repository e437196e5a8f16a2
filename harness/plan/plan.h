/* plan.h - a grid expanded: rows (what tables show), arms (distinct configs), cells (arm and seed), and their states.
 *
 * Rows come in the order: product of axes and zips less the excludes, includes, chains; a grid with none of these is
 * its base alone. Rows that lead to the same config share one arm, which then has several labels; each arm has one
 * cell per training seed. Expanding looks at no machine state; the two callbacks, if given, supply the data's content
 * hash and the state of cells.
 *
 *     struct plan *p;
 *     if (grid_read(&g, path, e) || grid_set(g, "train.steps=100", e) || plan_expand(&p, g, &opt, e)) return -1;
 *     for (int i = 0; i < p->n_cells; i++) run(&p->arms[p->cells[i].arm].config, p->cells[i].seed);
 *
 * A frozen plan is a file that holds the sources, what was asked (--set, --only), and every arm and cell. Reading it
 * expands the sources again and refuses (exit 5) if another program version makes other cells of them. */
#ifndef ABLATE_PLAN_H
#define ABLATE_PLAN_H

#include "harness/grid/grid.h"
#include "harness/plan/cell.h"
#include "harness/plan/jobs.h"
#include "harness/plan/speed.h"
#include "harness/text/json_writer.h"
#include "harness/text/json_keys.h"

enum { PLAN_REASON = 512 }; /* bytes: room for a remedy with a path in it */
struct plan_row {
	const char *chain;   /* the chain's name; "" for rows of axes, includes and a lone base */
	const char *label;   /* within the chain: "base", "full", "+ Pseudo-Huber", "loss.kind=l2" */
	const char *name;    /* "CHAIN/LABEL", or the label where there is no chain */
	const char *variant; /* one-at-a-time: the variant's name; else "" */
	int arm;
	struct grid_place at; /* the place in the grid file that made it */
};

/* What training takes of a device's memory, where plan_memory.h has found it; else all is zero. */
struct plan_memory {
	char device[32];
	double bytes, limit; /* needed; there (0 = unknown) */
	int micro, parts;    /* samples at once; how often, for the share of a process */
	int largest;         /* where that does not fit: samples at once that do; 0 = none */
};

struct plan_arm {
	char hash[SHA256_HEX], dataset[SHA256_HEX]; /* dataset "" while the data is unknown */
	struct run_config config;                   /* finished */
	char *json;                                 /* canonical */
	const char *preset;                         /* of its first row; "" for none */
	int *rows, n_rows, cap_rows;
	const char **needs; /* what the variants and includes that made it need */
	int n_needs, cap_needs;
	struct plan_memory memory;
	/* Of what a process computes at once in training; of a whole step; of one evaluation of the network for one
	 * picture. 0 = unknown, as memory. */
	double gflop, step_gflop, image_gflop;
};

/* One training, of which several cells may be samplings (harness/record/stage.h). */
struct plan_training {
	char key[SHA256_HEX];
	int first, n_cells; /* its first cell; how many */
	double *ema;        /* decays of the averages that its cells name: sorted, each once */
	int n_ema, cap_ema;
};

struct plan_cell {
	char hash[SHA256_HEX];
	int arm, training; /* training: in plan.trainings */
	int64_t seed;
	enum cell_state state;
	bool trained;             /* pending, and the record has the checkpoint at the end of its training */
	char reason[PLAN_REASON]; /* of a blocked cell: what is missing */
	char made_by[64];         /* of a cached cell of another build: fingerprint, for people; "" else */
	double seconds;           /* estimate for a pending cell; 0 = unknown */
};

/* Something that cells wait for, once. */
struct plan_missing {
	const char *what;   /* "data set cifar10"; or a sentence, where a setting has to be changed */
	const char *about;  /* where it comes from and under which licence; or "" */
	const char *get[2]; /* commands that bring it, of which one is enough, NULL behind the last */
	const char *reason; /* that of a cell which it blocks */
	int cells;          /* that wait for it */
};

struct plan {
	struct grid *grid; /* owned */
	struct arena arena;
	char hash[SHA256_HEX]; /* of everything that the plan asks for, however the file spells it */
	struct plan_row *rows;
	struct plan_arm *arms;
	struct plan_cell *cells;         /* ordered by arm, seeds in the order given */
	struct plan_training *trainings; /* in order of their first cells */
	int n_rows, n_arms, n_cells, n_trainings, cap_rows, cap_arms;
	const char **only;
	int n_only;
	bool disk_known;              /* disk_free is */
	double disk_free;             /* bytes that can be written where the records go */
	struct jobs jobs;             /* cells at once and their threads, where that was chosen; else all is zero */
	struct speed speed;           /* by which time is estimated where no finished cell tells; else all is zero */
	struct plan_missing *missing; /* what was looked for and not found (plan_needs.h) */
	int n_missing;
	bool recorded; /* arms and cells have the hashes of a record (study_open.h), perhaps of an older program */
};

struct plan_options {
	void *ctx;
	/* Content hash of what a config reads (inputs.h): 0, or -1 with e (the cells are then blocked with that reason).
	 * NULL: unknown. */
	int (*dataset)(void *ctx, char hex[SHA256_HEX], const struct run_config *config, struct err *e);
	/* Sets cell->state, reason, trained and seconds; called once per cell that is not blocked by its data. NULL: all
	 * pending. */
	void (*state)(void *ctx, struct plan_cell *cell, const struct plan *plan);
	const char *const *only; /* labels or shell patterns of them; none = all rows */
	int n_only;
};

struct plan_sets {
	const char *const *v;
	int n;
}; /* --set */

/* Expands. Takes ownership of the grid on success; on failure it remains the caller's. opt may be NULL. */
MUST_CHECK int plan_expand(struct plan **out, struct grid *g, const struct plan_options *opt, struct err *e);
void plan_free(struct plan *p);    /* accepts NULL; frees the grid too */
void scoped_plan(struct plan **p); /* SCOPED(plan) struct plan *p = NULL; */

/* Does a user's `text` mean this row? Its name, its label, its variant, its arm's hash (12 digits or more), or a shell
 * pattern of the name. */
bool plan_row_is(const struct plan *p, const struct plan_row *row, const char *text);
/* The arm that `text` means: -1 with e if none, or if rows of several arms are meant. */
MUST_CHECK int plan_find_arm(int *arm, const struct plan *p, const char *text, struct err *e);

/* Keeps the rows that `only` names (n of them; 0 keeps all) and the arms that they lead to. A name without a row is
 * exit 2 with near names. Part of plan_expand. */
MUST_CHECK int plan_keep_only(struct plan *p, const char *const *only, int n, struct err *e);
/* The plan's hash into p->hash: of names, seeds, cells, labels, metrics, tables, gates and budget in sorted order. Part
 * of plan_expand. */
void plan_hash(struct plan *p);

/* Which cells share a training, into p->trainings. Part of plan_expand. */
void plan_find_trainings(struct plan *p);
/* Which cells will train: of the pending ones, or those that are not finished if blocked_too, whose training is not at
 * hand the first of each training. n_cells of them; heap. */
bool *plan_trainers(const struct plan *p, bool blocked_too);
/* What is to be made, each once whoever asks for it. */
struct plan_stages {
	int trainings, to_do;  /* all; those that a cell will train */
	int at_hand;           /* those of pending cells that the record has already */
	int sharing;           /* cells whose training is another cell's, too */
	int samplings, scores; /* of pending cells; with some luck the record has a part of them */
};
struct plan_stages plan_stages(const struct plan *p);

extern const struct json_key plan_keys[]; /* of plan_json */
/* The plan as one JSON object of plan_keys. */
void plan_json(struct str *out, const struct plan *p);
/* The same as a value inside other JSON, without a newline after it. */
void plan_add_json(struct json_writer *w, const char *name, const struct plan *p);
/* The same as readable text: counts, arms with labels and states, estimate. What `plan` and `run --dry-run` print. */
void plan_text(struct str *out, const struct plan *p);

/* Bytes of checkpoints and samples that the pending cells will keep. */
double plan_disk_bytes(const struct plan *p);

/* What the pending cells cost, or, with blocked_too, all that are not finished. Trainings whose arithmetic is not known
 * count as the mean of the others. Scores are not counted. */
struct plan_cost {
	int cells, trainings, unknown;         /* unknown: of the trainings, their arithmetic */
	double training_gflop, sampling_gflop; /* of products, convolutions and attention; multiply-adds count 2 */
	double memory_bytes;                   /* the most that a cell takes of the device's; 0 = unknown */
	double disk_bytes;
	double here_s, card_s; /* by p->speed, on this machine and on one such card; 0 = unknown */
	double card_bf16_s;    /* on that card, were all of it in bf16 */
	bool idle;             /* its steps are too short to keep that card busy */
};
struct plan_cost plan_cost(const struct plan *p, bool blocked_too);

/* Freezes the plan into a file, whole or not at all. */
MUST_CHECK int plan_write(const struct plan *p, const char *path, struct err *e);
/* What made a plan besides the text of its file, for the database: JSON {sources [{file, text}], set, only}, the first
 * source without its text. The caller's. */
char *plan_made_of(const struct plan *p);
/* A grid as the database has it: its [grid] name, its text, and what plan_made_of said ("{}" of an old record).
 * Expanded with the --set that it was run with and then those given, and the given --only or else those it was run
 * with. */
MUST_CHECK int plan_of_record(struct plan **out, const char *name, const char *toml, const char *made_of,
                              const struct plan_sets *more, const struct plan_options *opt, struct err *e);
/* Reads a frozen plan. opt gives states only: data hashes are the frozen ones. Exit 5 on a plan of another version. */
MUST_CHECK int plan_read(struct plan **out, const char *path, const struct plan_options *opt, struct err *e);

#endif
