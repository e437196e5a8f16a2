/* dsse.h - the signing envelope of in-toto (DSSE v1.0): JSON text with a payload, its type, and a signature over both.
 *
 *     {"payloadType":TYPE,"payload":BASE64,"signatures":[{"keyid":HEX,"sig":BASE64}]}
 *
 * What is signed is the pre-authentication encoding of type and payload, so that a payload of one kind is never taken
 * for one of another: "DSSEv1 LEN(type) type LEN(payload) payload" with lengths in decimal.
 * Source: secure-systems-lab/dsse, its protocol and its envelope. */
#ifndef ABLATE_DSSE_H
#define ABLATE_DSSE_H

#include "harness/attest/signing_key.h"
#include "model/base/str.h"

#define DSSE_IN_TOTO "application/vnd.in-toto+json"

/* Appends the bytes that are signed. */
void dsse_pae(struct str *dst, const char *type, const void *payload, size_t n);
/* Appends the envelope of a payload of type DSSE_IN_TOTO, one line without a newline. */
void dsse_seal(struct str *dst, const struct signing_key *k, const void *payload, size_t n);

/* An envelope that was read. */
struct dsse {
	struct str payload; /* decoded; may hold any bytes */
	char key[SHA256_HEX];
	uint8_t signature[SIGNATURE];
};
/* One that is no envelope of ours (another type, several signatures, a key id that is no SHA-256): EXIT_RECORD. *out is
 * untouched then; else dsse_release. No signature is checked here. */
MUST_CHECK int dsse_read(struct dsse *out, const char *text, size_t n, struct err *e);
void dsse_release(struct dsse *d);
void scoped_dsse(struct dsse *d);
/* Is its signature over its payload, by that public key, and is that the key that it names? */
bool dsse_check(const struct dsse *d, const uint8_t public[SIGNING_PUBLIC]);

/* Base64 of RFC 4648, chapter 4, with padding; and back, where both alphabets are taken. -1: it is not base64. */
void dsse_base64(struct str *dst, const void *data, size_t n);
MUST_CHECK int dsse_unbase64(struct str *dst, const char *text);

#endif
