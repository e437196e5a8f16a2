/* plan_cost.c - how much disk the cells of a plan will take: the two newest checkpoints of each training, which hold
 * student, averages (one per decay that is sampled), two moments and, unless it is the student, the teacher, in fp32;
 * and the samples of each cell, a byte a value. */
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

/* Images of the largest metric, for each number of steps that any asks for and each evaluation seed. */
static double images_of_cell(const struct grid *g)
{
	double images = 0;
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
			images += counted ? 0 : (double)most;
		}
	return images * g->seeds.n_eval;
}

static double image_bytes(const struct run_config *c)
{
	struct data_shape s;
	return data_shape_find(&s, c->data.name, NULL) ? 0 : (double)s.h * s.w * s.c;
}

double plan_disk_bytes(const struct plan *p)
{
	/* Arms mostly share a few networks; building a list of parameters per arm would cost more than all the rest. */
	struct {
		const struct run_config *c;
		double bytes;
	} seen[NETS_REMEMBERED];
	int n = 0, next = 0, arm = -1, tensors = 0;
	double total = 0, of_arm = 0, images = images_of_cell(p->grid), image = 0;
	SCOPED(free) bool *trains = plan_trainers(p);
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_training *t = &p->trainings[p->cells[i].training];
		if (i == 0 || p->cells[i].arm != p->cells[i - 1].arm)
			image = image_bytes(&p->arms[p->cells[i].arm].config);
		total += p->cells[i].state == CELL_PENDING ? images * image : 0;
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
