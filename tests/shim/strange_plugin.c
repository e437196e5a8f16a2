/* strange_plugin.c - a plugin of another build, for the test that the program refuses it. */
#include "model/graph/backend.h"

extern const struct backend_plugin ablate_backend_plugin;
const struct backend_plugin ablate_backend_plugin = { .abi = BACKEND_ABI, .build_id = "0123456789abcdef" };
