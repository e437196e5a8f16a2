/* signing_key.h - an Ed25519 key (RFC 8032) in a file: PEM (PKCS #8), as `openssl genpkey -algorithm ed25519` makes it,
 * which nobody but its owner may read. A line "name: TEXT" before the PEM is what its owner calls it.
 *
 *     SCOPED(signing_key) struct signing_key *k = NULL;
 *     if (signing_key_find(&k, e)) return -1;          // k stays NULL where the user has none
 *     if (k) signing_key_sign(sig, k, text, n); */
#ifndef ABLATE_SIGNING_KEY_H
#define ABLATE_SIGNING_KEY_H

#include "model/base/err.h"
#include "model/base/sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIGNING_PUBLIC = 32, SIGNING_SEED = 32, SIGNATURE = 64 }; /* bytes */

struct signing_key {
	void *pkey; /* libcrypto's */
	uint8_t public[SIGNING_PUBLIC];
	char id[SHA256_HEX]; /* SHA-256 of the public key: statement.key */
	char *name, *path;   /* name: "" = none */
};

/* Heap text: $ABLATE_KEY, else $XDG_CONFIG_HOME/ablate/key.pem, else ~/.config/ablate/key.pem. NULL: $ABLATE_KEY is
 * "none", or there is no home. */
char *signing_key_path(void);
/* The key of that file; EXIT_USAGE for one that is not there, that others may read, or that signs nothing: a public
 * key, another kind, an encrypted or a damaged one. */
MUST_CHECK int signing_key_open(struct signing_key **out, const char *path, struct err *e);
/* The user's key: *out stays NULL where there is none, which is no error unless $ABLATE_KEY names it. */
MUST_CHECK int signing_key_find(struct signing_key **out, struct err *e);
/* A new key into a file that must not be there, mode 0600, folders made; name "" = none. */
MUST_CHECK int signing_key_make(const char *path, const char *name, struct err *e);
/* The key of the 32 bytes that RFC 8032 calls the private key. */
struct signing_key *signing_key_of_seed(const uint8_t seed[SIGNING_SEED]);
void signing_key_free(struct signing_key *k); /* accepts NULL */
void scoped_signing_key(struct signing_key **k);

/* Always the same signature of the same bytes. */
void signing_key_sign(uint8_t out[SIGNATURE], const struct signing_key *k, const void *data, size_t n);
bool signing_check(const uint8_t public[SIGNING_PUBLIC], const uint8_t signature[SIGNATURE], const void *data,
                   size_t n);
/* SHA-256 of a public key, and the key as PEM for other programs (heap text). */
void signing_id(char id[SHA256_HEX], const uint8_t public[SIGNING_PUBLIC]);
char *signing_public_pem(const struct signing_key *k);

#endif
