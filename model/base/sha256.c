/* sha256.c - see sha256.h. OpenSSL's, which uses the processor's own instructions; by its older interface, whose state
 * is plain data. */
#include "model/base/sha256.h"

#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256) && _Alignof(SHA256_CTX) <= _Alignof(struct sha256),
               "a state has room");

/* These three cannot fail: they always return 1. */
void sha256_init(struct sha256 *h)
{
	(void)SHA256_Init((SHA256_CTX *)(void *)h->state);
}

void sha256_add(struct sha256 *h, const void *data, size_t n)
{
	(void)SHA256_Update((SHA256_CTX *)(void *)h->state, data, n);
}

void sha256_hex(char hex[SHA256_HEX], struct sha256 *h)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SHA256_DIGEST_LENGTH];
	(void)SHA256_Final(digest, (SHA256_CTX *)(void *)h->state);
	for (size_t i = 0; i < sizeof digest; i++) {
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	hex[SHA256_HEX - 1] = '\0';
}
