/* grid_keys.h - the grid language as a table: every table that a grid file may have, and every key of it.
 *
 * The reader refuses a key without a row, and takes choices, ranges and what must be given from the rows; the manual
 * prints them (`ablate man 5-grid`), and tests/harness/commands/test_man.c checks that each default and each example
 * holds. A new key is a row here and the code that reads it. Settings of a cell are not here: these are the knobs
 * (model/config/config.h). */
#ifndef ABLATE_GRID_KEYS_H
#define ABLATE_GRID_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum grid_type {
	KEY_STRING,
	KEY_INT,
	KEY_NUMBER,
	KEY_BOOL,
	KEY_CHOICE,   /* a string, one of `choices` */
	KEY_DURATION, /* a string: grid_duration */
	KEY_STRINGS,
	KEY_INTS, /* lists */
	KEY_VALUES,
	KEY_TUPLES,   /* a list of a knob's values; a list of lists of them */
	KEY_SEEDS,    /* a list of integers or a table: KEYS_SEED_RANGE */
	KEY_SETTINGS, /* a table of knobs, and preset */
	KEY_TABLE,
	KEY_TABLES, /* KEY_TABLES: [[name]] */
};

struct grid_key {
	const char *name;
	enum grid_type type;
	bool required;
	const char *instead; /* the key that this one replaces, or NULL; one of the two must be given */
	const char *choices; /* "a|b|c": of KEY_CHOICE, and of each of KEY_STRINGS; else NULL */
	int min, max;        /* of an integer, and of each of KEY_INTS; both 0: any */
	int most;            /* entries of a list, or 0 */
	const char *def;     /* the default as TOML; NULL = nothing, or what the text says */
	const char *text;    /* whole sentences */
	const char
		*example; /* "key = value"; of KEYS_SET what follows --set; NULL where the table has a section of its own */
};

enum grid_part {
	KEYS_TOP,
	KEYS_GRID,
	KEYS_SEEDS,
	KEYS_SEED_RANGE,
	KEYS_BASE,
	KEYS_AXIS,
	KEYS_RANGE,
	KEYS_LOG,
	KEYS_ZIP,
	KEYS_EXCLUDE,
	KEYS_INCLUDE,
	KEYS_VARIANT,
	KEYS_CHAIN,
	KEYS_METRIC,
	KEYS_TABLE,
	KEYS_GATE,
	KEYS_MARGIN,
	KEYS_BUDGET,
	KEYS_BUDGET_CELL,
	KEYS_BUDGET_GRID,
	KEYS_SLURM,
	KEYS_COMMAND,
	KEYS_SET,
	KEYS_COUNT
};

/* One table of the language. */
struct grid_keys {
	const char *header; /* in messages and as a title: "[grid]"; "" = the top level */
	const struct grid_key *v;
	size_t n;
	const char *text; /* what it is for */
	const char
		*example; /* as in a file; those of all tables, in this order, are one valid grid; NULL = a value's table */
};

extern const struct grid_keys grid_keys[KEYS_COUNT];

/* The row of that key; NULL when there is none. */
const struct grid_key *grid_key(const struct grid_keys *keys, const char *name);
/* "a list of strings" */
const char *grid_type_name(enum grid_type type);

#endif
