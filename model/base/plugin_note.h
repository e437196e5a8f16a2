/* plugin_note.h - the build that a plugin belongs to, where it can be read before any code of the plugin runs: in an
 * ELF note of owner "ablate" and type 1, whose text identifies the headers that program and plugin share (a hash,
 * made by the build). A note lies in memory that is loaded, so stripping keeps it.
 *
 *     readelf -n libablate_cuda.so
 *
 * The layout of notes: System V ABI, "Note Section". */
#ifndef ABLATE_PLUGIN_NOTE_H
#define ABLATE_PLUGIN_NOTE_H

#include "model/base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PLUGIN_NOTE_OWNER "ablate"
enum { PLUGIN_NOTE_TYPE = 1, PLUGIN_ID = 65 }; /* room for an id: 64 hexadecimal digits and the end */

struct plugin_note {
	uint32_t owner_bytes, id_bytes, type;
	char owner[8], id[68]; /* each filled up to a multiple of 4 */
};

/* Once, at file scope, in one source of a plugin. */
#define PLUGIN_NOTE(build_id) \
	__attribute__((section(".note.ablate"), used, aligned(4))) static const struct plugin_note plugin_note = { \
		sizeof PLUGIN_NOTE_OWNER, PLUGIN_ID, PLUGIN_NOTE_TYPE, PLUGIN_NOTE_OWNER, build_id \
	}

/* The id in a shared library of n bytes, any bytes; `path` is for messages. Error: not a shared library of this kind
 * of machine, without such a note, or cut short, so that opening it would end the process. */
MUST_CHECK int plugin_note_read(char id[PLUGIN_ID], const void *file, size_t n, const char *path, struct err *e);

#endif
