/* bench_fid_pictures.c - see bench_fid_pictures.h. */
#include "harness/bench/bench_fid_pictures.h"

#include "harness/bench/bench_median.h"
#include "harness/bench/bench_noise.h"
#include "harness/bench/bench_peer.h"
#include "harness/bench/bench_weights.h"
#include "model/base/mem.h"
#include "model/train/model.h"

#include <malloc.h>
#include <stdlib.h>

enum { PICTURES = 300, ROUNDS = 3 };

struct side {
	double seconds[BENCH_MAX_ROUNDS], peak_mib[BENCH_MAX_ROUNDS], fid;
};

static void keep(struct side *s, int round, const struct bench_process *p)
{
	s->seconds[round] = p->seconds;
	s->peak_mib[round] = (double)p->peak_bytes / (1 << 20);
}

static int write_weights(const char *path, struct err *e)
{
	struct safetensors st = { 0 };
	struct arena arena = { 0 };
	bench_weights_inception(&st, &arena);
	int rc = safetensors_write(path, st.tensors, st.n_tensors, NULL, 0, NULL, e);
	bench_weights_release(&st);
	arena_release(&arena);
	(void)malloc_trim(0); /* what is still resident when a process is started counts as its own */
	return rc;
}

static int ours(struct side *s, int round, const struct bench_peer *at, const char *a, const char *b, struct err *e)
{
	static const char *const what = "`ablate fid`";
	struct bench_process p;
	const char *words[] = { "/proc/self/exe", "fid",           a,          b,     "--weights", at->weights, "--resize",
		                    "torch-bilinear", "--no-interval", "--device", "cpu", "--json",    NULL };
	if (bench_process_run(&p, what, words, at->threads, at->folder, e))
		return -1;
	json_t *said = json_loads(str_text(&p.out), 0, NULL);
	const json_t *score = json_array_get(json_object_get(said, "scores"), 0);
	s->fid = json_number_value(json_object_get(score, "value"));
	keep(s, round, &p);
	json_decref(said);
	str_release(&p.out);
	return s->fid > 0 ? 0 : err_set(e, "%s: printed no score", what);
}

static int theirs(struct side *s, int round, const struct bench_peer *peer, const char *a, const char *b, struct err *e)
{
	struct bench_process p;
	json_t *said;
	const char *words[] = { "fid", a, b, NULL };
	if (bench_peer_ask(&p, &said, peer, words, e))
		return -1;
	keep(s, round, &p);
	int rc = bench_peer_number(&s->fid, peer, said, "fid", e);
	json_decref(said);
	return rc;
}

int bench_fid_pictures(json_t *out, const struct bench_fid_pictures *o, struct err *e)
{
	static const char *const subs[] = { "a", "b", NULL };
	int rounds = o->rounds > 0 ? o->rounds : ROUNDS, n = o->pictures > 0 ? o->pictures : PICTURES;
	SCOPED(bench_folder) struct bench_folder folder = { 0 };
	if (bench_folder_make(&folder, subs, e))
		return -1;
	SCOPED(free) char *a = xstrfmt("%s/a", folder.path), *b = xstrfmt("%s/b", folder.path);
	SCOPED(free) char *weights = xstrfmt("%s/weights.safetensors", folder.path);
	struct bench_peer peer = { o->peer, model_threads(), folder.path, weights };
	if (bench_noise_write(a, n, 256, e) || bench_noise_write(b, n, 160, e) || write_weights(weights, e))
		return -1;
	struct side we = { 0 }, they = { 0 };
	double ratio[BENCH_MAX_ROUNDS];
	for (int i = 0; i < rounds; i++) {
		if (ours(&we, i, &peer, a, b, e) || theirs(&they, i, &peer, a, b, e) ||
		    bench_peer_agrees(&peer, "a distance of", they.fid, we.fid, e))
			return -1;
		ratio[i] = they.seconds[i] / we.seconds[i];
	}
	double middle = bench_median(ratio, rounds), ours_mib = bench_median(we.peak_mib, rounds),
		   peer_mib = bench_median(they.peak_mib, rounds); /* sorted now */
	return json_array_append_new(
		out,
		json_pack("{s:s, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "peer", o->peer, "pictures",
	              n, "threads", peer.threads, "rounds", rounds, "seconds", bench_median(we.seconds, rounds),
	              "peer_seconds", bench_median(they.seconds, rounds), "ratio", middle, "ratio_least", ratio[0],
	              "ratio_most", ratio[rounds - 1], "peak_mib", ours_mib, "peer_peak_mib", peer_mib, "memory_ratio",
	              ours_mib / peer_mib, "fid", we.fid, "peer_fid", they.fid));
}
