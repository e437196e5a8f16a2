/* fuzz_plugin.c - any bytes as a plugin whose note is read: an id is text of hexadecimal digits. */
#include "model/base/plugin_note.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[PLUGIN_ID];
	struct err e = ERR_INIT;
	if (plugin_note_read(id, data, size, "fuzz", &e) == 0)
		REQUIRE(*id && strspn(id, "0123456789abcdef") == strlen(id));
	return 0;
}
