/* cell.c - see cell.h. */
#include "harness/plan/cell.h"

#include "model/base/mem.h"

#include <inttypes.h>
#include <string.h>

char *cell_arm_json(char hex[SHA256_HEX], const struct run_config *finished, struct config_memo *memo)
{
	char *json = config_json_with(finished, memo);
	io_sha256(hex, json, strlen(json));
	return json;
}

void cell_hash(char hex[SHA256_HEX], const char *arm, int64_t seed, int numerics, const char *dataset)
{
	SCOPED(free) char *json = xstrfmt("{\"arm\":\"%s\",\"dataset\":\"%s\",\"numerics\":%d,\"seed\":%" PRId64 "}", arm,
	                                  dataset, numerics, seed);
	io_sha256(hex, json, strlen(json));
}
