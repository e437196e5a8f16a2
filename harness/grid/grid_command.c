/* grid_command.c - see grid_command.h. */
#include "harness/grid/grid_command.h"

#include "harness/grid/grid_private.h"

int grid_command_read(struct grid_command *io, const struct toml_value *table, struct err *e)
{
	const struct grid_keys *keys = &grid_keys[KEYS_COMMAND];
	if (grid_closed(table, keys, e) || grid_words(&io->submit, table, keys, "submit", e) ||
	    grid_words(&io->query, table, keys, "query", e) || grid_words(&io->cancel, table, keys, "cancel", e) ||
	    grid_int(&io->job.cpus, table, keys, "processors", e) || grid_int(&io->gpus, table, keys, "gpus", e) ||
	    grid_string(&io->memory, table, keys, "memory", e) < 0 || grid_job_read(&io->job, table, keys, e))
		return -1;
	const struct toml_entry *memory = toml_find(table, "memory");
	return memory ? grid_check_word(memory->value, "memory", io->memory, e) : 0;
}
