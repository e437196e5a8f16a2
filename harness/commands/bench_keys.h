/* bench_keys.h - what `ablate bench --json` prints, key by key. */
#ifndef ABLATE_BENCH_KEYS_H
#define ABLATE_BENCH_KEYS_H

#include "harness/text/json_keys.h"

extern const struct json_form bench_forms[];

#endif
