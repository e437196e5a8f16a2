/* batch_jobs.h - the tasks of a database that --engine command submitted and that are not known to be over, in
 * X-runs/batch/jobs.json:
 *
 *     {"schema": 1, "unanswered": 0, "engines": [{"dir", "query", "cancel", "jobs": [{"id", "plan", "index", "key"}]}]}
 *
 * An engine is the commands by which its jobs are asked for and cancelled, and the folder in which these are started:
 * `ablate status` and `ablate cancel` have no grid that would say. As the folder may be from elsewhere, they start only
 * what this user has run a grid with (allowed.h). "unanswered" is the
 * number of tasks of a submission whose answer was not noted: written before it, and 0 after. */
#ifndef ABLATE_BATCH_JOBS_H
#define ABLATE_BATCH_JOBS_H

#include "harness/batch/batch_contract.h"
#include "harness/slurm/slurm_queue.h"

struct batch_entry {
	const char *id, *plan, *key; /* plan: its hash; key: 12 digits of the training's */
	int index;                   /* into the plan */
	enum batch_state state;      /* BATCH_PENDING until it was asked for */
	const char *reason;          /* "" = none was given */
};
struct batch_engine {
	const char *dir;
	const char **query, **cancel; /* NULL at the end */
	struct batch_entry *v;
	int n, cap;
};
struct batch_jobs {
	struct batch_engine *v;
	int n, cap, unanswered;
	struct arena arena; /* all texts */
};

/* What the file says; nothing where there is none. A file that cannot be read is EXIT_RECORD. */
MUST_CHECK int batch_jobs_read(struct batch_jobs *out, const char *db, struct err *e);
MUST_CHECK int batch_jobs_write(const struct batch_jobs *jobs, const char *db, struct err *e);
void scoped_batch_jobs(struct batch_jobs *jobs); /* SCOPED(batch_jobs) struct batch_jobs jobs = { 0 }; */
int batch_jobs_count(const struct batch_jobs *jobs);

/* From now on this user may have these commands started: a grid has named them. */
MUST_CHECK int batch_engine_allow(const char *dir, const struct slurm_list *query, const struct slurm_list *cancel,
                                  struct err *e);
/* Has the engine's command, query or cancel, do it for all of its jobs; *answer as batch_call's. One that was not
 * allowed is EXIT_USAGE with what to do. */
MUST_CHECK int batch_engine_call(json_t **answer, const struct batch_engine *engine, const char *verb, struct err *e);
/* Asks every engine for the states of its jobs. */
MUST_CHECK int batch_jobs_ask(struct batch_jobs *jobs, struct err *e);
/* Removes those that are over; true if there were any. */
bool batch_jobs_drop(struct batch_jobs *jobs);
/* The engine with these commands, made where it is missing. */
struct batch_engine *batch_engine_of(struct batch_jobs *jobs, const char *dir, const struct slurm_list *query,
                                     const struct slurm_list *cancel);
/* One more job; all texts are copied. */
void batch_jobs_add(struct batch_jobs *jobs, struct batch_engine *engine, const struct batch_entry *job);
/* Those in the queue as Slurm's would be: a job of its own for each task, numbered. */
void batch_jobs_queue(struct slurm_queue *out, const struct batch_jobs *jobs);

char *batch_dir(const char *db); /* heap text: X-runs/batch */

#endif
