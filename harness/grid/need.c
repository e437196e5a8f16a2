/* need.c - see need.h. */
#include "harness/grid/need.h"

#include "metrics/weights/weights.h"
#include "model/base/mem.h"
#include "model/base/str.h"
#include "model/data/shapes.h"

#include <string.h>

int need_known(const char *name, struct err *e)
{
	const char *names[64];
	size_t n = 0;
	int n_data;
	const struct data_shape *data = data_shapes(&n_data);
	for (const struct weights_row *w = weights_rows; w->name; w++)
		names[n++] = w->name;
	for (int i = 0; i < n_data; i++)
		names[n++] = data[i].name;
	REQUIRE(n <= sizeof names / sizeof *names);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return 0;
	SCOPED(str) struct str near = { 0 };
	str_suggest(&near, name, names, n);
	return err_code(e, EXIT_USAGE, "needs: neither weights nor a data set is called '%s'%s", name,
	                near.len ? str_text(&near) : " (`ablate weights list`)");
}
