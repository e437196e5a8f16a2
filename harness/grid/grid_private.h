/* grid_private.h - what the parts of the grid reader share: grid.c (the file, inherit), grid_settings.c (settings and
 * closed tables), grid_rows.c (axes, excludes, includes, variants, chains), grid_judge.c (budget, metrics, tables,
 * gates), grid_set.c (--set). Nobody else includes this. */
#ifndef ABLATE_GRID_PRIVATE_H
#define ABLATE_GRID_PRIVATE_H

#include "harness/grid/grid.h"
#include "harness/grid/grid_keys.h"

#include <stdlib.h>

struct grid_place grid_at(const struct toml_value *v);
struct grid_place grid_at_key(const struct toml_entry *en);
/* Every key of `table` is one of `keys`; else an error that says where the key belongs or names the nearest. */
MUST_CHECK int grid_closed(const struct toml_value *table, const struct grid_keys *keys, struct err *e);
/* toml_typed & co. for a key of `keys`, whose row says whether it may be missing: 0, 1 (absent), -1. */
MUST_CHECK int grid_string(const char **out, const struct toml_value *table, const struct grid_keys *keys,
                           const char *key, struct err *e);
MUST_CHECK int grid_array(const struct toml_value **out, const struct toml_value *table, const struct grid_keys *keys,
                          const char *key, struct err *e);
/* An integer within its row's range; *out keeps its default if absent. */
MUST_CHECK int grid_int(int *out, const struct toml_value *table, const struct grid_keys *keys, const char *key,
                        struct err *e);
/* A list of ascending integers, each within its row's range, at most as many as its row says; likewise. */
MUST_CHECK int grid_ints(int *v, int *n, const struct toml_value *table, const struct grid_keys *keys, const char *key,
                         struct err *e);
/* The index of one of its row's choices; likewise. */
MUST_CHECK int grid_choice(int *out, const struct toml_value *table, const struct grid_keys *keys, const char *key,
                           struct err *e);
/* Is `word` one of "a|b|c"? */
bool grid_is_choice(const char *choices, const char *word);
/* The tables of an [[array of tables]], of the root; *n = 0 if absent. Elements by toml_at. */
MUST_CHECK int grid_tables(const struct toml_value **out, int *n, const struct toml_value *root, const char *key,
                           struct err *e);
/* A duration in seconds; *out keeps its default if absent. */
MUST_CHECK int grid_read_duration(double *out, const struct toml_value *table, const char *key, bool may_be_0,
                                  struct err *e);
/* An array of strings into v, at most `max`. */
MUST_CHECK int grid_strings(const char **v, int *n, int max, const struct toml_value *array, struct err *e);
/* A string without NUL that is usable as a name: not empty, no control characters, at most 200 bytes. */
MUST_CHECK int grid_name_ok(const char *text, struct grid_place at, const char *what, struct err *e);

/* One value for `key`, checked against its knob. */
MUST_CHECK int grid_setting(struct setting *out, struct grid *g, const char *key, const struct toml_value *v,
                            struct err *e);
/* All settings of a table ([base], set = {..}, when = {..}), nested or with dotted keys, appended to `out`. */
MUST_CHECK int grid_settings(struct settings *out, struct grid *g, const struct toml_value *table, const char *header,
                             struct err *e);
void settings_add(struct grid *g, struct settings *s, const struct setting *one);

/* [1, 2, 3] or { start = 1, count = 3 }. */
MUST_CHECK int grid_read_seed_list(int64_t **out, int *n, struct grid *g, const struct toml_value *v, struct err *e);
/* These take what their table gives and leave the rest as it is: a file fills defaults, --set changes one key. */
MUST_CHECK int grid_read_seeds(struct grid *g, const struct toml_value *seeds, struct err *e);
MUST_CHECK int grid_read_like(struct grid *g, const struct toml_value *study, struct err *e);  /* grid.like */
MUST_CHECK int grid_read_budget(struct grid *g, const struct toml_value *root, struct err *e); /* root.budget */
/* Of the metrics called `name`, or of all for "". Tables and gates must still find theirs. */
MUST_CHECK int grid_override_metrics(struct grid *g, const char *name, const struct toml_value *t, struct err *e);
/* Refuses a grid that is too large while it is still a few numbers. */
MUST_CHECK int grid_check_size(const struct grid *g, struct err *e);

MUST_CHECK int grid_read_rows(struct grid *g, const struct toml_value *root, struct err *e);
MUST_CHECK int grid_read_variants(struct grid *g, const struct toml_value *root, struct err *e);
MUST_CHECK int grid_read_judges(struct grid *g, const struct toml_value *root, struct err *e);

#endif
