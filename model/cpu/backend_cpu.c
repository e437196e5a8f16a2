/* backend_cpu.c - the CPU as a back end: memory is the host's, nodes run by their ops' rows. See backend.h. */
#include "model/cpu/devices.h"
#include "model/cpu/winograd.h"

#include "model/base/mem.h"
#include "model/base/rng.h"
#include "model/base/cpu.h"
#include "model/data/dataset.h"
#include "model/graph/graph_impl.h"
#include "model/graph/op_part.h"
#include "model/graph/optim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *alloc(struct backend *b, size_t bytes, struct err *e)
{
	(void)b, (void)e;
	return xaligned(bytes);
}

static void release(struct backend *b, void *p)
{
	(void)b;
	free(p);
}

static void move(struct backend *b, void *dst, const void *src, size_t bytes)
{
	(void)b;
	if (dst != src)
		memcpy(dst, src, bytes);
}

static size_t node_prepare(struct backend *b, struct node *nd)
{
	(void)b;
	const struct op_row *row = op_row(nd->op);
	return row->prepare ? row->prepare(nd) : 0;
}

/* What a node counts itself, its op's row does not. */
static void run_clocked(struct node *nd)
{
	const struct op_row *row = op_row(nd->op);
	int64_t counts = cpu_clock_counts();
	enum cpu_part part = op_part(nd->op), before = cpu_clock_part(part);
	row->cpu(nd);
	if (cpu_clock_counts() == counts)
		cpu_clock_count(part, row->flops ? row->flops(nd) : 0, node_traffic(nd));
	(void)cpu_clock_part(before);
}

static void node_run(struct backend *b, struct node *nd)
{
	(void)b;
	if (cpu_clock_on)
		run_clocked(nd);
	else
		op_row(nd->op)->cpu(nd);
}

static void node_release(struct backend *b, struct node *nd)
{
	(void)b;
	if (nd->state && op_row(nd->op)->release)
		op_row(nd->op)->release(nd);
}

static void set_step(struct backend *b, const struct step_scalars *s)
{
	(void)b, (void)s; /* nodes read their graph's */
}

static void batch_range(void *ctx, int64_t first, int64_t last)
{
	const struct batch_job *j = ctx;
	union {
		const uint8_t *given;
		uint8_t *kept;
	} images = { j->images }; /* a struct dataset owns what it reads; this one only reads */
	const struct dataset data = { .h = j->h, .w = j->w, .c = j->c, .images = images.kept };
	const struct step_scalars *at = &j->control->scalars;
	int64_t per = (int64_t)j->h * j->w * j->c;
	for (int64_t i = first; i < last; i++) {
		const struct sample_draw *d = &j->draws[i];
		dataset_image(j->x0 + i * per, &data, d->image, d->flip);
		if (j->z)
			rng_normal(j->z + i * per, (size_t)per, at->seed, RNG_NOISE, at->step,
			           (uint64_t)((at->first + i) * ((per + 3) / 4 * 4)));
		for (int l = 0; j->labels && l < j->classes; l++)
			j->labels[i * j->classes + l] = d->label == l;
	}
}

static void batch(struct backend *b, const struct batch_job *job)
{
	(void)b;
	struct batch_job j = *job;
	double values = (double)j.batch * j.h * j.w * j.c;
	enum cpu_part before = cpu_clock_part(CPU_BATCH);
	cpu_split(j.batch, 4, batch_range, &j);
	cpu_clock_count(CPU_BATCH, 0, values * (sizeof(uint8_t) + 2 * sizeof(float)));
	(void)cpu_clock_part(before);
}

static void add_range(void *ctx, int64_t first, int64_t last)
{
	const struct part_job *j = ctx;
	for (int64_t i = first; i < last; i++)
		j->sum[i] += j->part[i];
}

static void add_part(struct backend *b, const struct part_job *job)
{
	struct part_job j = *job;
	bool first = j.control->part == 0;
	enum cpu_part before = cpu_clock_part(CPU_OPTIMIZER);
	if (first)
		move(b, j.sum, j.part, j.n * sizeof *j.sum);
	else
		cpu_split((int64_t)j.n, 1 << 14, add_range, &j);
	cpu_clock_count(CPU_OPTIMIZER, 0, (first ? 2 : 3) * (double)j.n * sizeof *j.sum);
	(void)cpu_clock_part(before);
}

static void settle(struct backend *b, struct step_status *s, const float *loss)
{
	(void)b;
	s->loss = *loss;
	s->diverged |= !isfinite(*loss);
	if (s->diverged)
		return;
	s->loss_sum += (double)s->loss;
	s->loss_steps++;
	s->done++;
}

static void update(struct backend *b, const struct update_job *j)
{
	(void)b;
	if (j->status->diverged)
		return;
	/* weights, both moments and averages are read and written, the gradient is read */
	int touched = 6 + (j->grad ? 1 : 0) + (j->ema ? 2 : 0) + (j->teacher ? 2 : 0);
	enum cpu_part before = cpu_clock_part(CPU_OPTIMIZER);
	optim_sweep(&j->control->optim, j->n, j->p, j->grad, j->m, j->v, j->ema, j->control->ema, j->teacher,
	            j->control->teacher);
	cpu_clock_count(CPU_OPTIMIZER, 0, touched * (double)j->n * sizeof *j->p);
	(void)cpu_clock_part(before);
}

static void follow(struct backend *b, const struct follow_job *j)
{
	(void)b;
	if (j->status->diverged)
		return;
	enum cpu_part before = cpu_clock_part(CPU_OPTIMIZER);
	optim_follow(j->n, j->to, j->p, j->of);
	cpu_clock_count(CPU_OPTIMIZER, 0, 3 * (double)j->n * sizeof *j->p);
	(void)cpu_clock_part(before);
}

static int check(struct backend *b, struct err *e)
{
	(void)b, (void)e;
	return 0;
}

static void facts(struct backend *b, struct backend_facts *out)
{
	*out = (struct backend_facts){ .device = "cpu" };
	(void)snprintf(out->math, sizeof out->math, "%s", dtype_name(b->dtype));
	if (b->dtype == DTYPE_BF16)
		(void)snprintf(out->convolutions, sizeof out->convolutions,
		               "products of bf16 (AVX512_BF16) summed in fp32, all else in fp32");
	out->memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void close_cpu(struct backend *b)
{
	(void)b;
}

static const struct backend_ops ops = {
	.kind = "cpu",
	.host_memory = true,
	.align = 64,
	.repeats = true,
	.memory = { .alloc = alloc, .release = release, .upload = move, .download = move },
	.nodes = { .prepare = node_prepare, .run = node_run, .release = node_release, .set_step = set_step },
	.training = { .batch = batch, .add_part = add_part, .settle = settle, .update = update, .follow = follow },
	.check = check,
	.facts = facts,
	.close = close_cpu,
};

struct backend *backend_cpu(void)
{
	static struct backend cpu = { .ops = &ops, .name = "cpu", .dtype = DTYPE_FP32 };
	return &cpu;
}

struct backend *backend_cpu_bf16(void)
{
	static struct backend cpu = { .ops = &ops, .name = "cpu", .dtype = DTYPE_BF16 };
	return winograd_has_bf16() ? &cpu : NULL;
}
