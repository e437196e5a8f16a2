/* engine_device.c - see engine_device.h. */
#include "harness/run/engine_device.h"

#include "model/cpu/devices.h"

#include <stdio.h>
#include <string.h>

/* One device, by a name that backend_name knows. */
static int add(struct engine_devices *d, const char *asked, struct err *e)
{
	char name[sizeof d->v[0].name];
	if (backend_name(name, asked, e))
		return -1;
	for (int i = 0; i < d->n; i++)
		if (strcmp(d->v[i].name, name) == 0)
			return err_code(e, EXIT_USAGE, "--device: %s is named twice", name);
	if (d->n == ENGINE_DEVICES_MAX)
		return err_code(e, EXIT_USAGE, "--device: more than %d devices", ENGINE_DEVICES_MAX);
	memcpy(d->v[d->n++].name, name, sizeof name);
	return 0;
}

/* cuda:0, cuda:STEP, ... as long as STEP of them are left; cuda:0 in any case. */
static int add_visible(struct engine_devices *d, int step, struct err *e)
{
	int n;
	if (add(d, "cuda", e) || backend_cuda_devices(&n, e))
		return -1;
	for (int i = step; i + step <= n; i += step) {
		char name[32];
		(void)snprintf(name, sizeof name, "cuda:%d", i);
		if (add(d, name, e))
			return -1;
	}
	return 0;
}

/* The next name of a list; *at moves behind it, and is NULL after the last. */
static int next_listed(char name[32], const char **at, const char *list, struct err *e)
{
	size_t n = strcspn(*at, ",");
	if (strncmp(*at, "cuda:", 5) != 0 || n >= 32)
		return err_code(e, EXIT_USAGE, "--device %s: a list has cuda:N alone, as in cuda:0,cuda:2", list);
	(void)snprintf(name, 32, "%.*s", (int)n, *at);
	*at = (*at)[n] ? *at + n + 1 : NULL;
	return 0;
}

static int add_listed(struct engine_devices *d, const char *list, struct err *e)
{
	char name[32];
	for (const char *at = list; at;)
		if (next_listed(name, &at, list, e) || add(d, name, e))
			return -1;
	return 0;
}

int engine_devices_named(const char *asked, struct err *e)
{
	char name[32];
	if (!strchr(asked, ','))
		return backend_is_name(asked, e);
	for (const char *at = asked; at;)
		if (next_listed(name, &at, asked, e) || backend_is_name(name, e))
			return -1;
	return 0;
}

int engine_devices(struct engine_devices *out, const char *asked, int ranks, struct err *e)
{
	char found[32] = "";
	*out = (struct engine_devices){ 0 };
	if (strcmp(asked, "auto") == 0 && backend_name(found, asked, e))
		return -1;
	if (strcmp(asked, "cuda") == 0 || strcmp(found, "cuda:0") == 0)
		return add_visible(out, ranks > 1 ? ranks : 1, e);
	return strchr(asked, ',') ? add_listed(out, asked, e) : add(out, asked, e);
}

int engine_device_take(struct engine_devices *d)
{
	int best = -1;
	for (int i = 0; i < d->n; i++)
		if (!d->v[i].left_out && (best < 0 || d->v[i].cells < d->v[best].cells))
			best = i;
	REQUIRE(best >= 0);
	d->v[best].cells++;
	return best;
}

void engine_device_give_back(struct engine_devices *d, int i)
{
	d->v[i].cells--;
}

bool engine_device_leave_out(struct engine_devices *d, int i)
{
	int others = 0;
	for (int k = 0; k < d->n; k++)
		others += k != i && !d->v[k].left_out;
	return d->v[i].left_out = others > 0 && d->v[i].cells == 0;
}
