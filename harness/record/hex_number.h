/* hex_number.h - a number as printf's %a writes it: metric.hex. */
#ifndef ABLATE_HEX_NUMBER_H
#define ABLATE_HEX_NUMBER_H

#include <stdbool.h>
#include <stdlib.h>

/* False where the text is NULL or not one whole number. */
static inline bool number_of_hex(double *out, const char *text)
{
	char *end = NULL;
	*out = text ? strtod(text, &end) : 0;
	return end && end != text && !*end;
}

#endif
