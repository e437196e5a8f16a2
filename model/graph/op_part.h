/* op_part.h - the part of a step's time that an op's is counted in (cpu_clock.h): its row's column in ops.def. */
#ifndef ABLATE_OP_PART_H
#define ABLATE_OP_PART_H

#include "model/base/cpu_clock.h"
#include "model/graph/op.h"

enum cpu_part op_part(enum op op);

#endif
