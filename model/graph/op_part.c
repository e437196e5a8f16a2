/* op_part.c - see op_part.h. */
#include "model/graph/op_part.h"

enum cpu_part op_part(enum op op)
{
	static const enum cpu_part parts[N_OPS] = {
#define OP(name, part) [OP_##name] = CPU_##part,
#include "model/ops/ops.def"
#undef OP
	};
	return parts[op];
}
