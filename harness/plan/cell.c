/* cell.c - see cell.h. */
#include "harness/plan/cell.h"

#include "harness/text/json_writer.h"
#include "model/base/mem.h"

#include <string.h>

char *cell_arm_json(char hex[SHA256_HEX], const struct run_config *finished, struct config_memo *memo)
{
	char *json = config_json_with(finished, memo);
	io_sha256(hex, json, strlen(json));
	return json;
}

void cell_hash(char hex[SHA256_HEX], const char *arm, int64_t seed, int numerics, const char *dataset)
{
	SCOPED(str) struct str json = { 0 };
	struct json_writer w = { .to = &json };
	json_begin(&w, NULL, '{');
	json_add_text(&w, "arm", arm);
	json_add_text(&w, "dataset", dataset);
	json_add_int(&w, "numerics", numerics);
	json_add_int(&w, "seed", seed);
	json_end(&w);
	io_sha256(hex, json.data, json.len);
}

const char *cell_state_name(enum cell_state s)
{
	static const char *const names[] = { "pending", "cached", "blocked" };
	return names[s];
}
