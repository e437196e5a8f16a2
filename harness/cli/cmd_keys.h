/* cmd_keys.h - what commands print with --json, from the keys of their struct cmd: as text and as JSON Schema. */
#ifndef ABLATE_CMD_KEYS_H
#define ABLATE_CMD_KEYS_H

#include "harness/cli/cmd.h"

/* Appends a line for each key of a command with .json ... */
void cmd_keys_text(struct str *dst, const struct cmd *cmd);
/* ... and of every command that the help shows and that has it, one after another. */
void cmds_keys_text(struct str *dst, const struct cmds *all);
/* A JSON Schema (draft 2020-12): of the command, or of each in $defs. New reference. */
json_t *cmd_keys_schema(const struct cmd *cmd);
json_t *cmds_keys_schema(const struct cmds *all);
/* "(number, in s) how long it took; absent: where it did not end": what a manual says of a key. Heap. */
char *cmd_key_text(const struct json_key *key);

#endif
