/* slurm_submission.h - the jobs that run a plan: what each is given to sbatch and what its script does, before anything
 * is submitted.
 *
 * Resources go to the tasks alone. The merge job asks for one processor and little memory, in the same partition and on
 * the same account. */
#ifndef ABLATE_SLURM_SUBMISSION_H
#define ABLATE_SLURM_SUBMISSION_H

#include "harness/slurm/slurm_queue.h"
#include "harness/slurm/slurm_site.h"

#define SLURM_WARN_S 120 /* before the time limit, a task is told to stop; earlier, where the limit is short */

struct slurm_options {
	const char *db, *device;
	const char *microbatch; /* as --microbatch has it; NULL = not given */
	int jobs, threads;      /* tasks at once, threads of each process, as given; 0 = as [slurm] says */
	int ranks;              /* processes of a cell; 0 and 1 = one */
	bool again, hidden;     /* --again, --no-identity */
	struct grid_slurm slurm;
	struct slurm_site site;
	const char *const *extra; /* --sbatch: further options, which come last */
	int n_extra;
};

struct slurm_job {
	char *script, *text; /* path and content of the job script */
	const char **word;   /* of sbatch, without dependency and script */
	int n_words, cap_words;
	int first, n;         /* of the cells that were asked for: the tasks; n = 0: the merge job */
	int base;             /* plan index of task 0 */
	int behind;           /* the job of this submission that it waits for, whatever its end; -1 = none */
	long long behind_job; /* one that is in the queue already; 0 = none */
};
struct slurm_submission {
	struct slurm_job *v; /* arrays, each with its chain behind it; the merge job last */
	int n, cap;
	int tasks, processors, gpus; /* tasks; what each asks for: 0 = as Slurm gives, no GPUs */
	char *user_dependency;       /* a --dependency of the user's own; NULL = none */
	enum slurm_requeue way;
	struct arena arena;
};

/* Is each a word that sbatch may be given in addition? One that the program sets itself is EXIT_USAGE. */
MUST_CHECK int slurm_check_options(const char *const *words, int n, const char *where, struct err *e);
/* For cells index[0..n) of the plan, ascending; behind: for each of them an array in the queue to wait for, or NULL. */
MUST_CHECK int slurm_compose(struct slurm_submission *out, const char *plan_hash, const char *id, const int *index,
                             const long long *behind, int n, const struct slurm_options *o, struct err *e);
void slurm_submission_release(struct slurm_submission *s);
void scoped_slurm_submission(struct slurm_submission *s);

/* Appends "0-3,7" for ascending indices less `base`. */
void slurm_array_text(struct str *out, const int *index, int n, int base);
/* The dependency of job i, "afterany:12:13", from the ids of the jobs before it; the ids as texts. "" = none. */
void slurm_dependency(struct str *out, const struct slurm_submission *s, int i, const char *const *ids);
/* The job as a command to type. */
void slurm_job_line(struct str *out, const struct slurm_submission *s, int i);

char *slurm_dir(const char *db, const char *plan_hash);      /* heap text: scripts and logs of the plan's jobs */
char *slurm_shard(const char *db, const char *training_key); /* heap text: the database that a training's tasks write */

#endif
