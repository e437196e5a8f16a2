/* source_item.c - what the kinds of sources share: which files are pictures, and the names of pictures. See
 * sources.h. */
#include "metrics/sources/sources.h"

#include <string.h>

enum source_name source_judge_name(const char *name)
{
	static const char *const read[] = { "png", "jpg", "jpeg", "tif", "tiff", "webp" };
	static const char *const refused[] = { "bmp", "pgm", "ppm" };
	const char *base = strrchr(name, '/');
	base = base ? base + 1 : name;
	const char *dot = strrchr(base, '.');
	if (base[0] == '.' || base[0] == '\0')
		return SOURCE_SKIP_QUIETLY;
	for (size_t i = 0; dot && i < sizeof read / sizeof *read; i++)
		if (strcmp(dot + 1, read[i]) == 0)
			return SOURCE_IMAGE;
	for (size_t i = 0; dot && i < sizeof refused / sizeof *refused; i++)
		if (strcmp(dot + 1, refused[i]) == 0)
			return SOURCE_REFUSE;
	return SOURCE_SKIP_WITH_NOTE;
}

char *source_item(const struct source *s, int64_t i)
{
	struct str name = { 0 };
	s->kind->item(s, i, &name);
	return str_detach(&name);
}
