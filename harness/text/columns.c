/* columns.c - see columns.h. */
#include "harness/text/columns.h"

#include "model/base/mem.h"
#include "model/base/utf8.h"

#include <stdint.h>

struct range {
	uint32_t from, to;
};

/* Unicode's East_Asian_Width W and F, blocks of pictographs as a whole. */
static const struct range wide[] = {
	{ 0x1100, 0x115F },   { 0x231A, 0x231B },   { 0x2329, 0x232A },   { 0x23E9, 0x23F3 },   { 0x25FD, 0x25FE },
	{ 0x2614, 0x2615 },   { 0x2648, 0x2653 },   { 0x267F, 0x267F },   { 0x2693, 0x2693 },   { 0x26A1, 0x26A1 },
	{ 0x26AA, 0x26AB },   { 0x26BD, 0x26BE },   { 0x26C4, 0x26C5 },   { 0x26CE, 0x26CE },   { 0x26D4, 0x26D4 },
	{ 0x26EA, 0x26EA },   { 0x26F2, 0x26F5 },   { 0x26FA, 0x26FA },   { 0x26FD, 0x26FD },   { 0x2705, 0x2705 },
	{ 0x270A, 0x270B },   { 0x2728, 0x2728 },   { 0x274C, 0x274C },   { 0x274E, 0x274E },   { 0x2753, 0x2757 },
	{ 0x2795, 0x2797 },   { 0x27B0, 0x27B0 },   { 0x27BF, 0x27BF },   { 0x2B1B, 0x2B1C },   { 0x2B50, 0x2B50 },
	{ 0x2B55, 0x2B55 },   { 0x2E80, 0x3029 },   { 0x302E, 0x303E },   { 0x3041, 0x3098 },   { 0x309B, 0xA4CF },
	{ 0xA960, 0xA97F },   { 0xAC00, 0xD7A3 },   { 0xF900, 0xFAFF },   { 0xFE10, 0xFE19 },   { 0xFE30, 0xFE6F },
	{ 0xFF01, 0xFF60 },   { 0xFFE0, 0xFFE6 },   { 0x16FE0, 0x18DFF }, { 0x1AFF0, 0x1B2FF }, { 0x1F004, 0x1F004 },
	{ 0x1F0CF, 0x1F0CF }, { 0x1F18E, 0x1F18E }, { 0x1F191, 0x1F19A }, { 0x1F1E6, 0x1F64F }, { 0x1F680, 0x1F6FF },
	{ 0x1F7E0, 0x1F7FF }, { 0x1F900, 0x1F9FF }, { 0x1FA70, 0x1FAFF }, { 0x20000, 0x3FFFD },
};

/* What combines with the character before it, or is not seen. */
static const struct range none[] = {
	{ 0x0300, 0x036F }, { 0x0483, 0x0489 },   { 0x0591, 0x05BD }, { 0x05BF, 0x05BF }, { 0x05C1, 0x05C2 },
	{ 0x05C4, 0x05C5 }, { 0x05C7, 0x05C7 },   { 0x0610, 0x061A }, { 0x064B, 0x065F }, { 0x0670, 0x0670 },
	{ 0x06D6, 0x06DC }, { 0x06DF, 0x06E4 },   { 0x06E7, 0x06E8 }, { 0x06EA, 0x06ED }, { 0x0E31, 0x0E31 },
	{ 0x0E34, 0x0E3A }, { 0x0E47, 0x0E4E },   { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF }, { 0x200B, 0x200D },
	{ 0x20D0, 0x20F0 }, { 0x302A, 0x302D },   { 0x3099, 0x309A }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
	{ 0xFEFF, 0xFEFF }, { 0xE0100, 0xE01EF },
};

static bool within(uint32_t code, const struct range *v, size_t n)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (code > v[mid].to)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && code >= v[low].from;
}

/* Of the character at s, whose bytes are *n. */
static int width_at(const char *s, size_t *n)
{
	const unsigned char *b = (const unsigned char *)s;
	*n = utf8_len(s, 4);
	if (*n < 2) {
		*n = 1;
		return 1;
	}
	uint32_t code = *n == 2   ? (b[0] & 0x1FU) << 6 | (b[1] & 0x3FU)
	                : *n == 3 ? (b[0] & 0x0FU) << 12 | (b[1] & 0x3FU) << 6 | (b[2] & 0x3FU)
	                          : (b[0] & 0x07U) << 18 | (b[1] & 0x3FU) << 12 | (b[2] & 0x3FU) << 6 | (b[3] & 0x3FU);
	return within(code, none, sizeof none / sizeof *none) ? 0 : within(code, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

int columns_wide(const char *text)
{
	int width = 0;
	for (size_t n; *text; text += n)
		width += width_at(text, &n);
	return width;
}

size_t columns_fitting(const char *text, int width)
{
	const char *at = text;
	for (size_t n; *at; at += n) {
		width -= width_at(at, &n);
		if (width < 0)
			break;
	}
	return (size_t)(at - text);
}

static void blanks(struct str *out, int n)
{
	while (n-- > 0)
		str_addc(out, ' ');
}

void columns_add(struct str *out, const char *text, int width, bool right, bool utf8)
{
	int has = columns_wide(text);
	if (width <= 0)
		return;
	if (has > width) {
		size_t n = columns_fitting(text, width - 1);
		SCOPED(free) char *kept = xstrndup(text, n);
		str_add(out, kept);
		str_add(out, utf8 ? "\xe2\x80\xa6" : "~");
		blanks(out, width - 1 - columns_wide(kept));
		return;
	}
	if (right)
		blanks(out, width - has);
	str_add(out, text);
	if (!right)
		blanks(out, width - has);
}
