/* bench_peer.c - see bench_peer.h. */
#include "harness/bench/bench_peer.h"

#include "harness/bench/bench_median.h"
#include "model/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\n"

static const double SAME_WORK = 0.02;

int bench_peer_ask(struct bench_process *p, json_t **said, const struct bench_peer *peer, const char *const *more,
                   struct err *e)
{
	char threads[16];
	const char **words = NULL;
	int n = 0, cap = 0;
	SCOPED(free) char *cut = xstrdup(peer->command), *what = xstrfmt("peer '%s'", peer->command);
	(void)snprintf(threads, sizeof threads, "%d", peer->threads);
	char *rest = NULL;
	for (char *word = strtok_r(cut, BLANKS, &rest); word; word = strtok_r(NULL, BLANKS, &rest))
		VEC_PUSH(words, n, cap) = word;
	REQUIRE(n > 0);
	VEC_PUSH(words, n, cap) = *more++;
	VEC_PUSH(words, n, cap) = "--weights";
	VEC_PUSH(words, n, cap) = peer->weights;
	VEC_PUSH(words, n, cap) = "--threads";
	VEC_PUSH(words, n, cap) = threads;
	while (*more)
		VEC_PUSH(words, n, cap) = *more++;
	VEC_PUSH(words, n, cap) = NULL;
	int rc = bench_process_run(p, what, words, peer->threads, peer->folder, e);
	free(words);
	if (rc)
		return rc;
	const char *line = bench_last_line(&p->out);
	*said = json_loads(line, 0, NULL);
	if (!json_is_object(*said)) {
		rc = err_set(e, "%s: its last line is no JSON object, but '%.100s'", what, line);
		json_decref(*said);
	}
	str_release(&p->out);
	return rc;
}

int bench_peer_number(double *out, const struct bench_peer *peer, const json_t *said, const char *key, struct err *e)
{
	const json_t *v = json_object_get(said, key);
	if (!json_is_number(v) || !(json_number_value(v) > 0))
		return err_set(e, "peer '%s': its last line has no number above 0 named %s", peer->command, key);
	*out = json_number_value(v);
	return 0;
}

int bench_peer_agrees(const struct bench_peer *peer, const char *what, double theirs, double ours, struct err *e)
{
	if (fabs(theirs - ours) <= SAME_WORK * fabs(ours))
		return 0;
	return err_set(e, "peer '%s': %s %.6g, ours is %.6g: it does other work", peer->command, what, theirs, ours);
}

int bench_rates_ask(struct bench_rates *r, double ours, double seconds, struct err *e)
{
	char text[32];
	struct bench_process p;
	json_t *said;
	double rate = 0, mean = 0;
	const char *words[] = { r->network, "--seconds", str_double(text, seconds), r->pictures, NULL };
	REQUIRE(r->n < BENCH_MAX_ROUNDS);
	if (bench_peer_ask(&p, &said, &r->peer, words, e))
		return -1;
	int rc = bench_peer_number(&rate, &r->peer, said, "images_per_s", e) ||
	                 bench_peer_number(&mean, &r->peer, said, "mean_abs", e) ||
	                 bench_peer_agrees(&r->peer, "features of a mean absolute value of", mean, r->mean_abs, e)
	             ? -1
	             : 0;
	json_decref(said);
	if (rc)
		return rc;
	r->rate[r->n] = rate;
	r->ratio[r->n++] = ours / rate;
	return 0;
}

json_t *bench_rates_row(struct bench_rates *r)
{
	double ratio = bench_median(r->ratio, r->n); /* sorted now */
	return json_pack("{s:s, s:i, s:i, s:f, s:f, s:f, s:f}", "peer", r->peer.command, "threads", r->peer.threads,
	                 "rounds", r->n, "images_per_s", bench_median(r->rate, r->n), "ratio", ratio, "ratio_least",
	                 r->ratio[0], "ratio_most", r->ratio[r->n - 1]);
}
