/* toml_tree.h - what the three parts of the TOML parser share: toml_parse.c (grammar, tables), toml_scalar.c (strings,
 * numbers, moments), toml.c (the tree as readers see it). Nobody else includes this. */
#ifndef ABLATE_TOML_TREE_H
#define ABLATE_TOML_TREE_H

#include "harness/text/toml.h"
#include "model/base/mem.h"

/* How a table was defined decides what may still add to it. */
enum toml_origin {
	TOML_IMPLICIT, /* a parent named by a header: may get its own header once, or dotted keys */
	TOML_HEADER,   /* [table], the root, an element of [[table]]: sub-tables only */
	TOML_DOTTED,   /* made by a dotted key: dotted keys of the same section, and sub-tables by header */
	TOML_INLINE,   /* { ... }: closed */
};

struct toml_table {
	struct toml_entry *entries;
	uint32_t *index; /* hash table of entry number + 1; NULL while the table is small */
	uint32_t n, cap, index_size;
	enum toml_origin origin;
	int depth;
	uint32_t section; /* TOML_DOTTED: the header or inline table whose body made it */
};

struct toml_array {
	struct toml_value **items;
	uint32_t n, cap;
	bool of_tables; /* made by [[headers]] */
};

struct toml {
	struct arena arena;
	char *file, *text;
	size_t n;
	uint32_t sections; /* headers and inline tables so far */
	struct toml_value *root;
};

struct toml_parser {
	struct toml *doc;
	const char *p, *end; /* end points to a NUL */
	int line;
	const char *line_start;
	const char *col_at; /* column cache: col_at is in column col_is of the current line */
	int col_is;
	uint32_t section;
	struct err *e;
};

struct toml_place {
	int line, col;
};

/* The place of `at`, which lies on the parser's current line. */
struct toml_place toml_place_of(struct toml_parser *s, const char *at);
/* "file:line:col: message", code 2. Returns -1. */
int toml_fail(struct toml_parser *s, struct toml_place at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Passes over a newline at s->p (LF or CRLF), which must be present. */
void toml_newline(struct toml_parser *s);

/* At a quote: any of the four kinds of string into *data, *len (arena). */
MUST_CHECK int toml_scan_string(struct toml_parser *s, const char **data, size_t *len, bool multiline_allowed);
/* A bare token (number, moment, bool) into *v, whose place is set. */
MUST_CHECK int toml_scan_token(struct toml_parser *s, struct toml_value *v);

/* Tables. The key's bytes need not be terminated. toml_table_add expects an absent key. */
struct toml_entry *toml_table_find(const struct toml_table *t, const char *key, size_t n);
struct toml_entry *toml_table_add(struct toml *doc, struct toml_table *t, const char *key, size_t n);
void toml_array_add(struct toml *doc, struct toml_array *a, struct toml_value *v);

#endif
