/* batch_client.h - one of the user's three commands: JSON in, JSON out. */
#ifndef ABLATE_BATCH_CLIENT_H
#define ABLATE_BATCH_CLIENT_H

#include "model/base/err.h"
#include "model/base/str.h"

#include <jansson.h>
#include <stdbool.h>

struct batch_call {
	const char *verb;         /* submit, query, cancel: for messages */
	const char *const *words; /* program and arguments; NULL at the end */
	const char *dir;          /* where it is started */
	double limit_s;
};
#define BATCH_SUBMIT_S 120.0 /* after which a command is killed, and all that it started */
#define BATCH_ASK_S    60.0

/* Gives it the request (taken); *answer: its object, or NULL where it printed nothing. said: what it had to say beside,
 * in one line. Failed, silent, or an answer that is no JSON object: EXIT_USAGE. *unknown: it may have done something
 * nevertheless: it was killed, or its answer cannot be read. */
MUST_CHECK int batch_call(json_t **answer, struct str *said, bool *unknown, const struct batch_call *call,
                          json_t *request, struct err *e);

#endif
