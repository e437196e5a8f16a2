/* mutate.c - chance, bytes and pieces; see mutate.h. */
#include "tests/fuzz/mutate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static uint64_t roll(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15u; /* SplitMix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t dice_below(struct dice *d, uint32_t n)
{
	return n ? (uint32_t)(roll(d) >> 32) % n : 0;
}

bool dice_one_in(struct dice *d, uint32_t n)
{
	return dice_below(d, n) == 0;
}

int64_t dice_number(struct dice *d)
{
	if (dice_one_in(d, 2))
		return dice_below(d, 20);
	uint64_t power = (uint64_t)1 << dice_below(d, 64), near = power + dice_below(d, 5) - 2;
	return (int64_t)(dice_one_in(d, 4) ? ~near : near);
}

const char *dice_word(struct dice *d, struct words w)
{
	return w.n ? w.v[dice_below(d, (uint32_t)w.n)] : "";
}

void mutate_bytes(struct str *s)
{
	size_t room = s->len + s->len / 4 + 16;
	SCOPED(free) uint8_t *bytes = xcalloc(room, 1);
	if (s->len)
		memcpy(bytes, s->data, s->len);
	size_t n = LLVMFuzzerMutate(bytes, s->len, room);
	s->len = 0;
	str_addn(s, bytes, n);
}

size_t mutate_give(uint8_t *data, size_t size, size_t max, const struct str *out)
{
	if (!out->len || out->len > max)
		return LLVMFuzzerMutate(data, size, max);
	memcpy(data, out->data, out->len);
	return out->len;
}

void pieces_release(struct pieces *p)
{
	free(p->v);
	*p = (struct pieces){ 0 };
}

void scoped_pieces(struct pieces *p)
{
	pieces_release(p);
}

void pieces_add(struct pieces *p, const void *s, size_t n)
{
	VEC_PUSH(p->v, p->n, p->cap) = (struct piece){ s, n };
}

void pieces_lines(struct pieces *p, const char *s, size_t n)
{
	while (n) {
		const char *newline = memchr(s, '\n', n);
		size_t k = newline ? (size_t)(newline - s) + 1 : n;
		pieces_add(p, s, k);
		s += k;
		n -= k;
	}
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.+-", c));
}

static size_t token_length(const char *s, size_t n)
{
	size_t k = 1;
	if (*s == '"' || *s == '\'') {
		while (k < n && s[k] != *s && s[k] != '\n')
			k += s[k] == '\\' && k + 1 < n ? 2 : 1;
		return k < n ? k + 1 : n;
	}
	while (k < n && ((in_word(*s) && in_word(s[k])) || (*s == ' ' && s[k] == ' ')))
		k++;
	return k;
}

void pieces_tokens(struct pieces *p, const char *s, size_t n)
{
	while (n) {
		size_t k = token_length(s, n);
		pieces_add(p, s, k);
		s += k;
		n -= k;
	}
}

void pieces_put(struct pieces *p, size_t at, const char *s)
{
	pieces_add(p, s, strlen(s));
	struct piece last = p->v[p->n - 1];
	memmove(p->v + at + 1, p->v + at, (p->n - 1 - at) * sizeof *p->v);
	p->v[at] = last;
}

void pieces_join(struct str *out, const struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		str_addn(out, p->v[i].s, p->v[i].n);
}

void pieces_mutate(struct pieces *p, struct dice *d)
{
	if (!p->n)
		return;
	uint32_t n = (uint32_t)p->n;
	size_t at = dice_below(d, n), other = dice_below(d, n);
	struct piece one = p->v[at];
	switch (dice_below(d, 4)) {
	case 0:
		memmove(p->v + at, p->v + at + 1, (p->n - 1 - at) * sizeof *p->v);
		p->n--;
		return;
	case 1: VEC_PUSH(p->v, p->n, p->cap) = one; return; /* at the end, or by case 2 elsewhere */
	case 2:
		p->v[at] = p->v[other];
		p->v[other] = one;
		return;
	default: p->v[at] = p->v[other];
	}
}
