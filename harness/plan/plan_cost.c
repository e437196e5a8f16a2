/* plan_cost.c - what the cells of a plan cost.
 *
 * Arithmetic: that of a step as plan_memory.h found it, for each training once, and that of the pictures of each cell.
 * Disk: the two newest checkpoints of each training, which hold student, averages (one per decay that is sampled), two
 * moments and, unless it is the student, the teacher, in fp32; and the samples of each cell, a byte a value. */
#include "harness/plan/plan.h"
#include "model/config/net_spec.h"
#include "model/data/shapes.h"

#include "model/nets/net.h"

#include <string.h>

enum { CHECKPOINTS_KEPT = 2, NETS_REMEMBERED = 16 };

static double parameter_bytes(const struct run_config *c)
{
	struct net_spec spec = net_spec_of(c);
	struct params *params = net_params(&spec);
	double bytes = sizeof(float) * (double)params_floats(params);
	params_free(params);
	return bytes;
}

/* Images of the largest metric, for each number of steps that any asks for and each evaluation seed; and how often the
 * network is evaluated for one of them, all together. */
struct images {
	double n, evaluations;
};

static struct images images_of_cell(const struct grid *g)
{
	struct images all = { 0 };
	for (int i = 0; i < g->n_metrics; i++)
		for (int k = 0; k < g->metrics[i].n_nfe; k++) {
			int64_t most = g->metrics[i].samples;
			bool counted = false;
			for (int j = 0; j < g->n_metrics; j++)
				for (int v = 0; v < g->metrics[j].n_nfe; v++) {
					if (g->metrics[j].nfe[v] != g->metrics[i].nfe[k])
						continue;
					counted |= j < i;
					most = g->metrics[j].samples > most ? g->metrics[j].samples : most;
				}
			double n = counted ? 0 : (double)most * g->seeds.n_eval;
			all.n += n;
			all.evaluations += n * g->metrics[i].nfe[k];
		}
	return all;
}

static double image_bytes(const struct run_config *c)
{
	struct data_shape s;
	return data_shape_find(&s, c->data.name, NULL) ? 0 : (double)s.h * s.w * s.c;
}

static bool counts(const struct plan_cell *c, bool blocked_too)
{
	return c->state == CELL_PENDING || (blocked_too && c->state == CELL_BLOCKED);
}

static double disk_bytes(const struct plan *p, const bool *trains, bool blocked_too)
{
	/* Arms mostly share a few networks; building a list of parameters per arm would cost more than all the rest. */
	struct {
		const struct run_config *c;
		double bytes;
	} seen[NETS_REMEMBERED];
	int n = 0, next = 0, arm = -1, tensors = 0;
	double total = 0, of_arm = 0, images = images_of_cell(p->grid).n, image = 0;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_training *t = &p->trainings[p->cells[i].training];
		if (i == 0 || p->cells[i].arm != p->cells[i - 1].arm)
			image = image_bytes(&p->arms[p->cells[i].arm].config);
		total += counts(&p->cells[i], blocked_too) ? images * image : 0;
		if (!trains[i]) /* its checkpoints are another cell's: links */
			continue;
		if (p->cells[i].arm != arm) {
			const struct run_config *c = &p->arms[arm = p->cells[i].arm].config;
			int k = 0;
			while (k < n && (memcmp(&seen[k].c->net, &c->net, sizeof c->net) != 0 ||
			                 strcmp(seen[k].c->data.name, c->data.name) != 0))
				k++;
			if (k == n) {
				k = n < NETS_REMEMBERED ? n++ : next++ % NETS_REMEMBERED;
				seen[k].c = c;
				seen[k].bytes = parameter_bytes(c);
			}
			bool own_teacher = c->teacher.ema.named || c->teacher.ema.value > 0;
			of_arm = CHECKPOINTS_KEPT * seen[k].bytes;
			tensors = own_teacher ? 5 : 4;
		}
		total += of_arm * (tensors + (t->n_ema > 1 ? t->n_ema - 1 : 0));
	}
	return total;
}

double plan_disk_bytes(const struct plan *p)
{
	SCOPED(free) bool *trains = plan_trainers(p, false);
	return disk_bytes(p, trains, false);
}

/* Work is divided by the network that was measured and is nearest, where there was a measurement. */
static void add_work(struct work *w, const struct plan *p, const struct plan_arm *a, double gflop)
{
	enum scaling_net net = p->speed.from == SPEED_MEASURED ? scaling_nearest(&p->speed.measured, a->gflop) : 0;
	w->gflop[net][a->config.train.dtype] += gflop;
}

static void scale_work(struct work *w, double factor)
{
	for (int k = 0; k < SCALING_NETS; k++)
		for (int d = 0; d < N_DTYPES; d++)
			w->gflop[k][d] *= factor;
}

/* How often a training is sampled on its way. */
static double looks_of(const struct run_config *c)
{
	return c->eval.every > 0 && c->train.steps > 0 ? (c->train.steps - 1) / c->eval.every : 0;
}

struct plan_cost plan_cost(const struct plan *p, bool blocked_too)
{
	struct plan_cost cost = { 0 };
	struct work train = { 0 }, all = { 0 };
	double evaluations = images_of_cell(p->grid).evaluations;
	SCOPED(free) bool *trains = plan_trainers(p, blocked_too);
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		const struct plan_arm *a = &p->arms[c->arm];
		if (!counts(c, blocked_too))
			continue;
		cost.cells++;
		cost.memory_bytes = a->memory.bytes > cost.memory_bytes ? a->memory.bytes : cost.memory_bytes;
		double sampling = a->image_gflop * evaluations * (trains[i] ? 1 + looks_of(&a->config) : 1);
		cost.sampling_gflop += sampling;
		add_work(&all, p, a, sampling);
		all.cells += trains[i] || c->trained;
		if (!trains[i])
			continue;
		cost.trainings++;
		cost.unknown += !(a->step_gflop > 0);
		all.steps += (double)a->config.train.steps;
		add_work(&train, p, a, a->step_gflop * (double)a->config.train.steps);
	}
	if (cost.unknown < cost.trainings)
		scale_work(&train, (double)cost.trainings / (cost.trainings - cost.unknown));
	cost.training_gflop = work_gflop(&train);
	for (int k = 0; k < SCALING_NETS; k++)
		for (int d = 0; d < N_DTYPES; d++)
			all.gflop[k][d] += train.gflop[k][d];
	cost.disk_bytes = disk_bytes(p, trains, blocked_too);
	bool known = work_gflop(&all) > 0;
	cost.here_s = known ? speed_here(&p->speed, &all, &p->jobs) : 0;
	cost.card_s = known && p->speed.card ? speed_card(p->speed.card, p->speed.share, &all) : 0;
	cost.card_bf16_s = cost.card_s > 0 ? work_gflop(&all) / (1e3 * p->speed.card->tflops[DTYPE_BF16] * p->speed.share)
	                                   : 0;
	cost.idle = known && p->speed.card && speed_is_idle(p->speed.card, p->speed.share, &all);
	return cost;
}
