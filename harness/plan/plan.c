/* plan.c - expansion: rows from the grid, arms from rows, cells from arms. See plan.h.
 *
 * Arms are distinguished by their hash in a hash table, so time is linear in the rows. A row's config is built from
 * the layers preset < [base] < row < --set; the first two are made once per preset. */
#include "harness/plan/plan.h"

#include "harness/plan/inputs.h"
#include "harness/plan/leak.h"
#include "harness/plan/row_methods.h"
#include "model/consistency/segments.h"
#include "model/consistency/truncated.h"

#include <stdlib.h>
#include <string.h>

/* ---- configs by layers ------------------------------------------------------------------------------------------ */

struct layer {
	const char *preset;
	struct run_config config;
};

struct expansion {
	struct plan *p;
	struct grid *g;
	const struct plan_options *opt;
	struct layer *layers; /* preset and [base], by preset */
	int n_layers, cap_layers;
	uint32_t *index, index_size; /* arm number + 1 by hash */
	bool *excluded;              /* which excludes matched */
	bool with_sets;              /* the second of two passes applies --set */
	struct row_methods methods;  /* which settings some row uses */
	struct config_memo *memo;    /* what checking and writing one arm spares the next */
	struct err *e;
};

static const struct run_config *bottom(struct expansion *x, const char *preset)
{
	for (int i = 0; i < x->n_layers; i++)
		if (!strcmp(x->layers[i].preset, preset))
			return &x->layers[i].config;
	struct layer *l = &VEC_PUSH(x->layers, x->n_layers, x->cap_layers);
	struct err e = ERR_INIT;
	l->preset = preset;
	config_defaults(&l->config);
	if (*preset && config_preset(&l->config, preset, &e))
		BUG("a preset that was checked: %s", e.msg);
	settings_apply(&l->config, &x->g->base);
	return &l->config;
}

static const char *preset_of(const struct expansion *x, const struct settings *row)
{
	const char *set = x->with_sets ? settings_preset(&x->g->sets) : NULL, *own = settings_preset(row);
	bool scale = set && !strncmp(set, PRESET_OWN, strlen(PRESET_OWN));
	if (!own)
		own = settings_preset(&x->g->base);
	if (set && !scale)
		return set;
	const struct preset *full = scale && own ? config_find_preset(own, NULL) : NULL;
	if (full)
		return arena_strfmt(&x->p->arena, "%s%s", full->name, set + strlen(PRESET_OWN));
	return own ? own : "";
}

static void build(struct run_config *c, struct expansion *x, const struct settings *row)
{
	const char *preset = preset_of(x, row), *set = x->with_sets ? settings_preset(&x->g->sets) : NULL;
	*c = *bottom(x, preset);
	settings_apply(c, row);
	if (set && !strncmp(set, PRESET_OWN, strlen(PRESET_OWN))) /* otherwise a row's own sizes would undo the scaling */
		config_scale(c, preset);
	if (x->with_sets)
		settings_apply(c, &x->g->sets);
}

/* ---- arms ------------------------------------------------------------------------------------------------------- */

static uint32_t slot_of(const char *hex)
{
	uint32_t h = 0;
	for (int i = 0; i < 8; i++)
		h = h << 4 | (uint32_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
	return h;
}

static int find_arm(const struct expansion *x, const char *hash)
{
	uint32_t mask = x->index_size - 1;
	for (uint32_t at = slot_of(hash) & mask; x->index_size && x->index[at]; at = (at + 1) & mask)
		if (!strcmp(x->p->arms[x->index[at] - 1].hash, hash))
			return (int)x->index[at] - 1;
	return -1;
}

static void index_arm(struct expansion *x, int arm)
{
	uint32_t mask = x->index_size - 1, at = slot_of(x->p->arms[arm].hash) & mask;
	while (x->index[at])
		at = (at + 1) & mask;
	x->index[at] = (uint32_t)arm + 1;
}

static int add_arm(struct expansion *x, const char *hash, char *json, const struct run_config *c, const char *preset)
{
	struct plan *p = x->p;
	struct plan_arm *arm = &VEC_PUSH(p->arms, p->n_arms, p->cap_arms);
	*arm = (struct plan_arm){ .config = *c, .json = json, .preset = preset };
	memcpy(arm->hash, hash, SHA256_HEX);
	if (2 * (uint32_t)p->n_arms > x->index_size) {
		x->index_size = x->index_size ? 4 * x->index_size : 64;
		x->index = xrealloc(x->index, x->index_size, sizeof *x->index);
		memset(x->index, 0, x->index_size * sizeof *x->index);
		for (int i = 0; i < p->n_arms; i++)
			index_arm(x, i);
	} else {
		index_arm(x, p->n_arms - 1);
	}
	return p->n_arms - 1;
}

static void add_needs(struct plan_arm *arm, const struct grid_needs *needs)
{
	for (int i = 0; i < needs->n; i++) {
		bool known = false;
		for (int j = 0; j < arm->n_needs; j++)
			known |= !strcmp(arm->needs[j], needs->v[i]);
		if (!known)
			VEC_PUSH(arm->needs, arm->n_needs, arm->cap_needs) = needs->v[i];
	}
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

struct new_row {
	const char *chain, *label, *variant;
	struct settings set;
	const struct grid_needs **needs;
	int n_needs;
	struct grid_place at;
	bool include;
};

/* Can the row's model make pictures by as many evaluations as each metric asks for? */
static int check_nfe(const struct run_config *c, const struct grid *g, struct err *e)
{
	for (int i = 0; i < g->n_metrics; i++)
		for (int k = 0; k < g->metrics[i].n_nfe; k++)
			if (segments_allow(c, g->metrics[i].nfe[k], e) || truncated_allow(c, g->metrics[i].nfe[k], e))
				return err_in(e, "metric \"%s\"", g->metrics[i].name);
	return 0;
}

static int add_row(struct expansion *x, const struct new_row *r)
{
	struct plan *p = x->p;
	struct run_config c;
	struct err why = ERR_INIT;
	char hash[SHA256_HEX];
	build(&c, x, &r->set);
	int refused = config_finish_with(&c, x->memo, &why) || check_nfe(&c, x->g, &why);
	if (refused && !x->with_sets && x->g->sets.n)
		return 0; /* --set may fix it: the second pass decides */
	if (refused)
		return grid_err(x->e, r->at, "row \"%s\": %s", r->label, why.msg);
	const char *preset = preset_of(x, &r->set);
	row_methods_add(&x->methods, &x->g->base, &c, preset);
	row_methods_add(&x->methods, &r->set, &c, preset);
	if (x->with_sets)
		row_methods_add(&x->methods, &x->g->sets, &c, preset);
	char *json = cell_arm_json(hash, &c, x->memo);
	int arm = find_arm(x, hash);
	if (arm >= 0)
		free(json);
	if (arm >= 0 && p->arms[arm].config.train.microbatch != c.train.microbatch)
		return grid_err(x->e, r->at,
		                "row \"%s\" differs from \"%s\" in train.microbatch alone: that makes no other cell", r->label,
		                p->rows[p->arms[arm].rows[0]].name);
	if (arm >= 0 && r->include && !x->with_sets)
		return grid_err(x->e, r->at, "include \"%s\" repeats the row \"%s\" (line %d): the same settings", r->label,
		                p->rows[p->arms[arm].rows[0]].name, p->rows[p->arms[arm].rows[0]].at.line);
	if (arm < 0)
		arm = add_arm(x, hash, json, &c, preset);
	struct plan_row *row = &VEC_PUSH(p->rows, p->n_rows, p->cap_rows);
	*row = (struct plan_row){ .chain = r->chain, .label = r->label, .variant = r->variant, .arm = arm, .at = r->at };
	row->name = *r->chain ? arena_strfmt(&p->arena, "%s/%s", r->chain, r->label) : r->label;
	struct plan_arm *a = &p->arms[arm];
	VEC_PUSH(a->rows, a->n_rows, a->cap_rows) = p->n_rows - 1;
	for (int i = 0; i < r->n_needs; i++)
		add_needs(a, r->needs[i]);
	return 0;
}

/* ---- the product ------------------------------------------------------------------------------------------------ */

static bool same_value(const struct run_config *a, const struct run_config *b, const struct knob *k)
{
	SCOPED(free) char *ta = config_value_text(a, k);
	SCOPED(free) char *tb = config_value_text(b, k);
	return !strcmp(ta, tb);
}

/* Does the row that led to c have every value of `when`? Compared as knob values, so 0.5 is 5e-1. */
static bool matches(const struct expansion *x, const struct run_config *c, const char *preset,
                    const struct settings *when)
{
	struct run_config want = *c, is = *c;
	const char *wanted_preset = settings_preset(when);
	if (wanted_preset && strcmp(wanted_preset, preset) != 0)
		return false;
	settings_apply(&want, when);
	if (config_finish_with(&is, x->memo, NULL) || config_finish_with(&want, x->memo, NULL))
		is = *c; /* expressions cannot be evaluated: compare as written */
	for (int i = 0; i < when->n; i++) {
		const struct knob *k = config_find(when->v[i].key);
		if (k && !same_value(&is, &want, k))
			return false;
	}
	return true;
}

static bool is_excluded(struct expansion *x, const struct settings *row)
{
	if (!x->g->n_excludes)
		return false;
	struct run_config c;
	bool out = false, with_sets = x->with_sets;
	x->with_sets = false; /* --set must not make an exclude match or miss */
	build(&c, x, row);
	for (int i = 0; i < x->g->n_excludes; i++)
		if (matches(x, &c, preset_of(x, row), &x->g->excludes[i].when))
			out = x->excluded[i] = true;
	x->with_sets = with_sets;
	return out;
}

static const char *value_label(struct expansion *x, const struct setting *s)
{
	char buf[32];
	const struct knob_value *v = &s->value;
	switch (v->type) {
	case VALUE_BOOL: return v->b ? "true" : "false";
	case VALUE_INT: return arena_strfmt(&x->p->arena, "%lld", (long long)v->i);
	case VALUE_DOUBLE: return arena_strdup(&x->p->arena, str_double(buf, v->d));
	case VALUE_STRING: return v->s;
	case VALUE_INTS: {
		SCOPED(str) struct str list = { 0 };
		for (int i = 0; i < v->list.n; i++)
			str_addf(&list, "%s%d", i ? " " : "[", v->list.v[i]);
		return arena_strfmt(&x->p->arena, "%s]", list.len ? str_text(&list) : "[");
	}
	}
	BUG("value type %d", (int)v->type);
}

/* One point of the product: label and settings, from which value of each axis is taken. */
static const char *point(struct expansion *x, struct settings *set, const int *at)
{
	SCOPED(str) struct str label = { 0 };
	set->n = 0;
	for (int i = 0; i < x->g->n_axes; i++) {
		const struct grid_axis *a = &x->g->axes[i];
		const struct setting *values = &a->values[(size_t)at[i] * (size_t)a->n_keys];
		if (a->labels)
			str_addf(&label, "%s%s", i ? ", " : "", a->labels[at[i]]);
		for (int j = 0; j < a->n_keys; j++) {
			set->v[set->n++] = values[j];
			if (!a->labels)
				str_addf(&label, "%s%s=%s", label.len ? ", " : "", a->keys[j], value_label(x, &values[j]));
		}
	}
	return arena_strdup(&x->p->arena, str_text(&label));
}

static int add_product(struct expansion *x)
{
	const struct grid *g = x->g;
	size_t n_keys = 0;
	for (int i = 0; i < g->n_axes; i++)
		n_keys += (size_t)g->axes[i].n_keys;
	SCOPED(free) int *at = xcalloc((size_t)g->n_axes, sizeof *at);
	SCOPED(free) struct setting *values = xcalloc(n_keys, sizeof *values);
	for (;;) {
		struct new_row r = { .chain = "", .variant = "", .set = { .v = values }, .at = g->axes[0].at };
		r.label = point(x, &r.set, at);
		if (!is_excluded(x, &r.set) && add_row(x, &r))
			return -1;
		int i = g->n_axes - 1; /* the last axis runs fastest */
		while (i >= 0 && ++at[i] == g->axes[i].n_values)
			at[i--] = 0;
		if (i < 0)
			break;
	}
	for (int i = 0; i < g->n_excludes; i++)
		if (!x->excluded[i])
			return grid_err(x->e, g->excludes[i].at, "this exclude matches no row of the product");
	return 0;
}

static int add_includes(struct expansion *x)
{
	for (int i = 0; i < x->g->n_includes; i++) {
		const struct grid_include *in = &x->g->includes[i];
		const struct grid_needs *needs = &in->needs;
		struct new_row r = { .chain = "",
			                 .variant = "",
			                 .label = in->label,
			                 .set = in->set,
			                 .needs = &needs,
			                 .n_needs = 1,
			                 .at = in->at,
			                 .include = true };
		if (add_row(x, &r))
			return -1;
	}
	return 0;
}

/* ---- chains ----------------------------------------------------------------------------------------------------- */

/* One row of a chain: the base with the steps that are on. */
static int add_chain_row(struct expansion *x, const struct grid_chain *c, const bool *on, const char *label,
                         const char *variant)
{
	struct new_row r = { .chain = c->name, .label = label, .variant = variant, .at = c->at };
	int n = 0;
	for (int i = 0; i < c->n_steps; i++)
		n += on[i] ? x->g->variants[c->steps[i]].set.n : 0;
	SCOPED(free) struct setting *values = xcalloc((size_t)n, sizeof *values);
	SCOPED(free) const struct grid_needs **needs = xcalloc((size_t)c->n_steps, sizeof *needs);
	r.set.v = values;
	r.needs = needs;
	for (int i = 0; i < c->n_steps; i++) {
		if (!on[i])
			continue;
		const struct grid_variant *v = &x->g->variants[c->steps[i]];
		memcpy(values + r.set.n, v->set.v, (size_t)v->set.n * sizeof *values);
		r.set.n += v->set.n;
		needs[r.n_needs++] = &v->needs;
	}
	return add_row(x, &r);
}

static int add_factorial(struct expansion *x, const struct grid_chain *c, bool *on)
{
	for (uint64_t mask = 0; mask < (uint64_t)1 << c->n_steps; mask++) {
		SCOPED(str) struct str label = { 0 };
		for (int i = 0; i < c->n_steps; i++) {
			on[i] = mask >> i & 1;
			if (on[i])
				str_addf(&label, "%s%s", label.len ? " + " : "", x->g->variants[c->steps[i]].label);
		}
		if (add_chain_row(x, c, on, mask ? arena_strdup(&x->p->arena, str_text(&label)) : "base", ""))
			return -1;
	}
	return 0;
}

static int add_chain(struct expansion *x, const struct grid_chain *c)
{
	SCOPED(free) bool *on = xcalloc((size_t)c->n_steps, sizeof *on);
	bool minus = c->mode == CHAIN_FULL_MINUS_ONE;
	if (c->mode == CHAIN_FACTORIAL)
		return add_factorial(x, c, on);
	for (int i = 0; i < c->n_steps; i++)
		on[i] = minus;
	if (add_chain_row(x, c, on, minus ? "full" : "base", ""))
		return -1;
	for (int i = 0; i < c->n_steps; i++) {
		const struct grid_variant *v = &x->g->variants[c->steps[i]];
		bool single = c->mode == CHAIN_ONE_AT_A_TIME;
		const char *label = single ? v->label : arena_strfmt(&x->p->arena, "%c %s", minus ? '-' : '+', v->label);
		on[i] = !minus;
		if (add_chain_row(x, c, on, label, single ? v->name : ""))
			return -1;
		on[i] = minus || !single;
	}
	return 0;
}

static int add_rows(struct expansion *x)
{
	const struct grid *g = x->g;
	if ((g->n_axes && add_product(x)) || add_includes(x))
		return -1;
	for (int i = 0; i < g->n_chains; i++)
		if (add_chain(x, &g->chains[i]))
			return -1;
	if (g->n_axes && !x->p->n_rows && (x->with_sets || !g->sets.n))
		return grid_err(x->e, g->axes[0].at, "every row of the product is excluded, so there is nothing to run");
	if (g->n_axes || g->n_includes || g->n_chains)
		return 0;
	struct new_row base = { .chain = "", .label = "base", .variant = "", .at = { g->path, 1, 1 } };
	return add_row(x, &base);
}

/* ---- cells ------------------------------------------------------------------------------------------------------ */

/* The hash of what each arm reads, looked up once where arms read the same; blocked[arm] gets the reason where it is
 * unknown. */
static void find_datasets(struct plan *p, const struct plan_options *opt, const char **blocked)
{
	SCOPED(free) int *asked = NULL; /* an arm for each different set of inputs */
	int n_asked = 0, cap_asked = 0;
	for (int a = 0; opt->dataset && a < p->n_arms; a++) {
		struct plan_arm *arm = &p->arms[a];
		struct err e = ERR_INIT;
		int i = 0;
		while (i < n_asked && !inputs_same(&p->arms[asked[i]].config, &arm->config))
			i++;
		if (i < n_asked) {
			memcpy(arm->dataset, p->arms[asked[i]].dataset, SHA256_HEX);
			blocked[a] = blocked[asked[i]];
			continue;
		}
		VEC_PUSH(asked, n_asked, cap_asked) = a;
		if (opt->dataset(opt->ctx, arm->dataset, &arm->config, &e)) {
			arm->dataset[0] = '\0';
			blocked[a] = arena_strdup(&p->arena, e.msg);
		}
	}
}

static void add_cells(struct plan *p, const struct plan_options *opt)
{
	const struct grid_seeds *seeds = &p->grid->seeds;
	SCOPED(free) const char **blocked = xcalloc((size_t)p->n_arms, sizeof *blocked);
	find_datasets(p, opt, blocked);
	p->cells = xcalloc((size_t)p->n_arms * (size_t)seeds->n_train, sizeof *p->cells);
	for (int a = 0; a < p->n_arms; a++)
		for (int s = 0; s < seeds->n_train; s++) {
			struct plan_cell *cell = &p->cells[p->n_cells++];
			cell->arm = a;
			cell->seed = seeds->train[s];
			cell_hash(cell->hash, p->arms[a].hash, cell->seed, NUMERICS_VERSION, p->arms[a].dataset);
			if (blocked[a]) {
				cell->state = CELL_BLOCKED;
				(void)snprintf(cell->reason, sizeof cell->reason, "%s", blocked[a]);
			}
		}
	plan_find_trainings(p);
	for (int i = 0; opt->state && i < p->n_cells; i++)
		if (p->cells[i].state != CELL_BLOCKED)
			opt->state(opt->ctx, &p->cells[i], p);
}

/* ---- checks on the whole ---------------------------------------------------------------------------------------- */

static int by_name(const void *pa, const void *pb)
{
	const struct plan_row *a = *(const struct plan_row *const *)pa, *b = *(const struct plan_row *const *)pb;
	int order = strcmp(a->name, b->name);
	return order ? order : (a > b) - (a < b);
}

/* Tables, gates and records refer to a row by its name. One name twice for one arm says nothing new; one name for two
 * arms is ambiguous. */
static int check_names(const struct plan *p, struct err *e)
{
	SCOPED(free) const struct plan_row **order = xcalloc((size_t)p->n_rows, sizeof *order);
	const struct plan_row *again = NULL, *first = NULL;
	for (int i = 0; i < p->n_rows; i++)
		order[i] = &p->rows[i];
	qsort(order, (size_t)p->n_rows, sizeof *order, by_name);
	for (int i = 1; i < p->n_rows; i++)
		if (strcmp(order[i - 1]->name, order[i]->name) == 0 && (!again || order[i] < again)) {
			first = order[i - 1];
			again = order[i];
		}
	if (!again)
		return 0;
	if (first->arm == again->arm)
		return grid_err(e, again->at, "the row \"%s\" (line %d) appears twice: a value or label is repeated",
		                again->name, first->at.line);
	return grid_err(e, again->at,
	                "two different rows are named \"%s\" (lines %d and %d): give one of them another label",
	                again->name, first->at.line, again->at.line);
}

static int check_gates(const struct plan *p, struct err *e)
{
	for (int i = 0; i < p->grid->n_gates; i++) {
		const struct grid_gate *gate = &p->grid->gates[i];
		struct err why = ERR_INIT;
		int arm, against = -1;
		if (plan_find_arm(&arm, p, gate->rule.arm, &why))
			return grid_err(e, gate->at, "arm: %s", why.msg);
		if (*gate->rule.against_grid)
			continue; /* that grid is read when the gate is judged */
		if (strcmp(gate->rule.against, "baseline") != 0 && plan_find_arm(&against, p, gate->rule.against, &why))
			return grid_err(e, gate->at, "against: %s", why.msg);
		if (arm == against && !p->grid->sets.n)
			return grid_err(e, gate->at, "arm and against are the same arm");
	}
	return 0;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static void forget_rows(struct plan *p)
{
	for (int i = 0; i < p->n_arms; i++) {
		free(p->arms[i].json);
		free(p->arms[i].rows);
		free(p->arms[i].needs);
	}
	p->n_arms = p->n_rows = 0;
}

static int expand(struct expansion *x)
{
	/* The file itself is checked without --set, which may make rows equal on purpose. */
	if (x->g->sets.n) {
		if (x->g->n_includes && add_rows(x))
			return -1;
		forget_rows(x->p);
		x->methods.n = 0;
		if (x->index)
			memset(x->index, 0, x->index_size * sizeof *x->index);
		x->with_sets = true;
	}
	if (add_rows(x))
		return -1;
	x->p->grid = x->g;
	if (row_methods_check(&x->methods, x->e) || check_names(x->p, x->e) ||
	    (!x->opt->n_only && check_gates(x->p, x->e)) || leak_refuse(x->p, x->e) ||
	    plan_keep_only(x->p, x->opt->only, x->opt->n_only, x->e))
		return -1;
	add_cells(x->p, x->opt);
	return 0;
}

int plan_expand(struct plan **out, struct grid *g, const struct plan_options *opt, struct err *e)
{
	static const struct plan_options nothing = { 0 };
	struct plan *p = xcalloc(1, sizeof *p);
	struct expansion x = { .p = p, .g = g, .opt = opt ? opt : &nothing, .e = e };
	x.excluded = xcalloc((size_t)g->n_excludes, sizeof *x.excluded);
	x.memo = config_memo_new();
	int rc = expand(&x);
	config_memo_free(x.memo);
	row_methods_release(&x.methods);
	free(x.excluded);
	free(x.layers);
	free(x.index);
	if (rc) {
		p->grid = NULL; /* still the caller's */
		plan_free(p);
		return -1;
	}
	plan_hash(p);
	*out = p;
	return 0;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	forget_rows(p);
	free(p->arms);
	free(p->rows);
	free(p->cells);
	for (int i = 0; i < p->n_trainings; i++)
		free(p->trainings[i].ema);
	free(p->trainings);
	free(p->missing);
	grid_free(p->grid);
	arena_release(&p->arena);
	free(p);
}

void scoped_plan(struct plan **p)
{
	plan_free(*p);
}
