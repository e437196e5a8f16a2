/* mutate_text.c - TOML by lines and tokens, JSON by its values; see mutate.h. */
#include "tests/fuzz/mutate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mutate_tokens(struct str *s, struct dice *d, struct words words)
{
	char number[32];
	SCOPED(str) struct str before = *s;
	SCOPED(pieces) struct pieces p = { 0 };
	*s = (struct str){ 0 };
	pieces_tokens(&p, str_text(&before), before.len);
	(void)snprintf(number, sizeof number, "%lld", (long long)dice_number(d));
	size_t at = dice_below(d, (uint32_t)p.n);
	const char *to = dice_one_in(d, 2) ? number : dice_word(d, words);
	if (p.n && dice_one_in(d, 2))
		p.v[at] = (struct piece){ to, strlen(to) };
	else if (dice_one_in(d, 4))
		pieces_put(&p, at, to);
	else
		pieces_mutate(&p, d);
	pieces_join(s, &p);
}

/* A line of the list, or one that stands in the text. */
static void mutate_lines(struct str *s, struct dice *d, struct words lines)
{
	SCOPED(str) struct str before = *s;
	SCOPED(pieces) struct pieces p = { 0 };
	*s = (struct str){ 0 };
	pieces_lines(&p, str_text(&before), before.len);
	if (dice_one_in(d, 2)) {
		size_t at = dice_below(d, (uint32_t)p.n + 1);
		pieces_put(&p, at, "\n");
		pieces_put(&p, at, dice_word(d, lines));
	} else {
		pieces_mutate(&p, d);
	}
	pieces_join(s, &p);
}

size_t mutate_toml(uint8_t *data, size_t size, size_t max, unsigned seed, struct words lines)
{
	struct dice d = { seed };
	SCOPED(str) struct str text = { 0 };
	if (dice_one_in(&d, 8))
		return LLVMFuzzerMutate(data, size, max);
	str_addn(&text, data, size);
	for (uint32_t i = 0, n = 1 + dice_below(&d, 4); i < n; i++) /* several at once: one alone is often refused */
		if (dice_one_in(&d, 3)) {
			mutate_lines(&text, &d, lines);
		} else { /* tokens of a line of the list, so that its names and values come to other places */
			SCOPED(pieces) struct pieces p = { 0 };
			const char *line = dice_word(&d, lines);
			pieces_tokens(&p, line, strlen(line));
			size_t at = dice_below(&d, (uint32_t)p.n);
			SCOPED(free) char *token = p.n ? xstrndup(p.v[at].s, p.v[at].n) : xstrdup("0");
			mutate_tokens(&text, &d, (struct words){ (const char *const[]){ token }, 1 });
		}
	return mutate_give(data, size, max, &text);
}

/* --- JSON --- */

/* A value and where it stands. */
struct spot {
	json_t *parent, *value;
	const char *key; /* NULL: in an array */
	size_t index;
};
struct spots {
	struct spot *v;
	size_t n, cap;
};
enum { SPOTS_MAX = 4096, DEPTH_MAX = 64 };

static void collect(struct spots *s, json_t *parent, int depth)
{
	const char *key;
	json_t *v;
	size_t i;
	if (depth > DEPTH_MAX)
		return;
	json_object_foreach(parent, key, v)
	{
		if (s->n < SPOTS_MAX)
			VEC_PUSH(s->v, s->n, s->cap) = (struct spot){ parent, v, key, 0 };
		collect(s, v, depth + 1);
	}
	json_array_foreach(parent, i, v)
	{
		if (s->n < SPOTS_MAX)
			VEC_PUSH(s->v, s->n, s->cap) = (struct spot){ parent, v, NULL, i };
		collect(s, v, depth + 1);
	}
}

static json_t *strange_value(struct dice *d, const json_t *was, struct words words)
{
	switch (dice_below(d, 10)) {
	case 0: return json_null();
	case 1: return dice_one_in(d, 2) ? json_true() : json_false();
	case 2: return json_array();
	case 3: return json_object();
	case 4: return json_real((double)dice_number(d) / 3);
	case 5: return json_integer((json_int_t)((uint64_t)json_integer_value(was) + dice_below(d, 3) - 1));
	case 6:
	case 7: return json_integer(dice_number(d));
	case 8: {
		SCOPED(str) struct str text = { 0 };
		str_add(&text, json_is_string(was) ? json_string_value(was) : "");
		mutate_bytes(&text);
		json_t *v = json_stringn(str_text(&text), text.len);
		return v ? v : json_string("");
	}
	default: return json_string(dice_word(d, words));
	}
}

void mutate_json(json_t *root, struct dice *d, struct words words)
{
	struct spots s = { 0 };
	collect(&s, root, 0);
	if (s.n) {
		struct spot at = s.v[dice_below(d, (uint32_t)s.n)], other = s.v[dice_below(d, (uint32_t)s.n)];
		uint32_t how = dice_below(d, 8);
		json_t *v = how < 5 ? strange_value(d, at.value, words) : json_deep_copy(other.value);
		if (how == 0) { /* one more */
			if (at.key)
				(void)json_object_set_new(at.parent, dice_word(d, words), v);
			else
				(void)json_array_append_new(at.parent, v);
		} else if (how == 7) {
			json_decref(v);
			(void)(at.key ? json_object_del(at.parent, at.key) : json_array_remove(at.parent, at.index));
		} else {
			(void)(at.key ? json_object_set_new(at.parent, at.key, v) : json_array_set_new(at.parent, at.index, v));
		}
	}
	free(s.v);
}
