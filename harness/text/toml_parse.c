/* toml_parse.c - the grammar of TOML 1.0: keys, tables, arrays, and which constructs may define a table when.
 *
 * The text is checked first as a whole (UTF-8, control characters, bare CR), so that the rest deals with structure
 * only. Recursion is bounded by TOML_DEPTH_MAX; time and memory are linear in the text. */
#include "harness/text/toml_tree.h"
#include "model/base/io.h"
#include "model/base/utf8.h"

#include <stdlib.h>
#include <string.h>

struct segment {
	const char *key, *spelling;
	size_t len, spelling_len;
	struct toml_place at;
};

struct key_path {
	struct segment seg[TOML_DEPTH_MAX];
	int n;
};

static int scan_value(struct toml_parser *s, struct toml_value **out, int depth);

static int fail_here(struct toml_parser *s, const char *message)
{
	return toml_fail(s, toml_place_of(s, s->p), "%s", message);
}

/* ---- the text as a whole ---------------------------------------------------------------------------------------- */

static int check_text(struct toml_parser *s)
{
	struct toml_place at = { 1, 1 };
	for (const char *p = s->p; p < s->end;) {
		unsigned char c = (unsigned char)*p;
		size_t len = utf8_len(p, (size_t)(s->end - p));
		if (!len)
			return toml_fail(s, at, "byte 0x%02X: not valid UTF-8", c);
		if (c == '\r' && p[1] != '\n')
			return toml_fail(s, at, "a carriage return without a line feed");
		if (c == 0x7F || (c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
			return toml_fail(s, at, "control character U+%04X; in a \"string\" write \\u%04X", c, c);
		p += len;
		at.col++;
		if (c == '\n')
			at = (struct toml_place){ at.line + 1, 1 };
	}
	return 0;
}

/* ---- white space and comments ----------------------------------------------------------------------------------- */

static void skip_blank(struct toml_parser *s)
{
	while (*s->p == ' ' || *s->p == '\t')
		s->p++;
}

static void skip_comment(struct toml_parser *s)
{
	if (*s->p == '#')
		s->p += strcspn(s->p, "\r\n");
}

/* Blanks, comments and newlines. */
static void skip_lines(struct toml_parser *s)
{
	for (;;) {
		skip_blank(s);
		skip_comment(s);
		if (*s->p != '\n' && *s->p != '\r')
			return;
		toml_newline(s);
	}
}

static int end_of_line(struct toml_parser *s, const char *after)
{
	skip_blank(s);
	skip_comment(s);
	if (s->p == s->end)
		return 0;
	if (*s->p != '\n' && *s->p != '\r')
		return toml_fail(s, toml_place_of(s, s->p), "only a comment may follow %s on its line", after);
	toml_newline(s);
	return 0;
}

/* ---- keys ------------------------------------------------------------------------------------------------------- */

static size_t bare_len(const char *p)
{
	return strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
}

static int scan_segment(struct toml_parser *s, struct segment *out)
{
	const char *start = s->p;
	out->at = toml_place_of(s, start);
	if (*start == '"' || *start == '\'') {
		if (toml_scan_string(s, &out->key, &out->len, false))
			return -1;
	} else {
		size_t n = bare_len(start);
		if (!n)
			return toml_fail(s, out->at, "a key is missing here (letters, digits, - and _, or in quotes)");
		char *copy = arena_alloc(&s->doc->arena, n + 1);
		memcpy(copy, start, n);
		out->key = copy;
		out->len = n;
		s->p += n;
	}
	out->spelling = start;
	out->spelling_len = (size_t)(s->p - start);
	return 0;
}

/* A dotted key; stops at the first character after it and its blanks. */
static int scan_key(struct toml_parser *s, struct key_path *out)
{
	out->n = 0;
	for (;;) {
		if (out->n == TOML_DEPTH_MAX)
			return fail_here(s, "this key has too many segments");
		if (scan_segment(s, &out->seg[out->n++]))
			return -1;
		skip_blank(s);
		if (*s->p != '.')
			return 0;
		s->p++;
		skip_blank(s);
	}
}

/* ---- the tree --------------------------------------------------------------------------------------------------- */

static struct toml_value *new_value(struct toml_parser *s, enum toml_type type, struct toml_place at)
{
	struct toml_value *v = arena_alloc(&s->doc->arena, sizeof *v);
	v->type = type;
	v->line = at.line;
	v->col = at.col;
	v->file = s->doc->file;
	v->src = "";
	return v;
}

static int too_deep(struct toml_parser *s, struct toml_place at)
{
	return toml_fail(s, at, "more than %d tables and arrays within each other", TOML_DEPTH_MAX);
}

static int new_table(struct toml_parser *s, struct toml_value **out, struct toml_place at, enum toml_origin origin,
                     int depth)
{
	if (depth > TOML_DEPTH_MAX)
		return too_deep(s, at);
	*out = new_value(s, TOML_TABLE, at);
	(*out)->table = arena_alloc(&s->doc->arena, sizeof *(*out)->table);
	(*out)->table->origin = origin;
	(*out)->table->section = s->section;
	(*out)->table->depth = depth;
	return 0;
}

static struct toml_entry *add_entry(struct toml_parser *s, struct toml_table *t, const struct segment *seg,
                                    struct toml_value *v)
{
	struct toml_entry *en = toml_table_add(s->doc, t, seg->key, seg->len);
	en->spelling = seg->spelling;
	en->spelling_len = seg->spelling_len;
	en->line = seg->at.line;
	en->col = seg->at.col;
	en->value = v;
	return en;
}

/* The entry that `seg` names in t; a new table of that origin if it is not there. NULL: an error. */
static struct toml_entry *entry_of(struct toml_parser *s, struct toml_table *t, const struct segment *seg,
                                   enum toml_origin origin)
{
	struct toml_entry *en = toml_table_find(t, seg->key, seg->len);
	struct toml_value *v = NULL;
	if (en)
		return en;
	return new_table(s, &v, seg->at, origin, t->depth + 1) ? NULL : add_entry(s, t, seg, v);
}

/* The table that a dotted key's leading segment `seg` names below t, created if it does not exist. */
static int dotted_step(struct toml_parser *s, struct toml_table **t, const struct segment *seg)
{
	struct toml_entry *en = entry_of(s, *t, seg, TOML_DOTTED);
	if (!en)
		return -1;
	if (en->value->type != TOML_TABLE)
		return toml_fail(s, seg->at, "%.*s is %s since line %d, so it cannot get keys of its own",
		                 (int)seg->spelling_len, seg->spelling, toml_type_name(en->value->type), en->line);
	struct toml_table *child = en->value->table;
	if (child->origin == TOML_IMPLICIT) {
		child->origin = TOML_DOTTED;
		child->section = s->section;
	} else if (child->origin != TOML_DOTTED || child->section != s->section) {
		return toml_fail(s, seg->at, "table %.*s was completed at line %d and cannot be added to",
		                 (int)seg->spelling_len, seg->spelling, en->line);
	}
	*t = child;
	return 0;
}

static int already(struct toml_parser *s, const struct segment *seg, const struct toml_entry *en)
{
	return toml_fail(s, seg->at, "%.*s is already defined at line %d", (int)seg->spelling_len, seg->spelling, en->line);
}

/* key = value, into table t. */
static int scan_pair(struct toml_parser *s, struct toml_table *t)
{
	SCOPED(free) struct key_path *key = xmalloc(sizeof *key);
	if (scan_key(s, key))
		return -1;
	if (*s->p != '=')
		return fail_here(s, s->p == s->end || *s->p == '\n' || *s->p == '\r'
		                        ? "this key has no value; write key = value"
		                        : "expected = after the key");
	s->p++;
	skip_blank(s);
	for (int i = 0; i + 1 < key->n; i++)
		if (dotted_step(s, &t, &key->seg[i]))
			return -1;
	const struct segment *last = &key->seg[key->n - 1];
	const struct toml_entry *before = toml_table_find(t, last->key, last->len);
	if (before)
		return already(s, last, before);
	struct toml_value *v = NULL;
	if (scan_value(s, &v, t->depth + 1))
		return -1;
	add_entry(s, t, last, v);
	return 0;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static int scan_array(struct toml_parser *s, struct toml_value *v, int depth)
{
	v->type = TOML_ARRAY;
	v->array = arena_alloc(&s->doc->arena, sizeof *v->array);
	s->p++;
	for (;;) {
		skip_lines(s);
		if (*s->p == ']')
			break;
		struct toml_value *item = NULL;
		if (s->p == s->end)
			return toml_fail(s, (struct toml_place){ v->line, v->col }, "this array is never closed");
		if (scan_value(s, &item, depth + 1))
			return -1;
		toml_array_add(s->doc, v->array, item);
		skip_lines(s);
		if (*s->p == ',')
			s->p++;
		else if (s->p == s->end)
			return toml_fail(s, (struct toml_place){ v->line, v->col }, "this array is never closed");
		else if (*s->p != ']')
			return fail_here(s, "expected , or ] in the array");
	}
	s->p++;
	return 0;
}

static int scan_inline_table(struct toml_parser *s, struct toml_value *v, int depth)
{
	v->type = TOML_TABLE;
	v->table = arena_alloc(&s->doc->arena, sizeof *v->table);
	v->table->origin = TOML_INLINE;
	v->table->depth = depth;
	uint32_t outer = s->section;
	v->table->section = s->section = ++s->doc->sections;
	s->p++;
	skip_blank(s);
	while (*s->p != '}') {
		if (*s->p == '\n' || *s->p == '\r' || s->p == s->end)
			return fail_here(s, "an inline table must end on its line; use a [table] for several lines");
		if (scan_pair(s, v->table))
			return -1;
		skip_blank(s);
		if (*s->p == ',') {
			s->p++;
			skip_blank(s);
			if (*s->p == '}')
				return fail_here(s, "no comma before the } of an inline table");
		} else if (*s->p != '}') {
			return fail_here(s, *s->p == '\n' || *s->p == '\r' || *s->p == '#' || s->p == s->end
			                        ? "an inline table must end on its line; use a [table] for several lines"
			                        : "expected , or } in the inline table");
		}
	}
	s->p++;
	s->section = outer;
	return 0;
}

/* depth: that of the value in the tree, if it turns out to be a table or an array. */
static int scan_value(struct toml_parser *s, struct toml_value **out, int depth)
{
	const char *start = s->p;
	struct toml_place at = toml_place_of(s, start);
	struct toml_value *v = *out = new_value(s, TOML_STRING, at);
	int rc;
	if ((*start == '[' || *start == '{') && depth > TOML_DEPTH_MAX)
		return too_deep(s, at);
	if (*start == '"' || *start == '\'')
		rc = toml_scan_string(s, &v->str.data, &v->str.len, true);
	else if (*start == '[')
		rc = scan_array(s, v, depth);
	else if (*start == '{')
		rc = scan_inline_table(s, v, depth);
	else
		rc = toml_scan_token(s, v);
	v->src = start;
	v->src_len = (size_t)(s->p - start);
	return rc;
}

/* ---- headers ---------------------------------------------------------------------------------------------------- */

/* One leading segment of a header. */
static int header_step(struct toml_parser *s, struct toml_table **t, const struct segment *seg)
{
	struct toml_entry *en = entry_of(s, *t, seg, TOML_IMPLICIT);
	if (!en)
		return -1;
	struct toml_value *v = en->value;
	if (v->type == TOML_ARRAY && v->array->of_tables)
		v = v->array->items[v->array->n - 1];
	if (v->type != TOML_TABLE || v->table->origin == TOML_INLINE)
		return toml_fail(s, seg->at, "%.*s is %s since line %d, so no header can add to it", (int)seg->spelling_len,
		                 seg->spelling, v->type == TOML_TABLE ? "an inline table" : toml_type_name(v->type), en->line);
	*t = v->table;
	return 0;
}

static int header_table(struct toml_parser *s, struct toml_table **t, const struct segment *seg)
{
	struct toml_entry *en = toml_table_find(*t, seg->key, seg->len);
	if (!en) {
		struct toml_value *v = NULL;
		if (new_table(s, &v, seg->at, TOML_HEADER, (*t)->depth + 1))
			return -1;
		add_entry(s, *t, seg, v);
		*t = v->table;
		return 0;
	}
	struct toml_value *v = en->value;
	if (v->type == TOML_ARRAY && v->array->of_tables)
		return toml_fail(s, seg->at, "%.*s is an array of tables since line %d; write [[...]] for one more",
		                 (int)seg->spelling_len, seg->spelling, en->line);
	if (v->type != TOML_TABLE || v->table->origin != TOML_IMPLICIT)
		return already(s, seg, en);
	v->table->origin = TOML_HEADER;
	en->line = v->line = seg->at.line;
	en->col = v->col = seg->at.col;
	*t = v->table;
	return 0;
}

static int header_element(struct toml_parser *s, struct toml_table **t, const struct segment *seg)
{
	struct toml_entry *en = toml_table_find(*t, seg->key, seg->len);
	int depth = (*t)->depth + 1;
	if (!en) {
		struct toml_value *a = new_value(s, TOML_ARRAY, seg->at);
		a->array = arena_alloc(&s->doc->arena, sizeof *a->array);
		a->array->of_tables = true;
		en = add_entry(s, *t, seg, a);
	}
	struct toml_value *a = en->value, *v = NULL;
	if (a->type != TOML_ARRAY || !a->array->of_tables)
		return already(s, seg, en);
	if (new_table(s, &v, seg->at, TOML_HEADER, depth + 1))
		return -1;
	toml_array_add(s->doc, a->array, v);
	*t = v->table;
	return 0;
}

/* [key] or [[key]]; *t becomes the table that it opens. */
static int scan_header(struct toml_parser *s, struct toml_table **t)
{
	bool element = s->p[1] == '[';
	s->p += element ? 2 : 1;
	skip_blank(s);
	SCOPED(free) struct key_path *key = xmalloc(sizeof *key);
	if (scan_key(s, key))
		return -1;
	if (*s->p != ']' || (element && s->p[1] != ']'))
		return fail_here(s, element ? "expected ]] after the key" : "expected ] after the key");
	s->p += element ? 2 : 1;
	s->section = ++s->doc->sections;
	*t = s->doc->root->table;
	for (int i = 0; i + 1 < key->n; i++)
		if (header_step(s, t, &key->seg[i]))
			return -1;
	const struct segment *last = &key->seg[key->n - 1];
	if (element ? header_element(s, t, last) : header_table(s, t, last))
		return -1;
	return end_of_line(s, "a header");
}

/* ---- documents -------------------------------------------------------------------------------------------------- */

static int scan_document(struct toml_parser *s)
{
	if (!strncmp(s->p, "\xEF\xBB\xBF", 3))
		s->line_start = s->col_at = s->p += 3; /* a byte order mark */
	if (check_text(s))
		return -1;
	if (new_table(s, &s->doc->root, (struct toml_place){ 1, 1 }, TOML_HEADER, 0))
		return -1;
	struct toml_table *t = s->doc->root->table;
	for (;;) {
		skip_lines(s);
		if (s->p == s->end)
			return 0;
		if (*s->p == '[') {
			if (scan_header(s, &t))
				return -1;
		} else if (scan_pair(s, t) || end_of_line(s, "a value")) {
			return -1;
		}
	}
}

static int scan_lone_value(struct toml_parser *s)
{
	if (check_text(s))
		return -1;
	skip_blank(s);
	if (s->p == s->end)
		return fail_here(s, "a value is missing; write \"\" for an empty string");
	char first = *s->p;
	int rc = scan_value(s, &s->doc->root, 0);
	if (!rc) {
		skip_blank(s);
		if (s->p == s->end)
			return 0;
		rc = fail_here(s, "unexpected text after the value");
	}
	if (strchr("\"'[{", first))
		return rc;
	struct toml_value *v = s->doc->root = new_value(s, TOML_STRING, (struct toml_place){ 1, 1 });
	v->str.data = v->src = s->doc->text;
	v->str.len = v->src_len = s->doc->n;
	s->e->msg[0] = '\0';
	s->e->code = 0;
	return 0;
}

static int parse(struct toml **out, const char *text, size_t n, const char *file, int (*scan)(struct toml_parser *),
                 struct err *e)
{
	struct err local = ERR_INIT;
	if (n > TOML_BYTES_MAX)
		return err_code(e, EXIT_USAGE, "%s: %zu bytes; a TOML text may have %zu", file, n, TOML_BYTES_MAX);
	struct toml *doc = xcalloc(1, sizeof *doc);
	doc->file = arena_strdup(&doc->arena, file);
	doc->text = arena_alloc(&doc->arena, n + 1);
	doc->n = n;
	if (n)
		memcpy(doc->text, text, n);
	struct toml_parser s = { .doc = doc,
		                     .p = doc->text,
		                     .end = doc->text + n,
		                     .line = 1,
		                     .line_start = doc->text,
		                     .col_at = doc->text,
		                     .col_is = 1,
		                     .e = &local };
	if (scan(&s)) {
		toml_free(doc);
		return err_code(e, EXIT_USAGE, "%s", local.msg);
	}
	*out = doc;
	return 0;
}

int toml_parse(struct toml **out, const char *text, size_t n, const char *file, struct err *e)
{
	return parse(out, text, n, file, scan_document, e);
}

int toml_parse_value(struct toml **out, const char *text, const char *name, struct err *e)
{
	return parse(out, text, strlen(text), name, scan_lone_value, e);
}

int toml_read(struct toml **out, const char *path, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	if (io_read(&text, path, TOML_BYTES_MAX, e)) {
		if (e && !e->code)
			e->code = EXIT_USAGE;
		return -1;
	}
	return toml_parse(out, str_text(&text), text.len, strcmp(path, "-") ? path : "stdin", e);
}
