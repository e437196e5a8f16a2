/* fuzz_command.c - metrics/features/command_pipe.c: any bytes as the first line of a program that gives features. What
 * is taken is in the bounds that the header states, and could be said again. */
#include "metrics/features/command_pipe.h"
#include "model/base/mem.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int dim = -1;
	char name[COMMAND_NAME_MAX] = "";
	SCOPED(free) char *line = xstrndup((const char *)data, n);
	if (!command_greeting_parse(&dim, name, line)) {
		REQUIRE(dim == -1 && !*name);
		return 0;
	}
	REQUIRE(dim >= 1 && dim <= COMMAND_DIM_MAX && *name && strlen(name) < COMMAND_NAME_MAX);
	int again;
	char same[COMMAND_NAME_MAX];
	SCOPED(free) char *said = xstrfmt("ablate-features 1 %d %s", dim, name);
	REQUIRE(command_greeting_parse(&again, same, said) && again == dim && strcmp(same, name) == 0);
	return 0;
}
