/* settle_speed.c - see settle_speed.h. */
#include "harness/commands/settle_speed.h"

#include "model/cpu/devices.h"

#include <stdlib.h>
#include <string.h>

const struct speed_ask speed_default = { .share = CARD_SHARE, .card = "h100" };

struct speed_ask speed_ask(const struct cli *c)
{
	return (struct speed_ask){ .rate = cli_double(c, "rate", 0),
		                       .share = cli_double(c, "share", 100 * CARD_SHARE) / 100,
		                       .card = cli_string(c, "card", speed_default.card) };
}

/* The row of the table for a device of that name; NULL: none, or it cannot be opened. */
static const struct card *card_here(const char *device)
{
	struct backend *b;
	struct backend_facts f;
	struct err e = ERR_INIT;
	if (backend_open(&b, device, DTYPE_FP32, &e))
		return NULL;
	b->ops->facts(b, &f);
	const struct card *card = card_of_device(f.device);
	backend_free(b);
	backend_leave_devices();
	return card;
}

void settle_speed(struct plan *p, const struct engine_devices *devices, const struct speed_ask *ask)
{
	struct speed s = { .card = card_find(ask->card), .share = ask->share };
	struct scaling_key key;
	SCOPED(free) char *path = scaling_path();
	if (ask->rate > 0) {
		s.from = SPEED_STATED;
		s.stated = ask->rate;
	} else if (strcmp(devices->v[0].name, "cpu") != 0) {
		s.its = card_here(devices->v[0].name);
		s.cards = devices->n;
		s.from = s.its ? SPEED_CARD : SPEED_UNKNOWN;
	} else if (path) {
		scaling_key(&key);
		s.from = scaling_recall(&s.measured, path, &key) ? SPEED_MEASURED : SPEED_UNKNOWN;
	}
	p->speed = s;
}
