/* grid_slurm.c - see grid_slurm.h. */
#include "harness/grid/grid_slurm.h"

#include "harness/grid/grid_command.h"
#include "harness/grid/grid_private.h"

#include <ctype.h>
#include <string.h>

const char *const slurm_word_names[SLURM_WORDS] = { "partition",  "account", "qos", "reservation",
	                                                "constraint", "gres",    "mem" };

/* One word of a command line: not empty, no blanks, nothing that is not printed. */
int grid_check_word(const struct toml_value *at, const char *key, const char *text, struct err *e)
{
	for (const char *p = text; *p; p++)
		if (!isgraph((unsigned char)*p))
			return toml_err(e, at, "%s: a word without blanks, not '%s'", key, text);
	return *text ? 0 : toml_err(e, at, "%s is empty; leave the line out", key);
}

/* What is one line of a script, or one argument. */
static int check_line(const struct toml_value *at, const char *key, const char *text, struct err *e)
{
	for (const char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p) && *p != '\t')
			return toml_err(e, at, "%s: one line, without control characters", key);
	return *text ? 0 : toml_err(e, at, "%s: an empty text", key);
}

static int read_words(struct grid_slurm *io, const struct toml_value *t, struct err *e)
{
	for (int i = 0; i < SLURM_WORDS; i++) {
		const char *text = NULL;
		int rc = grid_string(&text, t, &grid_keys[KEYS_SLURM], slurm_word_names[i], e);
		if (rc < 0 || (!rc && grid_check_word(toml_find(t, slurm_word_names[i])->value, slurm_word_names[i], text, e)))
			return -1;
		io->word[i] = rc ? io->word[i] : text;
	}
	return 0;
}

int grid_words(struct slurm_list *io, const struct toml_value *t, const struct grid_keys *keys, const char *key,
               struct err *e)
{
	const struct toml_value *array = NULL;
	int rc = grid_array(&array, t, keys, key, e);
	if (rc)
		return rc < 0 ? -1 : 0;
	io->n = 0;
	if (grid_strings(io->v, &io->n, SLURM_LIST_MAX, array, e))
		return -1;
	for (int i = 0; i < io->n; i++)
		if (check_line(toml_at(array, (size_t)i), key, io->v[i], e))
			return -1;
	return 0;
}

/* Options of sbatch: a word that is none would be taken for the script. */
static int read_options(struct slurm_list *io, const struct toml_value *t, const char *key, struct err *e)
{
	if (grid_words(io, t, &grid_keys[KEYS_SLURM], key, e))
		return -1;
	for (int i = 0; i < io->n; i++)
		if (toml_find(t, key) && (io->v[i][0] != '-' || io->v[i][1] == '\0' || strcmp(io->v[i], "--") == 0))
			return toml_err(e, toml_at(toml_find(t, key)->value, (size_t)i),
			                "%s: '%s' is no option of sbatch, as in \"--exclusive\"", key, io->v[i]);
	return 0;
}

static void set_variable(struct grid_slurm *io, const char *name, const char *value)
{
	int i = 0;
	while (i < io->n_env && strcmp(io->env[i].name, name) != 0)
		i++;
	io->n_env += i == io->n_env;
	io->env[i] = (struct slurm_variable){ name, value };
}

static int read_env(struct grid_slurm *io, const struct toml_value *t, struct err *e)
{
	const struct toml_value *env = NULL;
	int rc = toml_typed(&env, t, "env", TOML_TABLE, e);
	for (size_t i = 0; !rc && i < toml_len(env); i++) {
		const struct toml_entry *en = toml_entry(env, i);
		const char *value = NULL, *p = en->key;
		while (isalnum((unsigned char)*p) || *p == '_')
			p++;
		if (*p || !*en->key || isdigit((unsigned char)*en->key))
			return toml_key_err(e, en, "env: '%s' is no name of a variable", en->key);
		if (strncmp(en->key, "SLURM_", 6) == 0)
			return toml_key_err(e, en, "env: %s is Slurm's own", en->key);
		if (io->n_env == SLURM_LIST_MAX)
			return toml_key_err(e, en, "env: more than %d variables", SLURM_LIST_MAX);
		if (toml_string(&value, env, en->key, e) || (*value && check_line(en->value, "env", value, e)))
			return -1;
		set_variable(io, en->key, value);
	}
	return rc < 0 ? -1 : 0;
}

int grid_job_read(struct grid_slurm *io, const struct toml_value *table, const struct grid_keys *keys, struct err *e)
{
	if (read_env(io, table, e) || grid_read_duration(&io->time_s, table, "time", false, e) ||
	    grid_int(&io->throttle, table, keys, "throttle", e) ||
	    grid_string(&io->program, table, keys, "program", e) < 0 ||
	    grid_words(&io->prologue, table, keys, "prologue", e) ||
	    grid_words(&io->container, table, keys, "container", e))
		return -1;
	const struct toml_entry *program = toml_find(table, "program");
	return program ? check_line(program->value, "program", io->program, e) : 0;
}

int grid_slurm_read(struct grid_slurm *io, const struct toml_value *table, struct err *e)
{
	const struct grid_keys *keys = &grid_keys[KEYS_SLURM];
	if (grid_closed(table, keys, e) || read_words(io, table, e) || grid_job_read(io, table, keys, e) ||
	    grid_int(&io->cpus, table, keys, "cpus", e) || grid_int(&io->chain, table, keys, "chain", e) ||
	    grid_choice(&io->requeue, table, keys, "requeue", e) || read_options(&io->options, table, "options", e) ||
	    read_options(&io->merge, table, "merge", e))
		return -1;
	if (io->time_s > 0 && io->time_s < 60)
		return toml_err(e, toml_find(table, "time") ? toml_find(table, "time")->value : table,
		                "time: Slurm counts minutes; at least \"1m\"");
	return 0;
}
