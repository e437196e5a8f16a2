/* fake-shards.c - shards as the tasks of a Slurm array leave them, any number of them, and their collection:
 *     fake-shards make DB CELLS [OTHER]    a shard for each cell, of one plan, with a sealed journal; OTHER: another
 *                                          machine's, whose scores have other bits
 *     fake-shards collect DB               slurm_collect; prints what came of it and how long it took
 * The folders of the shards are in DB-runs/slurm/, and a run folder of all the journals, for `ablate merge`, is what
 * DB-runs is after the collection. A hundred thousand cells: see tests/e2e/many.sh. */
#define _GNU_SOURCE
#include "harness/record/host.h"
#include "harness/slurm/engine_slurm.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/base/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PLAN  "0123456789abcdef"
#define STEPS 12
#define SEEDS 5 /* of an arm */

static void give_up(const struct err *e)
{
	(void)fprintf(stderr, "%s\n", e->msg);
	exit(1);
}

/* Whole, but not synced: a hundred thousand syncs would take longer than what is to be measured. */
static void put(const char *dir, const char *name, const void *text, size_t n)
{
	SCOPED(free) char *path = xstrfmt("%s%s%s", dir, *name ? "/" : "", name);
	FILE *f = fopen(path, "we");
	if (!f || fwrite(text, 1, n, f) != n || fclose(f)) {
		(void)fprintf(stderr, "%s: cannot write\n", path);
		exit(1);
	}
}

static void folder(const char *path)
{
	if (mkdir(path, 0777) && !io_is_dir(path)) {
		(void)fprintf(stderr, "%s: cannot create\n", path);
		exit(1);
	}
}

/* What all cells of an arm, and all attempts of a machine, have in common. */
struct made {
	char cell[SHA256_HEX], arm[SHA256_HEX], env[SHA256_HEX], attempt[HOST_UUID];
	struct str rows, env_json; /* rows: those of arm and cell */
	int64_t seed;
	bool other;
};

/* As json.dumps would put it into a string. */
static void add_escaped(struct str *s, const char *text)
{
	for (; *text; text++)
		str_addf(s, *text == '"' ? "\\%c" : "%c", *text);
}

static void describe(struct made *m, int i, bool other)
{
	SCOPED(free)
	char *config = xstrfmt("{\"ema.decay\":0.999,\"train.batch\":16,\"train.lr\":%d,\"train.steps\":%d}", i / SEEDS,
	                       STEPS);
	SCOPED(free)
	char *id = xstrfmt("%08x-0000-4000-8000-%012x", (unsigned)(i * 2 + other) * 2654435761u, i * 2 + other);
	*m = (struct made){ .seed = i % SEEDS + 1, .other = other };
	(void)snprintf(m->attempt, sizeof m->attempt, "%s", id);
	io_sha256(m->arm, config, strlen(config));
	SCOPED(free) char *of_cell = xstrfmt("%s %lld", m->arm, (long long)m->seed);
	io_sha256(m->cell, of_cell, strlen(of_cell));
	str_addf(&m->env_json,
	         "{\"cpu\":\"%s\",\"device\":\"cpu\",\"fingerprint_of\":{\"build\":\"%064d\"},\"host\":\"node%d\","
	         "\"isa\":[\"avx2\"],\"libraries\":{\"OpenBLAS\":\"0.3.21\",\"libc\":\"2.36\",\"oneDNN\":\"2.6.3\"},"
	         "\"machine\":\"x86_64\",\"numerics\":4,\"threads\":1}",
	         other ? "Another Processor" : "Some Processor", 7, i % 100);
	io_sha256(m->env, m->env_json.data, m->env_json.len);
	str_addf(&m->rows, "{\"t\":\"arm\",\"hash\":\"%s\",\"config\":\"", m->arm);
	add_escaped(&m->rows, config);
	str_addf(&m->rows,
	         "\"}\n{\"t\":\"cell\",\"hash\":\"%s\",\"arm\":\"%s\",\"seed\":%lld,\"numerics\":4,\"dataset\":\"none\"}\n",
	         m->cell, m->arm, (long long)m->seed);
}

static void add_checkpoint(struct str *s, const struct made *m, int step, char sha256[SHA256_HEX])
{
	SCOPED(free) char *of = xstrfmt("%s %d %d", m->cell, step, m->other);
	io_sha256(sha256, of, strlen(of));
	str_addf(s,
	         "{\"t\":\"artifact\",\"hash\":\"%s\",\"kind\":\"checkpoint\",\"bytes\":%zu,\"name\":\"step-%08d.ckpt\"}\n"
	         "{\"t\":\"checkpoint\",\"artifact\":\"%s\",\"step\":%d}\n",
	         sha256, strlen(of), step, sha256, step);
}

static void journal(const char *dir, const struct made *m, int i)
{
	SCOPED(str) struct str s = { 0 };
	char sha256[SHA256_HEX];
	str_addf(&s, "{\"t\":\"env\",\"hash\":\"%s\",\"json\":\"", m->env);
	add_escaped(&s, m->env_json.data);
	str_addf(&s, "\"}\n%s", m->rows.data);
	str_addf(&s,
	         "{\"t\":\"attempt\",\"v\":1,\"id\":\"%s\",\"cell\":\"%s\",\"n\":1,\"purpose\":\"run\",\"host\":\"node%d\","
	         "\"pid\":%d,\"started\":\"2026-01-0%dT00:%02d:%02d.%03dZ\",\"env\":\"%s\"}\n",
	         m->attempt, m->cell, i % 100, 1000 + i % 30000, m->other ? 2 : 1, i / 60000 % 60, i / 1000 % 60, i % 1000,
	         m->env);
	for (int step = 1; step <= STEPS; step++) {
		str_addf(&s, "{\"t\":\"curve\",\"step\":%d,\"values\":{\"loss\":%.17g}}\n", step,
		         sin(step * (i + 1)) + m->other);
		if (step % (STEPS / 2) == 0)
			add_checkpoint(&s, m, step, sha256);
	}
	double fid = 10 + sin(i) + m->other;
	str_addf(&s,
	         "{\"t\":\"metric\",\"name\":\"fid\",\"nfe\":1,\"weights\":\"ema\",\"step\":%d,\"eval_seed\":101,"
	         "\"protocol\":\"p\",\"value\":%.17g,\"hex\":\"%a\",\"n\":100}\n",
	         STEPS, fid, fid);
	str_addf(&s,
	         "{\"t\":\"end\",\"state\":\"done\",\"ended\":\"2026-01-03T00:00:00.000Z\",\"exit_code\":0,\"step\":%d,"
	         "\"wall_s\":1.5,\"cpu_s\":1.25,\"max_rss\":9957376}\n",
	         STEPS);
	int lines = 0;
	for (size_t k = 0; k < s.len; k++)
		lines += s.data[k] == '\n';
	io_sha256(sha256, s.data, s.len);
	str_addf(&s, "{\"t\":\"seal\",\"lines\":%d,\"sha256\":\"%s\"}\n", lines, sha256);
	put(dir, "journal.jsonl", s.data, s.len);
}

static void make_shard(const char *db, int i, bool other)
{
	struct made m;
	describe(&m, i, other);
	SCOPED(free) char *shard = slurm_shard(db, m.cell), *runs = xstrfmt("%s-runs", shard);
	SCOPED(free) char *cell = xstrfmt("%s/%.12s", runs, m.cell), *attempt = xstrfmt("%s/%s", cell, m.attempt);
	SCOPED(str) struct str ledger = { 0 };
	folder(runs);
	folder(cell);
	folder(attempt);
	put(shard, "", "", 0);
	put(runs, "lock", "{}", 2);
	str_addf(&ledger,
	         "{\"t\":\"grid\",\"hash\":\"" PLAN
	         "\",\"name\":\"many\",\"toml\":\"schema = 1\",\"created\":\"2026-01-0%dT"
	         "00:00:00.000Z\",\"made_of\":\"{}\"}\n%s{\"t\":\"grid_cell\",\"grid\":\"" PLAN
	         "\",\"cell\":\"%s\",\"chain\":\"\",\"ordinal\":%d,\"label\":\"arm %d\"}\n",
	         other ? 2 : 1, m.rows.data, m.cell, i / SEEDS, i / SEEDS);
	put(runs, "ledger.jsonl", ledger.data, ledger.len);
	journal(attempt, &m, i);
	put(attempt, "job.json", "{}", 2);
	put(attempt, "log", "", 0);
	put(attempt, "step-00000012.ckpt", m.cell, sizeof m.cell);
	str_release(&m.rows);
	str_release(&m.env_json);
}

static int make(const char *db, int n, bool other)
{
	struct err e = ERR_INIT;
	SCOPED(free) char *dir = xstrfmt("%s-runs/slurm/shards", db);
	if (io_mkdirs(dir, &e))
		give_up(&e);
	for (int i = 0; i < n; i++)
		make_shard(db, i, other);
	return 0;
}

static int collect(const char *db)
{
	struct err e = ERR_INIT;
	SCOPED(store) struct store s = STORE_INIT;
	struct slurm_collected got;
	double start = monotonic_s();
	if (store_open(&s, db, STORE_WRITE, "fake-shards", &e) || slurm_collect(&got, &s, &e))
		give_up(&e);
	for (int i = 0; i < s.n_left; i++)
		(void)fprintf(stderr, "%s\n", s.left[i]);
	printf("%d shards, %d busy, %d left out, %lld rows\n", got.shards, got.busy, s.n_left, (long long)got.rows);
	(void)fprintf(stderr, "%.2f s\n", monotonic_s() - start);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "make") == 0)
		return make(argv[2], (int)strtol(argv[3], NULL, 10), argc > 4);
	if (argc == 3 && strcmp(argv[1], "collect") == 0)
		return collect(argv[2]);
	(void)fprintf(stderr, "fake-shards make DB CELLS [OTHER] | collect DB\n");
	return 2;
}
