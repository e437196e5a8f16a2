/* start_weights.c - see start_weights.h. */
#include "harness/plan/start_weights.h"

#include "model/base/io.h"
#include "model/base/mem.h"
#include "model/formats/weights_file.h"
#include "model/nets/net_weights.h"

#include <stdlib.h>
#include <string.h>

static int fits(struct start_weights *last, const char *key, const char *setting, const struct net_spec *net,
                struct err *e)
{
	SCOPED(free) char *path = weights_file_path(setting);
	if (!*path || !io_exists(path) || (!strcmp(last->file, setting) && !memcmp(&last->net, net, sizeof *net)))
		return 0;
	struct params *p = net_params(net);
	int rc = net_weights_check(p, setting, e);
	params_free(p);
	if (rc) {
		(void)err_in(e, "%s", key);
		e->code = EXIT_USAGE;
		return -1;
	}
	memcpy(last->file, setting, sizeof last->file);
	last->net = *net;
	return 0;
}

int start_weights_fit(struct start_weights last[2], const struct run_config *c, struct err *e)
{
	struct net_spec net = net_spec_of(c);
	if (fits(&last[0], "net.init", c->net.init, &net, e))
		return -1;
	return c->method.kind == METHOD_CD ? fits(&last[1], "cd.teacher", c->cd.teacher, &net, e) : 0;
}
