/* place_options.c - see place_options.h. */
#include "harness/commands/place_options.h"

#include "model/base/disk.h"
#include "model/base/str.h"
#include "model/cpu/devices.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int microbatch_of(int *out, const struct cli *c, struct err *e)
{
	const char *text = cli_string(c, "microbatch", NULL);
	char *end = NULL;
	long n = text && strcmp(text, "auto") != 0 ? strtol(text, &end, 10) : 0;
	if (end && (*end || n < 1 || n > INT_MAX))
		return err_code(e, EXIT_USAGE, "--microbatch %s: a number of samples, or auto", text);
	*out = end ? (int)n : text ? MICROBATCH_AUTO : 0;
	return 0;
}

/* The device that has least free memory, as a cell may come to any of them. One that cannot be opened is passed over
 * here, as by the runner. */
static const char *smallest_device(const struct engine_devices *d)
{
	uint64_t least = UINT64_MAX;
	const char *found = d->v[0].name;
	for (int i = 0; i < d->n && d->n > 1; i++) {
		struct backend *b;
		struct backend_facts f;
		struct err why = ERR_INIT;
		if (backend_open(&b, d->v[i].name, DTYPE_FP32, &why))
			continue;
		b->ops->facts(b, &f);
		backend_free(b);
		if (f.memory_free < least) {
			least = f.memory_free;
			found = d->v[i].name;
		}
	}
	return found;
}

void ask_disk(struct plan *p, const struct cli *c)
{
	SCOPED(free) char *runs = xstrfmt("%s-runs", c->db);
	p->disk_known = disk_free(&p->disk_free, runs);
}

int disk_holds(struct plan *p, const struct cli *c, struct err *e)
{
	char need[24], there[24];
	int pending = 0, most = p->grid->budget.grid_cells;
	for (int i = 0; i < p->n_cells; i++)
		pending += p->cells[i].state == CELL_PENDING;
	int begun = most && most < pending ? most : pending;
	double bytes = begun ? plan_disk_bytes(p) * begun / pending : 0;
	ask_disk(p, c);
	if (cli_flag(c, "ignore-disk") || !p->disk_known || !(bytes > p->disk_free))
		return 0;
	return err_code(e, EXIT_INCOMPLETE,
	                "%s-runs: %s are free, and the checkpoints of %d pending cell%s take %s: make room (`ablate prune` "
	                "shows what can go), or run with --ignore-disk",
	                c->db, disk_bytes_text(there, p->disk_free), begun, str_plural(begun),
	                disk_bytes_text(need, bytes));
}

int place_plan(struct engine_devices *devices, struct plan *p, const struct cli *c, struct err *e)
{
	ask_disk(p, c);
	struct plan_place place = { .ranks = (int)cli_int(c, "ranks", 1) };
	if (microbatch_of(&place.microbatch, c, e) ||
	    engine_devices(devices, cli_string(c, "device", "auto"), place.ranks, e))
		return -1;
	place.device = smallest_device(devices);
	place.jobs = ((int)cli_int(c, "jobs", devices->n) + devices->n - 1) / devices->n;
	return plan_memory(p, &place, e);
}

int place_elsewhere(struct engine_devices *devices, struct plan *p, const struct cli *c, struct err *e)
{
	struct plan_place place = { .device = "cpu", .ranks = (int)cli_int(c, "ranks", 1), .jobs = 1, .elsewhere = true };
	ask_disk(p, c);
	if (microbatch_of(&place.microbatch, c, e) || engine_devices(devices, "cpu", place.ranks, e))
		return -1;
	return plan_memory(p, &place, e);
}
