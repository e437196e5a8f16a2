/* gate_others.c - see gate_others.h. */
#include "harness/commands/gate_others.h"

#include <stdlib.h>
#include <string.h>

struct study *gate_others_study(void *ctx, const char *grid, struct err *e)
{
	struct gate_others *o = ctx;
	struct opened opened = { 0 };
	struct cli plain = *o->c; /* the same command without its options */
	plain.values = NULL;
	plain.n_values = plain.cap_values = 0;
	plain.db = o->db ? o->db : o->c->db;
	for (int i = 0; i < o->n; i++)
		if (strcmp(o->v[i].name, grid) == 0)
			return o->v[i].opened.study;
	if (o->db && !db_is_there(o->db)) {
		(void)err_code(e, EXIT_RECORD, "there is no database %s (--against-db)", o->db);
		return NULL;
	}
	if (study_open(&opened, &plain, grid, e))
		return NULL;
	VEC_PUSH(o->v, o->n, o->cap) = (struct gate_other){ .name = xstrdup(grid), .opened = opened };
	return opened.study;
}

void gate_others_close(struct gate_others *o)
{
	for (int i = 0; i < o->n; i++) {
		free(o->v[i].name);
		study_close(&o->v[i].opened);
	}
	free(o->v);
	o->v = NULL;
	o->n = o->cap = 0;
}

void scoped_gate_others(struct gate_others *o)
{
	gate_others_close(o);
}
