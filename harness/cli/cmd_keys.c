/* cmd_keys.c - see cmd_keys.h. */
#include "harness/cli/cmd_keys.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"

static void add_row(void *ctx, const char *path, const struct json_key *k)
{
	struct str *dst = ctx;
	str_addf(dst, "  %-34s %-9s %s", path, k->type, k->text);
	if (k->unit)
		str_addf(dst, " (%s)", k->unit);
	if (k->absent)
		str_addf(dst, "; absent: %s", k->absent);
	str_addc(dst, '\n');
}

void cmd_keys_text(struct str *dst, const struct cmd *cmd)
{
	for (const struct json_form *f = cmd->json; f->keys; f++) {
		str_addf(dst, "%sablate %s --json%s%s\n", f == cmd->json ? "" : "\n", cmd->name, *f->when ? ": " : "", f->when);
		json_keys_each(f->keys, dst, add_row);
	}
}

static void no_group(void *ctx, const char *name)
{
	(void)ctx, (void)name;
}

static void add_text(void *ctx, const struct cmd *cmd)
{
	struct str *dst = ctx;
	if (!cmd->json)
		return;
	if (dst->len)
		str_addc(dst, '\n');
	cmd_keys_text(dst, cmd);
}

void cmds_keys_text(struct str *dst, const struct cmds *all)
{
	cmds_each(all, dst, no_group, add_text);
}

json_t *cmd_keys_schema(const struct cmd *cmd)
{
	SCOPED(free) char *title = xstrfmt("ablate %s --json", cmd->name);
	json_t *head = json_pack("{s:s, s:s}", "$schema", DIALECT, "title", title);
	(void)json_object_update_new(head, json_keys_schema(cmd->json));
	return head;
}

static void add_schema(void *ctx, const struct cmd *cmd)
{
	if (cmd->json)
		(void)json_object_set_new(ctx, cmd->name, json_keys_schema(cmd->json));
}

json_t *cmds_keys_schema(const struct cmds *all)
{
	json_t *each = json_object();
	cmds_each(all, each, no_group, add_schema);
	return json_pack("{s:s, s:s, s:o}", "$schema", DIALECT, "title", "what commands of ablate print with --json",
	                 "$defs", each);
}

char *cmd_key_text(const struct json_key *key)
{
	return xstrfmt("(%s%s%s) %s%s%s", key->type, key->unit ? ", in " : "", key->unit ? key->unit : "", key->text,
	               key->absent ? "; absent: " : "", key->absent ? key->absent : "");
}
