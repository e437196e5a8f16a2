/* watch_changes.c - see watch_changes.h. */
#include "harness/watch/watch_changes.h"

#include "harness/text/json_out.h"
#include "harness/watch/watch_screen.h"
#include "model/base/progress.h"
#include "model/base/sha256.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch_said {
	char cell[SHA256_HEX], attempt[64];
	enum record_state state;
	bool gone;
	int64_t step; /* or the tenth of the training */
};

void watch_told_release(struct watch_told *t)
{
	free(t->v);
	*t = (struct watch_told){ 0 };
}

static int by_cell(const void *a, const void *b)
{
	return strcmp(((const struct watch_said *)a)->cell, ((const struct watch_said *)b)->cell);
}

static bool same(const struct watch_said *a, const struct watch_said *b)
{
	return a->state == b->state && a->gone == b->gone && a->step == b->step && strcmp(a->attempt, b->attempt) == 0;
}

/* Which cells are to be told, in their order; heap. Remembers them as told. */
static bool *take_changes(struct watch_told *told, const struct watch *w, bool tenths)
{
	bool *changed = xcalloc((size_t)w->n + 1, sizeof *changed);
	struct watch_said *now = xcalloc((size_t)w->n + 1, sizeof *now);
	for (int i = 0; i < w->n; i++) {
		const struct watch_cell *c = &w->cells[i];
		struct watch_said *s = &now[i];
		*s = (struct watch_said){ .state = c->state, .gone = c->gone, .step = c->step };
		if (tenths)
			s->step = c->state == RECORD_RUNNING && c->steps > 0 ? c->step * 10 / c->steps : 0;
		(void)snprintf(s->cell, sizeof s->cell, "%s", c->cell);
		(void)snprintf(s->attempt, sizeof s->attempt, "%s", c->attempt);
		const struct watch_said *before = told->n ? bsearch(s, told->v, (size_t)told->n, sizeof *told->v, by_cell)
		                                          : NULL;
		changed[i] = !before || !same(s, before);
	}
	qsort(now, (size_t)w->n, sizeof *now, by_cell);
	free(told->v);
	told->v = now;
	told->n = w->n;
	told->begun = true;
	return changed;
}

static void cell_text(struct str *out, const struct watch_cell *c)
{
	char text[32];
	str_addf(out, "%-8s %.12s %s seed %lld", watch_word(c), c->cell, c->label, (long long)c->seed);
	if (c->state == RECORD_RUNNING && !c->gone) {
		str_addf(out, ": step %lld of %lld", (long long)c->step, (long long)c->steps);
		if (c->rate > 0)
			str_addf(out, ", %.3g steps/s, %s left", c->rate, duration_text(text, c->eta_s));
		if (!isnan(c->loss))
			str_addf(out, ", loss %.4g", c->loss);
	} else if (c->state == RECORD_DONE && !isnan(c->seconds))
		str_addf(out, ": took %s", duration_text(text, c->seconds));
	else if (*c->reason)
		str_addf(out, ": %s", c->reason);
	str_addc(out, '\n');
}

void watch_changes_text(struct str *out, struct watch_told *told, const struct watch *w, const char *now)
{
	bool first = !told->begun;
	SCOPED(free) bool *changed = take_changes(told, w, true);
	if (first) {
		str_addf(out, "%.19sZ ", now);
		watch_summary(out, w);
		str_addc(out, '\n');
	}
	for (int i = 0; i < w->n; i++) {
		const struct watch_cell *c = &w->cells[i];
		bool quiet = first && (c->state == RECORD_PENDING || c->state == RECORD_STOPPED || c->state == RECORD_DONE);
		if (!changed[i] || quiet)
			continue;
		str_addf(out, "%.19sZ ", now);
		cell_text(out, c);
	}
}

static void add_number(json_t *o, const char *key, double x)
{
	if (isfinite(x))
		(void)json_object_set_new(o, key, json_real(x));
}

const struct json_key watch_changes_keys[] = {
	JSON_KEY("cell", "string", "the cell, by its hash"),
	JSON_KEY("label", "string", "what it is called"),
	JSON_KEY("seed", "integer", "its training seed"),
	JSON_KEY("state", "string", "its state; gone: its process is"),
	JSON_KEY("step", "integer", "training steps done"),
	JSON_KEY("steps", "integer", "training steps in all"),
	JSON_KEY("attempt", "string", "its attempt", .absent = "where there is none"),
	JSON_KEY("rate", "number", "training steps", .unit = "1/s", .absent = "where it is not known"),
	JSON_KEY("eta_s", "number", "time that is left of its training", .unit = "s", .absent = "where it is not known"),
	JSON_KEY("seconds", "number", "how long it has run", .unit = "s", .absent = "where it is not known"),
	JSON_KEY("loss", "number", "its last loss", .absent = "where it is not known"),
	JSON_KEY("reason", "string", "why it is in this state", .absent = "where nothing is to be said"),
	{ 0 },
};

json_t *watch_changes_json(struct watch_told *told, const struct watch *w)
{
	SCOPED(free) bool *changed = take_changes(told, w, false);
	json_t *list = json_array();
	for (int i = 0; i < w->n; i++) {
		const struct watch_cell *c = &w->cells[i];
		if (!changed[i])
			continue;
		json_t *o = json_pack("{s:s, s:o, s:I, s:s, s:I, s:I}", "cell", c->cell, "label", json_out_text(c->label),
		                      "seed", (json_int_t)c->seed, "state", watch_word(c), "step", (json_int_t)c->step, "steps",
		                      (json_int_t)c->steps);
		if (*c->attempt)
			(void)json_object_set_new(o, "attempt", json_out_text(c->attempt));
		add_number(o, "rate", c->rate);
		add_number(o, "eta_s", c->eta_s);
		add_number(o, "seconds", c->seconds);
		add_number(o, "loss", c->loss);
		if (*c->reason)
			(void)json_object_set_new(o, "reason", json_out_text(c->reason));
		(void)json_array_append_new(list, o);
	}
	return list;
}

const struct json_key watch_gpus_keys[] = {
	JSON_KEY("name", "string", "what it is"),
	JSON_KEY("use", "integer", "how busy it is", .unit = "%", .absent = "where the driver does not say"),
	JSON_KEY("used_bytes", "number", "memory that is used", .unit = "bytes", .absent = "where the driver does not say"),
	JSON_KEY("memory_bytes", "number", "its memory", .unit = "bytes", .absent = "where the driver does not say"),
	JSON_KEY("celsius", "integer", "its temperature", .unit = "degrees Celsius",
	         .absent = "where the driver does not say"),
	JSON_KEY("watts", "number", "its power", .unit = "W", .absent = "where the driver does not say"),
	{ 0 },
};

json_t *watch_gpus_json(const struct watch *w)
{
	json_t *list = json_array();
	for (int i = 0; i < w->n_gpus; i++) {
		const struct gpu *g = &w->gpus[i];
		json_t *o = json_pack("{s:o}", "name", json_out_text(g->name));
		if (g->use >= 0)
			(void)json_object_set_new(o, "use", json_integer(g->use));
		add_number(o, "used_bytes", g->used);
		add_number(o, "memory_bytes", g->memory);
		if (g->celsius >= 0)
			(void)json_object_set_new(o, "celsius", json_integer(g->celsius));
		add_number(o, "watts", g->watts);
		(void)json_array_append_new(list, o);
	}
	return list;
}
