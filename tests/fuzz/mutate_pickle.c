/* mutate_pickle.c - the instructions of a pickle, of tensors or of numpy's arrays; see mutate.h. */
#include "tests/fuzz/mutate.h"

#include <string.h>

static const char *const globals[] = {
	"ccollections\nOrderedDict\n",
	"ctorch._utils\n_rebuild_tensor\n",
	"ctorch._utils\n_rebuild_tensor_v2\n",
	"ctorch\nFloatStorage\n",
	"ctorch._utils\n_rebuild_parameter\n",
	"ctorch\nDoubleStorage\n",
	"ctorch\nHalfStorage\n",
	"ctorch\nBFloat16Storage\n",
	"ctorch\nLongStorage\n",
	"ctorch\nByteStorage\n",
	"c_codecs\nencode\n",
	"cnumpy\nndarray\n",
	"cnumpy\ndtype\n",
	"cnumpy.core.multiarray\nscalar\n",
	"cnumpy.core.numeric\n_frombuffer\n",
	"cnumpy.core.multiarray\n_reconstruct\n",
};
static const char *const texts[] = { "storage", "cpu", "0",  "1",   "weight", "state_dict", "latin1", "little_endian",
	                                 "F",       "C",   "f8", "f2",  "<f4",    ">f8",        "u1",     "S3",
	                                 "U2",      "O8",  "V4", "<i8", "|",      "=",          "",       "b" };
/* Instructions without an argument, the two that take a memo's number 0, and STOP. */
static const char *const plain[] = { "(", "0", "N",    "]",    "}",    ")",    "t",    "a",    "e",
	                                 "s", "u", "b",    "R",    "Q",    ".",    "2",    "1",    "l",
	                                 "d", "o", "\x85", "\x86", "\x87", "\x88", "\x89", "\x93", "\x94" };

/* Bytes of the length that an instruction's argument begins with; 0: it has none. */
static size_t length_bytes(uint8_t op)
{
	switch (op) {
	case 'U':
	case 'C':
	case 0x8a:
	case 0x8c: return 1;
	case 'X':
	case 'T':
	case 'B':
	case 0x8b: return 4;
	case 0x8d:
	case 0x8e:
	case 0x96: return 8;
	default: return 0;
	}
}

static size_t fixed_bytes(uint8_t op)
{
	switch (op) {
	case 'K':
	case 'q':
	case 'h':
	case 0x80: return 1;
	case 'M': return 2;
	case 'J':
	case 'j':
	case 'r': return 4;
	case 'G':
	case 0x95: return 8;
	default: return 0;
	}
}

/* Of the instruction at p[0..n), n > 0; the rest where it is cut off. */
static size_t instruction(const uint8_t *p, size_t n)
{
	size_t head = 1 + length_bytes(*p), size = 1 + fixed_bytes(*p) + length_bytes(*p);
	for (size_t i = head; head > 1 && head <= n && i-- > 1;)
		if (p[i])
			size += i > 3 ? n : (size_t)p[i] << 8 * (i - 1);
	if (*p == 'c') {
		const uint8_t *module = memchr(p, '\n', n);
		const uint8_t *name = module ? memchr(module + 1, '\n', (size_t)(p + n - module - 1)) : NULL;
		size = name ? (size_t)(name + 1 - p) : n;
	}
	return size < n ? size : n;
}

static void add_number(struct str *s, struct dice *d)
{
	int64_t v = dice_number(d);
	int bytes = v >= 0 && v < 256 ? 1 : 8;
	str_addn(s, bytes == 1 ? "K" : "\x8a\x08", bytes == 1 ? 1 : 2);
	for (int i = 0; i < bytes; i++)
		str_addc(s, (char)(uint8_t)((uint64_t)v >> 8 * i));
}

static void add_text(struct str *s, uint8_t op, const struct str *text)
{
	str_addc(s, (char)op);
	for (size_t i = 0; i < length_bytes(op); i++)
		str_addc(s, (char)(uint8_t)(i < sizeof text->len ? text->len >> 8 * i : 0));
	str_addn(s, str_text(text), text->len);
}

/* An instruction in place of another, of its kind where it has one. */
static void renew(struct str *out, const struct piece *was, struct dice *d)
{
	uint8_t op = was->n ? (uint8_t)*was->s : 0;
	SCOPED(str) struct str text = { 0 };
	if (op && strchr("KMJ\x8a", op) && !dice_one_in(d, 8)) {
		add_number(out, d);
	} else if (length_bytes(op) && !dice_one_in(d, 8)) {
		size_t head = 1 + length_bytes(op);
		if (dice_one_in(d, 2)) {
			str_add(&text, dice_word(d, WORDS(texts)));
		} else {
			str_addn(&text, was->s + (head < was->n ? head : was->n), head < was->n ? was->n - head : 0);
			mutate_bytes(&text);
		}
		add_text(out, op, &text);
	} else {
		str_add(out, op == 'c' || dice_one_in(d, 8) ? dice_word(d, WORDS(globals)) : dice_word(d, WORDS(plain)));
	}
}

void mutate_pickle(struct str *s, struct dice *d)
{
	SCOPED(str) struct str before = *s, fresh = { 0 };
	SCOPED(pieces) struct pieces p = { 0 };
	*s = (struct str){ 0 };
	for (size_t at = 0, k; at < before.len; at += k)
		pieces_add(&p, before.data + at, k = instruction((const uint8_t *)before.data + at, before.len - at));
	if (!p.n || dice_one_in(d, 3)) {
		pieces_mutate(&p, d);
	} else {
		struct piece *at = &p.v[dice_below(d, (uint32_t)p.n)];
		renew(&fresh, at, d);
		if (dice_one_in(d, 4)) /* beside it, not in its place */
			str_addn(&fresh, at->s, at->n);
		*at = (struct piece){ str_text(&fresh), fresh.len };
	}
	pieces_join(s, &p);
}
