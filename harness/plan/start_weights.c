/* start_weights.c - see start_weights.h. */
#include "harness/plan/start_weights.h"

#include "harness/grid/grid.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/config/net_spec.h"
#include "model/formats/weights_file.h"
#include "model/nets/net_weights.h"

#include <stdlib.h>
#include <string.h>

/* What was found to fit last: the arms of a grid mostly share it. */
struct fitting {
	char file[KNOB_TEXT_MAX]; /* as it is set */
	struct net_spec net;
};

static int fits(struct fitting *last, const char *key, const char *setting, const struct net_spec *net, struct err *e)
{
	SCOPED(free) char *path = weights_file_path(setting);
	if (!*path || !io_exists(path) || (!strcmp(last->file, setting) && !memcmp(&last->net, net, sizeof *net)))
		return 0;
	struct params *p = net_params(net);
	int rc = net_weights_check(p, setting, e);
	params_free(p);
	if (rc)
		return err_in(e, "%s", key);
	memcpy(last->file, setting, sizeof last->file);
	last->net = *net;
	return 0;
}

int start_weights_fit(const struct plan *p, struct err *e)
{
	struct fitting init = { 0 }, teacher = { 0 };
	int done = -1; /* cells are ordered by arm */
	for (int i = 0; i < p->n_cells; i++) {
		const struct plan_arm *arm = &p->arms[p->cells[i].arm];
		const struct plan_row *row = &p->rows[arm->rows[0]];
		const struct run_config *c = &arm->config;
		struct err why = ERR_INIT;
		if (p->cells[i].arm == done || p->cells[i].state != CELL_PENDING)
			continue;
		done = p->cells[i].arm;
		struct net_spec net = net_spec_of(c);
		if (fits(&init, "net.init", c->net.init, &net, &why) ||
		    (c->method.kind == METHOD_CD && fits(&teacher, "cd.teacher", c->cd.teacher, &net, &why)))
			return grid_err(e, row->at, "row \"%s\": %s", row->label, why.msg);
	}
	return 0;
}
