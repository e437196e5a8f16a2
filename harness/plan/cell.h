/* cell.h - identity: an arm is the SHA-256 of a finished config's canonical JSON, every default written out; a cell is
 * an arm with a training seed, the numerics version and the content hash of what is read (inputs.h). Nothing else takes
 * part: labels, metrics, budgets and the file's layout change no hash. */
#ifndef ABLATE_CELL_H
#define ABLATE_CELL_H

#include "model/base/io.h"
#include "model/config/config.h"

#include <stdint.h>

/* The arm's hash and, as result, the canonical JSON that was hashed (heap text). memo: of the grid's arms, or NULL. */
char *cell_arm_json(char hex[SHA256_HEX], const struct run_config *finished, struct config_memo *memo);
/* The cell's hash: of {"arm":ARM,"dataset":DATASET,"numerics":N,"seed":S}. `dataset` is "" while the data is
 * unknown. */
void cell_hash(char hex[SHA256_HEX], const char *arm, int64_t seed, int numerics, const char *dataset);

/* What a plan knows of a cell: it has to be done, it was done, its inputs are missing. */
enum cell_state { CELL_PENDING, CELL_CACHED, CELL_BLOCKED };
const char *cell_state_name(enum cell_state s); /* "pending" */

#endif
