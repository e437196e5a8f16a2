/* plan_text.c - a plan as text for a person: what `ablate plan` prints. */
#include "harness/plan/plan_duration.h"
#include "harness/plan/plan_totals.h"
#include "harness/text/escape.h"

#include "model/base/disk.h"
#include "model/base/str.h"

#include <inttypes.h>
#include <string.h>

/* "0.0633 GB", "1180 GB" */
static void add_gb(struct str *out, double bytes)
{
	str_addf(out, bytes < 1e12 ? "%.3g" : "%.0f", bytes / 1e9);
}

/* "pending", "2 cached, 1 pending": the states of one arm's cells. */
static void add_states(struct str *out, const struct plan *p, int arm, int n_seeds)
{
	int count[3] = { 0 };
	for (int i = arm * n_seeds; i < (arm + 1) * n_seeds; i++)
		count[p->cells[i].state]++;
	for (int s = 0, first = 1; s < 3; s++)
		if (count[s]) {
			if (count[s] == n_seeds)
				str_add(out, cell_state_name((enum cell_state)s));
			else
				str_addf(out, "%s%d %s", first ? "" : ", ", count[s], cell_state_name((enum cell_state)s));
			first = 0;
		}
}

/* "18 trainings (9 to do, 6 at hand), 42 samplings, 84 scores; 36 cells share a training": what is to be made. */
static void add_stages(struct str *out, const struct plan_stages *s)
{
	str_addf(out, "%d training%s: %d to do", s->trainings, str_plural(s->trainings), s->to_do);
	if (s->at_hand)
		str_addf(out, ", %d at hand", s->at_hand);
	str_addf(out, "; %d sampling%s and %d score%s to do", s->samplings, str_plural(s->samplings), s->scores,
	         str_plural(s->scores));
	if (s->sharing)
		str_addf(out, "; %d cells share a training", s->sharing);
	str_addc(out, '\n');
}

/* " (trained as base)": the arm whose training it samples, too. */
static void add_sharing(struct str *out, const struct plan *p, int arm, int n_seeds)
{
	int first = n_seeds ? p->cells[p->trainings[p->cells[arm * n_seeds].training].first].arm : arm;
	if (first == arm)
		return;
	str_add(out, "  (trained as ");
	escape_plain(out, p->rows[p->arms[first].rows[0]].name);
	str_addc(out, ')');
}

/* Is that reason on the list of what is missing? */
static bool is_listed(const struct plan *p, const char *reason)
{
	int i = 0;
	while (i < p->n_missing && strcmp(p->missing[i].reason, reason) != 0)
		i++;
	return i < p->n_missing;
}

/* Each other reason for which cells are blocked, once. */
static void add_reasons(struct str *out, const struct plan *p)
{
	SCOPED(free) const char **said = NULL;
	int n = 0, cap = 0;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_cell *c = &p->cells[i];
		int j = 0;
		while (c->state == CELL_BLOCKED && j < n && strcmp(said[j], c->reason) != 0)
			j++;
		if (c->state != CELL_BLOCKED || j < n || n == 20 || is_listed(p, c->reason))
			continue;
		VEC_PUSH(said, n, cap) = c->reason;
		str_add(out, n == 1 ? "\nblocked: " : "blocked: ");
		escape_plain(out, c->reason);
		str_addc(out, '\n');
	}
}

/* "  data set cifar10 (75 cells): where from; licence" and, below, the commands that bring it. */
static void add_missing(struct str *out, const struct plan *p)
{
	if (p->n_missing)
		str_add(out, "\nmissing or wrong, and what helps:\n");
	for (int i = 0; i < p->n_missing; i++) {
		const struct plan_missing *m = &p->missing[i];
		str_add(out, "  ");
		escape_plain(out, m->what);
		str_addf(out, " (%d cell%s)", m->cells, str_plural(m->cells));
		if (*m->about) {
			str_add(out, ": ");
			escape_plain(out, m->about);
		}
		for (int k = 0; k < 2 && m->get[k]; k++) {
			str_add(out, k ? "\n    or: " : "\n    ");
			escape_plain(out, m->get[k]);
		}
		str_addc(out, '\n');
	}
}

/* Cells whose results another build made; the first of them says which. */
static void add_builds(struct str *out, const struct plan *p, int n)
{
	int i = 0;
	while (n && !*p->cells[i].made_by)
		i++;
	if (n)
		str_addf(out,
		         "\n%d of the cached cells %s made by another build (fingerprint %s): `ablate run --rebuild stale` "
		         "makes %s again\n",
		         n, n == 1 ? "was" : "were", p->cells[i].made_by, n == 1 ? "it" : "them");
}

/* Arms that take the same. */
struct amount {
	const struct plan_memory *m;
	int arms;
};

/* What cells that are not finished take of the device's memory: a line for each amount, with the number of its arms. */
static void add_memory_text(struct str *out, const struct plan *p)
{
	SCOPED(free) struct amount *v = NULL;
	int n = 0, cap = 0, last = -1;
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_memory *m = &p->arms[p->cells[i].arm].memory;
		int k = 0;
		if (p->cells[i].state == CELL_CACHED || p->cells[i].arm == last || !*m->device)
			continue;
		last = p->cells[i].arm;
		while (k < n && memcmp(v[k].m, m, sizeof *m) != 0)
			k++;
		if (k == n)
			VEC_PUSH(v, n, cap) = (struct amount){ .m = m };
		v[k].arms++;
	}
	for (int k = 0; k < n && k < 20; k++) {
		const struct plan_memory *m = v[k].m;
		str_addf(out, "%smemory of %s: ", k ? "" : "\n", m->device);
		add_gb(out, m->bytes);
		str_add(out, " GB");
		if (m->limit > 0)
			str_addf(out, " of %.3g", m->limit / 1e9);
		str_addf(out, ", %d sample%s at once", m->micro, str_plural(m->micro));
		if (m->parts > 1)
			str_addf(out, ", %d times for each step", m->parts);
		if (plan_lacks_memory(m) && m->largest > 0)
			str_addf(out, ": does not fit, --microbatch %d would", m->largest);
		else if (plan_lacks_memory(m))
			str_add(out, ": does not fit, nor does one sample at once");
		if (n > 1)
			str_addf(out, " (%d arm%s)", v[k].arms, str_plural(v[k].arms));
		str_addc(out, '\n');
	}
}

static void add_disk(struct str *out, const struct plan *p, const struct plan_cost *c)
{
	char need[24], there[24];
	str_addf(out, "checkpoints and samples: %s of disk", disk_bytes_text(need, c->disk_bytes));
	if (p->disk_known)
		str_addf(out, ", of %s free%s", disk_bytes_text(there, p->disk_free),
		         c->disk_bytes > p->disk_free ? ": too little" : "");
	str_addc(out, '\n');
}

/* "49.3 TFLOP" */
static void add_flop(struct str *out, double gflop)
{
	static const char prefix[] = "GTPEZY";
	int i = 0;
	for (; gflop >= 999.5 && prefix[i + 1]; i++)
		gflop /= 1000;
	str_addf(out, gflop >= 99.95 ? "%.0f %cFLOP" : "%.3g %cFLOP", gflop, prefix[i]);
}

/* "arithmetic: 49.3 TFLOP, of which 1.3 TFLOP for samples" */
static void add_arithmetic(struct str *out, const struct plan_cost *c)
{
	str_add(out, "arithmetic: ");
	if (!(c->training_gflop + c->sampling_gflop > 0)) {
		str_add(out, "unknown\n");
		return;
	}
	add_flop(out, c->training_gflop);
	str_addf(out, " for %d training%s", c->trainings, str_plural(c->trainings));
	if (c->sampling_gflop > 0) {
		str_add(out, ", ");
		add_flop(out, c->sampling_gflop);
		str_add(out, " for samples");
	}
	if (c->unknown)
		str_addf(out, " (%d training%s not known: as the mean of the others)", c->unknown,
		         c->unknown == 1 ? " is" : "s are");
	str_addc(out, '\n');
}

/* Where no finished cell tells how long. */
static void add_here(struct str *out, const struct plan *p, const struct plan_cost *c)
{
	double gflop = c->training_gflop + c->sampling_gflop;
	if (!(c->here_s > 0)) {
		str_add(out, c->trainings ? "unknown: no finished cell to learn from, and this machine is not measured "
		                            "(`ablate bench scaling`, or --rate)\n"
		                          : "that of sampling\n");
		return;
	}
	plan_add_duration(out, c->here_s);
	str_add(out, " on this machine, ");
	if (p->speed.from == SPEED_CARD)
		str_addf(out, "%d %s at %.3g %% of its peak\n", p->speed.cards, p->speed.its->text, 100 * p->speed.share);
	else
		str_addf(out, "at %.3g GFLOP/s%s\n", gflop / c->here_s,
		         p->speed.from == SPEED_STATED ? "" : " by what was measured of it");
}

/* "on one NVIDIA H100 SXM at 30 % of its peak: 36 d, in bf16 2.5 d" */
static void add_card(struct str *out, const struct plan *p, const struct plan_cost *c)
{
	const struct card *card = p->speed.card;
	if (!(c->card_s > 0))
		return;
	str_addf(out, "on one %s at %.3g %% of its peak: %s", card->text, 100 * p->speed.share,
	         c->idle ? "more than " : "");
	if (c->idle && c->card_s < 0.95)
		str_addf(out, "%.1g s", c->card_s);
	else
		plan_add_duration(out, c->card_s);
	if (c->idle) {
		str_add(out, ", as steps this small do not keep it busy");
	} else if (c->card_s > 1.01 * c->card_bf16_s) {
		str_add(out, ", in bf16 ");
		plan_add_duration(out, c->card_bf16_s);
	}
	if (c->memory_bytes > 1e9 * card->memory_gb) {
		str_addf(out, "; %.3g GB are there, a batch at once takes ", card->memory_gb);
		add_gb(out, c->memory_bytes);
		str_add(out, ": --microbatch");
	}
	str_addc(out, '\n');
}

/* What there is to do if nothing were blocked. */
static void add_unblocked(struct str *out, const struct plan *p, int blocked)
{
	struct plan_cost c = plan_cost(p, true);
	str_addf(out, "\nonce nothing blocks the %d cell%s, all %d together take:\n  ", blocked, str_plural(blocked),
	         c.cells);
	add_arithmetic(out, &c);
	str_add(out, "  estimated time: ");
	add_here(out, p, &c);
	if (c.card_s > 0)
		str_add(out, "  ");
	add_card(out, p, &c);
	str_add(out, "  ");
	add_disk(out, p, &c);
}

static void add_pending(struct str *out, const struct plan *p, const struct plan_totals *t)
{
	struct plan_cost c = plan_cost(p, false);
	str_add(out, "\nestimated time: ");
	if (t->guessed) {
		plan_add_duration(out, t->seconds);
		str_add(out, " of one worker, by finished cells\n");
	} else {
		add_here(out, p, &c);
	}
	add_card(out, p, &c);
	add_arithmetic(out, &c);
	add_disk(out, p, &c);
}

static void add_jobs(struct str *out, const struct plan *p)
{
	SCOPED(str) struct str s = { 0 };
	jobs_text(&s, &p->jobs);
	if (s.len)
		str_addf(out, "\n%s", str_text(&s));
}

void plan_text(struct str *out, const struct plan *p)
{
	const struct grid *g = p->grid;
	struct plan_totals t = plan_totals(p);
	escape_plain(out, g->name);
	str_addf(out, "  plan %.12s  ", p->hash);
	escape_plain(out, g->path);
	str_addf(out,
	         "\n%d row%s, %d arm%s, %d cell%s: %d cached, %d pending, %d blocked; %d arm%s shared by several rows\n",
	         p->n_rows, str_plural(p->n_rows), p->n_arms, str_plural(p->n_arms), p->n_cells, str_plural(p->n_cells),
	         t.state[CELL_CACHED], t.state[CELL_PENDING], t.state[CELL_BLOCKED], t.shared, str_plural(t.shared));
	add_stages(out, &t.stages);
	str_add(out, "train seeds");
	for (int i = 0; i < g->seeds.n_train && i < 20; i++)
		str_addf(out, " %" PRId64, g->seeds.train[i]);
	str_addf(out, "%s\n\n%-14s%-24s%s\n", g->seeds.n_train > 20 ? " ..." : "", "arm", "state", "labels");
	for (int a = 0; a < p->n_arms; a++) {
		SCOPED(str) struct str states = { 0 };
		add_states(&states, p, a, g->seeds.n_train);
		str_addf(out, "%.12s  %-24s", p->arms[a].hash, str_text(&states));
		for (int i = 0; i < p->arms[a].n_rows; i++) {
			str_add(out, i ? "; " : "");
			escape_plain(out, p->rows[p->arms[a].rows[i]].name);
		}
		add_sharing(out, p, a, g->seeds.n_train);
		str_addc(out, '\n');
	}
	add_builds(out, p, t.of_another_build);
	add_missing(out, p);
	add_reasons(out, p);
	add_memory_text(out, p);
	if (t.state[CELL_PENDING]) {
		add_jobs(out, p);
		add_pending(out, p, &t);
	} else {
		str_add(out, "\nnothing to run\n");
	}
	if (t.state[CELL_BLOCKED])
		add_unblocked(out, p, t.state[CELL_BLOCKED]);
	if (g->budget.grid_cells && t.state[CELL_PENDING] > g->budget.grid_cells)
		str_addf(out, "the budget starts at most %d cell%s per run\n", g->budget.grid_cells,
		         str_plural(g->budget.grid_cells));
}
