/* utf8.c - see utf8.h. */
#include "model/base/utf8.h"

bool utf8_continues(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

size_t utf8_len(const char *s, size_t n)
{
	unsigned char first = (unsigned char)s[0];
	if (first < 0x80)
		return 1;
	size_t len = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if (!utf8_continues(s[i]))
			return 0;
	unsigned char second = (unsigned char)s[1];
	bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
	bool surrogate = first == 0xED && second > 0x9F, beyond = first == 0xF4 && second > 0x8F;
	return overlong || surrogate || beyond ? 0 : len;
}

void utf8_add(struct str *out, uint32_t code)
{
	if (code < 0x80) {
		str_addc(out, (char)code);
		return;
	}
	int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3; /* bytes after the first, six bits each */
	static const uint8_t lead[] = { 0, 0xC0, 0xE0, 0xF0 };
	str_addc(out, (char)(lead[more] | code >> 6 * more));
	while (more--)
		str_addc(out, (char)(0x80 | (code >> 6 * more & 0x3F)));
}
