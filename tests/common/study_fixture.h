/* study_fixture.h - a small grid and a database that looks as if it had been run: for tests of what reads results. */
#ifndef ABLATE_TESTS_STUDY_FIXTURE_H
#define ABLATE_TESTS_STUDY_FIXTURE_H

#include "harness/study/study.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define OK(call) \
	do { \
		struct err e_ = ERR_INIT, *e = &e_; \
		if (call) \
			cr_assert_fail("%s: %s", #call, e_.msg); \
	} while (0)

static const char fixture_grid[] =
	"schema = 1\n"
	"[grid]\n"
	"name = \"four\"\n"
	"seeds = { train = [1, 2, 3], eval = [101, 102], paired = true }\n"
	"[base]\n"
	"preset = \"ict-cifar10-small\"\n"
	"[variants]\n"
	"ema = { label = \"EMA teacher\", set = { \"teacher.ema\" = \"schedule\" } }\n"
	"uniform = { label = \"uniform noise & <i>50%</i> | =1+1 #_x\", set = { \"noise.dist\" = \"uniform\" } }\n"
	"l2 = { label = \"L2\", set = { \"loss.kind\" = \"l2\" } }\n"
	"[[chain]]\n"
	"name = \"single\"\n"
	"mode = \"one-at-a-time\"\n"
	"steps = [\"ema\", \"uniform\", \"l2\"]\n"
	"[[metric]]\n"
	"name = \"fid\"\n"
	"samples = 10000\n"
	"nfe = [1, 2]\n"
	"[[metric]]\n"
	"name = \"pr\"\n"
	"samples = 10000\n"
	"[[table]]\n"
	"name = \"main\"\n"
	"chain = \"single\"\n"
	"cols = [\"fid@1\", \"delta\", \"fid@2\", \"precision@1\", \"seeds\", \"state\", \"steps\"]\n"
	"paper = \"arXiv:2310.14189\"\n"
	"[[gate]]\n"
	"name = \"l2-is-not-better\"\n"
	"metric = \"fid@1\"\n"
	"arm = \"base\"\n"
	"against = \"l2\"\n"
	"test = \"superiority\"\n"
	"on_inconclusive = \"warn\"\n"
	"[[gate]]\n"
	"name = \"no-regression\"\n"
	"metric = \"fid@1\"\n"
	"arm = \"base\"\n"
	"against = \"baseline\"\n"
	"margin = { relative = 0.05 }\n";

static inline struct plan *fixture_plan(const char *toml)
{
	struct grid_source source = { .path = "four.toml", .text = toml, .n = strlen(toml) };
	struct grid *g;
	struct plan *p;
	OK(grid_parse(&g, &source, 1, e));
	OK(plan_expand(&p, g, NULL, e));
	return p;
}

/* What the run of an arm (by its first row) and a seed gave. */
struct fixture_result {
	const char *state, *reason;
	double fid;           /* at 1 step, of evaluation seed 101; 102 gives fid + 0.1 */
	const char *protocol; /* of fid */
};
typedef struct fixture_result fixture_fn(int arm, int64_t seed);

static inline struct fixture_result fixture_default(int arm, int64_t seed)
{
	static const double wobble[] = { 0, -0.3, 0.1, 0.25 };
	struct fixture_result r = { "done", "", 10 + 1.5 * arm + wobble[seed & 3] + 0.01 * arm * (double)seed,
		                        "fid:inception-2015:tf-bilinear:u8:n10000:ref=cifar10-train" };
	if (arm == 2 && seed == 3)
		r.state = "failed", r.reason = "exit code 1: out of <memory>";
	if (arm == 3)
		r.state = seed == 1 ? "running" : "blocked", r.reason = seed == 1 ? "" : "needs weights lpips-vgg";
	return r;
}

static inline void fixture_metric(struct db *db, const char *attempt, const char *name, int nfe, int64_t step,
                                  int64_t eval_seed, double value, const char *protocol)
{
	char hex[40];
	snprintf(hex, sizeof hex, "%a", value);
	OK(db_exec(db, e,
	           "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, n) "
	           "VALUES(?, ?, ?, 'ema', ?, ?, ?, ?, ?, 10000)",
	           "ssiiisds", attempt, name, (int64_t)nfe, step, eval_seed, protocol, value, hex));
}

/* Fills a database for the plan; curves of `points` points each. */
static inline void fixture_fill(struct db *db, const struct plan *p, fixture_fn *result, int points)
{
	OK(db_begin(db, e));
	OK(db_exec(db, e, "INSERT INTO grid(hash, name, toml, created) VALUES(?, ?, '', '2026-01-01T00:00:00.000Z')", "ss",
	           p->hash, p->grid->name));
	OK(db_exec(db, e, "INSERT INTO env VALUES(?, '{\"commit\":\"abc123\",\"cpu\":\"a <b>CPU</b>\"}')", "s",
	           "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"));
	for (int i = 0; i < p->n_arms; i++)
		OK(db_exec(db, e, "INSERT INTO arm VALUES(?, ?)", "ss", p->arms[i].hash, p->arms[i].json));
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		struct fixture_result r = result(c->arm, c->seed);
		char attempt[64];
		snprintf(attempt, sizeof attempt, "%08d-0000-4000-8000-000000000000", i);
		OK(db_exec(db, e, "INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES(?, ?, ?, ?, ?)", "ssiis",
		           c->hash, p->arms[c->arm].hash, c->seed, (int64_t)NUMERICS_VERSION, p->arms[c->arm].dataset));
		OK(db_exec(db, e, "INSERT INTO grid_cell VALUES(?, ?, ?, ?, ?, NULL)", "sssis", p->hash, c->hash,
		           p->rows[p->arms[c->arm].rows[0]].chain, (int64_t)i, p->rows[p->arms[c->arm].rows[0]].label));
		if (*r.state == 'p') /* pending */
			continue;
		OK(db_exec(
			db, e,
			"INSERT INTO attempt(id, cell, n, state, reason, host, started, ended, step, wall_s, env) VALUES(?, ?, 1, "
			"?, ?, 'host', '2026-01-01T00:00:00.000Z', '2026-01-01T00:10:00.000Z', 1000, 600, ?)",
			"sssss", attempt, c->hash, r.state, r.reason,
			"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"));
		for (int k = 0; k < points; k++)
			OK(db_exec(db, e, "INSERT INTO curve VALUES(?, 'loss', ?, ?)", "sid", attempt, (int64_t)(10 * (k + 1)),
			           (1 + 0.2 * c->arm) / sqrt(k + 1.0) + 0.01 * (double)c->seed));
		if (strcmp(r.state, "done") != 0)
			continue;
		for (int64_t eval = 101; eval <= 102; eval++) {
			double fid = r.fid + (eval == 102 ? 0.1 : 0);
			fixture_metric(db, attempt, "fid", 1, 500, eval, 2 * fid, r.protocol); /* an evaluation on the way */
			fixture_metric(db, attempt, "fid", 1, 1000, eval, fid, r.protocol);
			fixture_metric(db, attempt, "fid", 2, 1000, eval, 0.7 * fid, r.protocol);
			fixture_metric(db, attempt, "precision", 1, 1000, eval, 0.6 + 0.01 * c->arm, "pr:k3");
			fixture_metric(db, attempt, "recall", 1, 1000, eval, 0.5, "pr:k3");
		}
	}
	OK(db_commit(db, e));
}

static inline struct db *fixture_db(const char *name, const struct plan *p, fixture_fn *result, int points)
{
	struct db *db;
	OK(db_open(&db, TMP(name), DB_WRITE, e));
	fixture_fill(db, p, result, points);
	return db;
}

#endif
