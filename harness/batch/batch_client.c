/* batch_client.c - see batch_client.h. */
#include "harness/batch/batch_client.h"

#include "harness/slurm/program_call.h"
#include "harness/text/json_out.h"
#include "model/base/mem.h"

#include <string.h>

static int read_answer(json_t **answer, const struct batch_call *call, const struct str *text, struct err *e)
{
	json_error_t why;
	if (!text->len || strspn(text->data, " \t\r\n") == text->len)
		return 0;
	*answer = json_loadb(text->data, text->len, JSON_REJECT_DUPLICATES, &why);
	if (json_is_object(*answer))
		return 0;
	bool other = *answer != NULL;
	json_decref(*answer);
	*answer = NULL;
	return other ? err_code(e, EXIT_USAGE, "%s: %s answered with JSON that is no object", call->verb, call->words[0])
	             : err_code(e, EXIT_USAGE, "%s: what %s printed on stdout is no JSON: line %d: %.200s", call->verb,
	                        call->words[0], why.line, why.text);
}

int batch_call(json_t **answer, struct str *said, bool *unknown, const struct batch_call *call, json_t *request,
               struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	SCOPED(program_answer) struct program_answer a = { 0 };
	json_out(&text, request, 0);
	json_decref(request);
	*answer = NULL;
	*unknown = false;
	str_addc(&text, '\n');
	struct program_ask ask = {
		.argv = call->words, .dir = call->dir, .input = &text, .limit_s = call->limit_s, .apart = true
	};
	if (program_call(&a, &ask, e))
		return err_in(e, "%s", call->verb);
	const char *words = program_words(&a.said);
	str_add(said, words);
	*unknown = a.code < 0 || a.code > 128; /* killed, by us or by a signal */
	if (a.endless)
		return err_code(e, EXIT_USAGE, "%s: %s printed without end, and was killed", call->verb, call->words[0]);
	if (a.code < 0)
		return err_code(e, EXIT_USAGE, "%s: %s did not end within %.0f s, and was killed%s%.600s", call->verb,
		                call->words[0], call->limit_s, *words ? ": " : "", words);
	if (a.code > 0)
		return err_code(e, EXIT_USAGE, "%s: %s failed with exit code %d: %.700s", call->verb, call->words[0], a.code,
		                *words ? words : "it printed no reason on stderr");
	*unknown = read_answer(answer, call, &a.out, e) != 0;
	return *unknown ? -1 : 0;
}
