/* imported.c - see imported.h. */
#include "metrics/weights/imported.h"

#include "model/base/mem.h"
#include "model/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool imported_read(struct imported *out, const char *path)
{
	SCOPED(str) struct str text = { 0 };
	int used = 0;
	return !io_read(&text, path, 4096, NULL) &&
	       sscanf(str_text(&text), "%64[0-9a-f] %64[0-9a-f]\n%n", out->source, out->content, &used) == 2 &&
	       (size_t)used == text.len && strlen(out->source) == SHA256_HEX - 1 && strlen(out->content) == SHA256_HEX - 1;
}

int imported_write(const char *path, const struct imported *in, struct err *e)
{
	SCOPED(free) char *text = xstrfmt("%s %s\n", in->source, in->content);
	return io_write_atomic(path, text, strlen(text), e);
}
