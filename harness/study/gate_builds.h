/* gate_builds.h - a gate judges one program: are the numbers behind its verdicts of one build, and of this one? */
#ifndef ABLATE_GATE_BUILDS_H
#define ABLATE_GATE_BUILDS_H

#include "harness/study/gate_grid.h"

/* Turns the verdict of every gate whose cells were made by different builds, or by another than this program's, into an
 * error that names cells and the command that makes them again (command: "ablate run GRID --db X"; where only a row of
 * another grid is concerned, that grid's). ask: as for gates_judge(). accepted: the
 * verdict stays, and says in `why` that they were accepted. What a baseline was made by is its own affair: to
 * compare with it is what it is for. */
void gates_check_builds(struct gates *g, struct study *s, const struct gates_ask *ask, const char *command,
                        bool accepted);

#endif
