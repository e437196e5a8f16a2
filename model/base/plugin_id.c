/* plugin_id.c - a part of every plugin and of no program: the build that the plugin belongs to. See plugin_note.h. */
#include "model/base/plugin_note.h"

PLUGIN_NOTE(ABLATE_PLUGIN_BUILD_ID);
