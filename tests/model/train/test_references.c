/* test_references.c - what the pairs of a step are drawn by: the reference pictures of target.references, the same for
 * all parts of a step, and the samples that coupling.generator_share chooses; and that trainings use both. */
#include "model/base/mem.h"
#include "model/config/config.h"
#include "model/cpu/devices.h"
#include "model/train/references.h"
#include "model/train/train.h"
#include "tests/common/small_config.h"
#include "tests/common/tempdir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct run_config tiny(const char *const *settings)
{
	static const char *const base[] = { "train.steps", "4", "train.batch", "8", "net.channels", "8", NULL };
	return small_config(base, settings);
}

/* ---- references -------------------------------------------------------------------------------------------------- */

enum { M = 600 };

static bool same_draws(const struct references *a, const struct references *b)
{
	return memcmp(a->draws, b->draws, M * sizeof *a->draws) == 0;
}

/* Without repeats, of other pictures in another step, whatever was drawn before; mirrored where training pictures are;
 * and each is found by its picture, no other is. */
Test(references, are_drawn_from_the_step_alone)
{
	struct run_config c = tiny((const char *[]){ "target.references", "600", NULL }), still = c;
	struct dataset data;
	struct err e = ERR_INIT;
	cr_assert_eq(dataset_open(&data, "shapes8", SPLIT_TRAIN, &e), 0, "%s", e.msg);
	struct draws d = { .c = &c, .data = &data, .seed = 3 }, unmirrored = { .c = &still, .data = &data, .seed = 3 };
	struct references a, b;
	still.data.flip = false;
	c.data.flip = true;
	cr_assert_eq(references_open(&a, backend_cpu(), &c, &data, &e), 0, "%s", e.msg);
	cr_assert_eq(references_open(&b, backend_cpu(), &c, &data, &e), 0, "%s", e.msg);
	references_draw(&a, &d, 4);
	for (int k = 2; k < 5; k++)
		references_draw(&b, &d, k);
	cr_expect(same_draws(&a, &b), "what was drawn before matters");
	int mirrored = 0, placed = 0;
	for (int j = 0; j < M; j++) {
		const struct sample_draw *y = &a.draws[j];
		cr_assert(y->image >= 0 && y->image < data.n && a.place[y->image] == j, "reference %d is drawn twice", j);
		cr_assert_eq(y->label, data.labels[y->image]);
		mirrored += y->flip;
	}
	for (int64_t i = 0; i < data.n; i++)
		placed += b.place[i] >= 0;
	cr_expect(mirrored > M * 2 / 5 && mirrored < M * 3 / 5, "%d of %d mirrored", mirrored, M);
	cr_expect_eq(placed, M, "%d pictures are among %d", placed, M);
	references_draw(&b, &d, 5);
	cr_expect(!same_draws(&a, &b));
	references_release(&b);
	cr_assert_eq(references_open(&b, backend_cpu(), &still, &data, &e), 0, "%s", e.msg);
	references_draw(&b, &unmirrored, 4);
	for (int j = 0; j < M; j++)
		cr_assert(!b.draws[j].flip && b.draws[j].image == a.draws[j].image);
	references_release(&a);
	references_release(&b);
	c.target.references = (int)data.n;
	cr_expect_eq(references_open(&a, backend_cpu(), &c, &data, &e), -1);
	cr_expect(strstr(e.msg, "target.references = 4096, but shapes8 has 4096 training pictures") && e.code == EXIT_USAGE,
	          "%s", e.msg);
	references_release(&a);
	dataset_release(&data);
}

/* The step's input holds those pictures, as a batch does; a sample is told where its own is, and its class where the
 * network has classes. */
Test(references, are_the_steps_input)
{
	for (int classes = 0; classes <= 4; classes += 4) {
		struct run_config c = tiny(
			(const char *[]){ "target.references", "600", "net.classes", classes ? "4" : "0", NULL });
		struct dataset data;
		struct err e = ERR_INIT;
		SCOPED(recipe) struct recipe recipe = { 0 };
		struct step s;
		struct references r;
		struct step_control control = { 0 };
		cr_assert_eq(dataset_open(&data, "shapes8", SPLIT_TRAIN, &e), 0, "%s", e.msg);
		cr_assert_eq(recipe_open(&recipe, &c, NULL, NULL, &e), 0, "%s", e.msg);
		struct graph *g = recipe_record(&s, &recipe, backend_cpu(), 2);
		graph_plan(g);
		struct draws d = { .c = &c, .data = &data, .seed = 3 };
		cr_assert_eq(references_open(&r, backend_cpu(), &c, &data, &e), 0, "%s", e.msg);
		references_draw(&r, &d, 1);
		int64_t other = 0;
		while (r.place[other] >= 0)
			other++;
		struct sample_draw samples[2] = { r.draws[17], { other, 0, data.labels[other] } };
		references_tell(&r, &s, samples, 2);
		references_fill(&r, &s, &control, data.images);
		cr_expect(s.posterior.at->host[0] == 17 && s.posterior.at->host[1] == -1);
		for (int i = 0; i < 2; i++)
			cr_expect_eq(s.posterior.label->host[i], (float)(classes ? samples[i].label : 0));
		size_t per = tensor_count(s.posterior.y) / M;
		SCOPED(free) float *want = xcalloc(per, sizeof *want);
		for (int j = 0; j < M; j++) {
			dataset_image(want, &data, r.draws[j].image, r.draws[j].flip);
			cr_assert_eq(memcmp(s.posterior.y->data + (size_t)j * per, want, per * sizeof *want), 0, "reference %d", j);
			cr_assert_eq(s.posterior.y_label->host[j], (float)(classes ? data.labels[r.draws[j].image] : 0));
		}
		references_release(&r);
		graph_free(g);
		dataset_release(&data);
	}
}

/* ---- coupling.generator_share ------------------------------------------------------------------------------------ */

/* By a sample's place in the batch: a part of the batch is told what the whole is. */
Test(references, coupling_chooses_its_share_by_place)
{
	enum { N = 4000, PART = 1000 };
	struct run_config c = tiny((const char *[]){ "coupling.generator_share", "0.3", NULL });
	struct draws d = { .c = &c, .seed = 3 };
	float keep[N], chosen[N], part_keep[PART], part_chosen[PART], next_keep[N], next_chosen[N];
	struct tensor k = { .host = keep }, u = { .host = chosen }, part_k = { .host = part_keep },
				  part_u = { .host = part_chosen }, next_k = { .host = next_keep }, next_u = { .host = next_chosen };
	struct step all = { .coupling = { .keep = &k, .chosen = &u } },
				part = { .coupling = { .keep = &part_k, .chosen = &part_u } },
				next = { .coupling = { .keep = &next_k, .chosen = &next_u } };
	double sum = 0;
	draw_coupling(&all, &d, 2, 0, N);
	draw_coupling(&part, &d, 2, 3 * PART, PART);
	draw_coupling(&next, &d, 3, 0, N);
	for (int i = 0; i < N; i++) {
		cr_assert(keep[i] + chosen[i] == 1 && keep[i] * chosen[i] == 0);
		sum += (double)chosen[i];
	}
	cr_expect(fabs(sum / N - 0.3) < 0.03, "%.3f of the samples", sum / N); /* 4 deviations */
	cr_expect_eq(memcmp(part_chosen, chosen + 3 * (size_t)PART, sizeof part_chosen), 0);
	cr_expect_neq(memcmp(next_chosen, chosen, sizeof chosen), 0);
	c.coupling.generator_share = 1;
	draw_coupling(&all, &d, 2, 0, N);
	for (int i = 0; i < N; i++)
		cr_assert(keep[i] == 0 && chosen[i] == 1);
}

/* ---- trainings --------------------------------------------------------------------------------------------------- */

static double loss_of(const char *const *settings)
{
	struct run_config c = tiny(settings);
	struct train_result r;
	struct err e = ERR_INIT;
	char *dir = tempdir_make();
	struct train_options o = { .seed = 3, .dir = dir, .threads = 2, .device = "cpu" };
	cr_assert_eq(train_run(&r, &c, &o, &(struct train_hooks){ 0 }, &e), 0, "%s", e.msg);
	tempdir_remove(dir);
	return r.final_loss;
}

/* The decay of the average changes what is trained exactly where the average answers, which must be as it is now: with
 * a decay of 0 it is the student, with one of 1 the weights that the training began with. */
Test(references, the_average_that_answers_is_kept_up)
{
#define RATE "optim.lr", "0.01"
	double now = loss_of((const char *[]){ RATE, "coupling.generator_share", "1", "coupling.ema", "0", NULL });
	double first = loss_of((const char *[]){ RATE, "coupling.generator_share", "1", "coupling.ema", "1", NULL });
	double half = loss_of((const char *[]){ RATE, "coupling.generator_share", "0.5", "coupling.ema", "0", NULL });
	double none = loss_of((const char *[]){ RATE, "coupling.ema", "0", NULL });
	cr_expect(now != first && now != half && half != none, "%.9g, %.9g, %.9g, %.9g", now, first, half, none);
	cr_expect_eq(none, loss_of((const char *[]){ RATE, "coupling.ema", "1", NULL }));
}

Test(references, more_of_them_train_otherwise)
{
	double none = loss_of(NULL), one = loss_of((const char *[]){ "target.references", "1", NULL }),
		   many = loss_of((const char *[]){ "target.references", "4000", NULL });
	cr_expect(none != one && one != many && isfinite(many), "%.9g, %.9g, %.9g", none, one, many);
}

/* A base of several methods has the settings of all: those that have no such pair train as without. */
Test(references, other_methods_leave_both_alone)
{
#define BOTH "coupling.generator_share", "0.5", "target.references", "64"
#define SCT \
	"method.kind", "sct", "precond.kind", "trigflow", "loss.kind", "l2", "weight.kind", "learned", "tangent.warmup", "2"
	cr_expect_eq(loss_of((const char *[]){ SCT, BOTH, NULL }), loss_of((const char *[]){ SCT, NULL }));
	struct run_config c = tiny((const char *[]){ "method.kind", "cd", "cd.teacher", "it.safetensors", BOTH, NULL });
	struct err e = ERR_INIT;
	SCOPED(recipe) struct recipe recipe = { 0 };
	struct step s;
	cr_assert_eq(recipe_open(&recipe, &c, NULL, NULL, &e), 0, "%s", e.msg);
	graph_free(recipe_record(&s, &recipe, backend_cpu(), 2));
	cr_expect(!s.coupling.picture && !s.posterior.x_r && s.distill.result);
}
