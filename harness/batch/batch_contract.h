/* batch_contract.h - what the commands of --engine command are asked and answer: one JSON object each, schema 1.
 *
 *     submit  {"schema", "name", "database", "plan", "dir", "throttle",
 *              "resources": {"processes", "processors", "gpus", "memory", "limit_s"},
 *              "tasks": [{"index", "name", "label", "key", "command", "log"}]}
 *          -> {"jobs": [{"index", "id"}]}          a task that is not listed was not accepted
 *     query   {"schema", "jobs": [id]}
 *          -> {"jobs": [{"id", "state", "reason"}]}    pending, running, done, failed; not listed: over
 *     cancel  {"schema", "jobs": [id]}
 *          -> {} or nothing
 *
 * harness/README.md says what each member means. Members that an answer has beside these are let be. */
#ifndef ABLATE_BATCH_CONTRACT_H
#define ABLATE_BATCH_CONTRACT_H

#include "harness/plan/plan.h"
#include "harness/slurm/slurm_submission.h"
#include "harness/text/json_keys.h"

#include <jansson.h>

enum { BATCH_ID_MAX = 300 }; /* bytes of a job's id */

enum batch_state { BATCH_PENDING, BATCH_RUNNING, BATCH_DONE, BATCH_FAILED, BATCH_OVER };
static inline bool batch_in_queue(enum batch_state s)
{
	return s <= BATCH_RUNNING;
}

/* What a task of the plan asks for, all its processes together. */
struct batch_resources {
	int processes, processors, gpus; /* processors: 0 = not said */
	const char *memory;              /* NULL = not said */
	double limit_s;                  /* 0 = none */
	int throttle;                    /* tasks at once; 0 = as there is room */
};

extern const struct json_key batch_request_keys[]; /* of batch_submit_request */
/* The request for cells index[0..n) of the plan. id: the database's; dir: where the program runs; script: absolute path
 * of what runs a task; logs: absolute path of the folder for what tasks print. New reference; NULL with the reason
 * where a path is no UTF-8, which JSON cannot hold. */
json_t *batch_submit_request(const struct plan *p, const char *id, const char *dir, const char *script,
                             const char *logs, const int *index, int n, const struct batch_resources *r, struct err *e);
/* Of query and cancel. */
json_t *batch_jobs_request(const char *const *ids, int n);

/* ids[i]: of the task index[i], which ascend; heap; NULL = it was not accepted. Fails, with ids all NULL, where the
 * answer is not as above: what was accepted is then not known. */
MUST_CHECK int batch_read_submitted(char **ids, const int *index, int n, const json_t *answer, struct err *e);
/* state[i] and reason[i] (heap or NULL) of ids[i], which are distinct. */
MUST_CHECK int batch_read_states(enum batch_state *state, char **reason, const char *const *ids, int n,
                                 const json_t *answer, struct err *e);

#endif
