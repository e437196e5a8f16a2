/* strange_plugin.c - a plugin that marks that code of it ran, by its constructor: STRANGE_ID is the build it belongs
 * to. Of another build it is refused unopened; of this one it is for tests of where plugins are looked for. */
#include "model/base/plugin_note.h"
#include "model/graph/backend.h"

#include <fcntl.h>
#include <unistd.h>

PLUGIN_NOTE(STRANGE_ID);

__attribute__((constructor)) static void leave_a_mark(void)
{
	int fd = open("strange-plugin-ran", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)close(fd);
}

static int devices(int *n, struct err *e)
{
	(void)n;
	return err_set(e, "the strange plugin has no device");
}

extern const struct backend_plugin ablate_backend_plugin;
const struct backend_plugin ablate_backend_plugin = { .devices = devices };
