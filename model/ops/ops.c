/* ops.c - the table of ops: ops.def, one row each. */
#include "model/graph/op.h"

static const struct op_row *const rows[N_OPS] = {
#define OP(name, part) [OP_##name] = &op_##name,
#include "model/ops/ops.def"
#undef OP
};

const struct op_row *op_row(enum op op)
{
	return rows[op];
}
