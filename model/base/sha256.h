/* sha256.h - SHA-256 of bytes that come in pieces; io.h has it for a buffer and a file. */
#ifndef ABLATE_SHA256_H
#define ABLATE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX 65 /* 64 lower-case digits and a NUL */

/* Plain data: a copy continues independently, and nothing has to be freed. */
struct sha256 {
	uint32_t state[28];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t n);
void sha256_hex(char hex[SHA256_HEX], struct sha256 *h); /* ends it: h must be initialised again before reuse */

#endif
