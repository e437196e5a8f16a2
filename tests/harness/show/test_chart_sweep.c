/* test_chart_sweep.c - a sweep must not average arms that differ in more than what is swept: each such group is a
 * line. */
#include "harness/show/chart.h"
#include "model/base/mem.h"
#include "tests/common/study_fixture.h"

#define HEAD \
	"schema = 1\n[grid]\nname = \"sweep\"\nseeds = { train = [1, 2], eval = [101, 102] }\n" \
	"[base]\npreset = \"ict-shapes8-ci\"\n[[metric]]\nname = \"fid\"\nsamples = 10000\nnfe = [1]\n"
#define STEPS "[[axis]]\nkey = \"train.steps\"\nvalues = [10, 20]\n"

static struct fixture_result by_arm(int arm, int64_t seed)
{
	struct fixture_result r = fixture_default(0, seed);
	r.state = "done", r.reason = "", r.fid = 100 * arm + (double)seed;
	return r;
}

struct drawn {
	struct plan *plan;
	struct db *db;
	struct study *study;
	struct chart *chart;
};

static int draw(struct drawn *d, const char *toml, const char *knob, const char *chain, struct err *e)
{
	*d = (struct drawn){ .plan = fixture_plan(toml) };
	static int drawn;
	SCOPED(free) char *name = xstrfmt("sweep%d.db", drawn++);
	d->db = fixture_db(name, d->plan, by_arm, 0);
	cr_assert_eq(study_load(&d->study, d->plan, d->db, e), 0, "%s", e->msg);
	return chart_build(&d->chart, d->study,
	                   &(struct chart_ask){ .kind = "sweep", .chain = chain, .metric = "", .curve = "", .knob = knob },
	                   e);
}

static void done(struct drawn *d)
{
	chart_free(d->chart);
	study_free(d->study);
	db_close(d->db);
	plan_free(d->plan);
}

Test(chart_sweep, arms_of_one_value_are_lines_of_their_own)
{
	struct drawn d;
	struct err e = ERR_INIT;
	cr_assert_eq(draw(&d,
	                  HEAD STEPS "[[zip]]\nkeys = [\"loss.kind\", \"noise.dist\"]\nvalues = [[\"l2\", \"lognormal\"], "
	                             "[\"pseudo-huber\", \"uniform\"]]\nlabels = [\"squares\", \"huber\"]\n",
	                  "train.steps", "", &e),
	             0, "%s", e.msg);
	const struct figure_panel *p = d.chart->figure.panels;
	cr_assert_eq(p->n_series, 2);
	static const char *const labels[] = { "squares", "huber" };
	for (int i = 0; i < 2; i++) {
		const struct figure_series *s = &p->series[i];
		cr_expect_str_eq(s->label, labels[i]);
		cr_assert_eq(s->n, 2);
		for (int j = 0; j < 2;
		     j++) { /* arms: 10 squares, 10 huber, 20 squares, 20 huber; the mean over seeds is 1.55 */
			cr_expect_eq(s->x[j], 10 * (j + 1));
			cr_expect_float_eq(s->y[j], 100 * (2 * j + i) + 1.55, 1e-9, "%g", s->y[j]);
		}
	}
	done(&d);
}

Test(chart_sweep, settings_that_go_with_the_swept_one_make_no_lines)
{
	struct drawn d;
	struct err e = ERR_INIT;
	cr_assert_eq(
		draw(&d, HEAD "[[zip]]\nkeys = [\"train.steps\", \"ema.decay\"]\nvalues = [[10, 0.5], [20, 0.6], [30, 0.7]]\n",
	         "train.steps", "", &e),
		0, "%s", e.msg);
	cr_assert_eq(d.chart->figure.panels->n_series, 1);
	cr_expect_eq(d.chart->figure.panels->series[0].n, 3);
	done(&d);
}

#define CHAINS \
	"[variants]\na = { label = \"A\", set = { \"train.steps\" = 10 } }\n" \
	"b = { label = \"B\", set = { \"train.steps\" = 20 } }\nc = { label = \"C\", set = { \"loss.kind\" = \"l2\" } }\n" \
	"[[chain]]\nname = \"steps\"\nmode = \"one-at-a-time\"\nsteps = [\"a\", \"b\"]\n" \
	"[[chain]]\nname = \"loss\"\nmode = \"one-at-a-time\"\nsteps = [\"c\"]\n"

Test(chart_sweep, a_chain_is_kept_to_and_lines_are_named_by_what_differs)
{
	struct drawn d;
	struct err e = ERR_INIT;
	cr_assert_eq(draw(&d, HEAD CHAINS, "train.steps", "steps", &e), 0, "%s", e.msg);
	cr_assert_eq(d.chart->figure.panels->n_series, 1);
	cr_expect_eq(d.chart->figure.panels->series[0].n, 3, "the base, A and B");
	done(&d);
	cr_assert_eq(draw(&d, HEAD CHAINS, "train.steps", "", &e), 0, "%s", e.msg);
	cr_assert_eq(d.chart->figure.panels->n_series, 2);
	cr_expect_str_eq(d.chart->figure.panels->series[0].label, "loss.kind = \"pseudo-huber\"");
	done(&d);
	cr_expect_eq(draw(&d, HEAD CHAINS, "train.steps", "none", &e), -1);
	cr_expect_eq(e.code, EXIT_USAGE);
	done(&d);
}

Test(chart_sweep, more_lines_than_fit_are_refused)
{
	struct drawn d;
	struct err e = ERR_INIT;
	cr_expect_eq(draw(&d, HEAD STEPS "[[axis]]\nkey = \"optim.lr\"\nlog = { start = 0.001, stop = 0.01, num = 13 }\n",
	                  "train.steps", "", &e),
	             -1);
	cr_expect(e.code == EXIT_USAGE && strstr(e.msg, "over 12 lines"), "%s", e.msg);
	done(&d);
}

#define TWINS \
	"[variants]\na = { label = \"A\", set = { \"loss.kind\" = \"l2\" } }\n" \
	"b = { label = \"A\", set = { \"noise.dist\" = \"uniform\" } }\n" \
	"c = { label = \"short\", set = { \"train.steps\" = 20 } }\n" \
	"[[chain]]\nname = \"one\"\nmode = \"one-at-a-time\"\nsteps = [\"a\", \"c\"]\n" \
	"[[chain]]\nname = \"two\"\nmode = \"one-at-a-time\"\nsteps = [\"b\"]\n"

/* Two chains may call different arms "A"; the settings must tell which is which. */
Test(chart_sweep, lines_of_one_label_are_told_apart_by_their_settings)
{
	struct drawn d;
	struct err e = ERR_INIT;
	cr_assert_eq(draw(&d, HEAD TWINS, "train.steps", "", &e), 0, "%s", e.msg);
	const struct figure_panel *p = d.chart->figure.panels;
	cr_assert_eq(p->n_series, 3);
	cr_expect_str_eq(p->series[1].label, "A (loss.kind = \"l2\", noise.dist = \"lognormal\")");
	cr_expect_str_eq(p->series[2].label, "A (loss.kind = \"pseudo-huber\", noise.dist = \"uniform\")");
	done(&d);
}
