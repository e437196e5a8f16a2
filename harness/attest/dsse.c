/* dsse.c - see dsse.h. */
#define _GNU_SOURCE
#include "harness/attest/dsse.h"

#include "harness/text/json_out.h"
#include "model/base/mem.h"

#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void dsse_base64(struct str *dst, const void *data, size_t n)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t x = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0U);
		for (int k = 0; k < 4; k++)
			str_addc(dst, i + (size_t)k > n ? '=' : alphabet[x >> (18 - 6 * k) & 63]);
	}
}

static int digit(char c)
{
	const char *at = c ? strchr(alphabet, c == '-' ? '+' : c == '_' ? '/' : c) : NULL;
	return at ? (int)(at - alphabet) : -1;
}

int dsse_unbase64(struct str *dst, const char *text)
{
	size_t n = strlen(text), end = n;
	while (end > 0 && n - end < 2 && text[end - 1] == '=')
		end--;
	if (n % 4 || end % 4 == 1)
		return -1;
	uint32_t x = 0;
	for (size_t i = 0; i < end; i++) {
		int d = digit(text[i]);
		if (d < 0)
			return -1;
		x = x << 6 | (uint32_t)d;
		if (i % 4) /* the first digit of four completes no byte */
			str_addc(dst, (char)(x >> (2 * (3 - i % 4)) & 255));
	}
	/* bits that no byte holds are zero: one text for one content */
	return end % 4 && x & (end % 4 == 2 ? 15U : 3U) ? -1 : 0;
}

void dsse_pae(struct str *dst, const char *type, const void *payload, size_t n)
{
	str_addf(dst, "DSSEv1 %zu %s %zu ", strlen(type), type, n);
	str_addn(dst, payload, n);
}

void dsse_seal(struct str *dst, const struct signing_key *k, const void *payload, size_t n)
{
	SCOPED(str) struct str text = { 0 };
	SCOPED(str) struct str body = { 0 };
	SCOPED(str) struct str sig = { 0 };
	uint8_t signature[SIGNATURE];
	dsse_pae(&text, DSSE_IN_TOTO, payload, n);
	signing_key_sign(signature, k, text.data, text.len);
	dsse_base64(&body, payload, n);
	dsse_base64(&sig, signature, sizeof signature);
	str_addf(dst, "{\"payloadType\":\"%s\",\"payload\":\"%s\",\"signatures\":[{\"keyid\":\"%s\",\"sig\":\"%s\"}]}",
	         DSSE_IN_TOTO, str_text(&body), k->id, str_text(&sig));
}

static int take(struct dsse *out, json_t *o, struct err *e)
{
	const char *type = json_string_value(json_object_get(o, "payloadType"));
	const char *payload = json_string_value(json_object_get(o, "payload"));
	json_t *list = json_object_get(o, "signatures"), *first = json_array_get(list, 0);
	const char *key = json_string_value(json_object_get(first, "keyid")),
			   *sig = json_string_value(json_object_get(first, "sig"));
	SCOPED(str) struct str bytes = { 0 };
	if (!type || !payload || !sig || !key)
		return err_code(e, EXIT_RECORD, "not a signed envelope (DSSE)");
	if (strcmp(type, DSSE_IN_TOTO) != 0)
		return err_code(e, EXIT_RECORD, "an envelope of '%.60s', not of an in-toto statement", type);
	if (json_array_size(list) != 1)
		return err_code(e, EXIT_RECORD, "an envelope with %zu signatures; one is wanted", json_array_size(list));
	if (strlen(key) != SHA256_HEX - 1 || strspn(key, "0123456789abcdef") != SHA256_HEX - 1)
		return err_code(e, EXIT_RECORD, "an envelope whose key id is not the SHA-256 of a key");
	if (dsse_unbase64(&bytes, sig) || bytes.len != SIGNATURE)
		return err_code(e, EXIT_RECORD, "an envelope whose signature is not one of Ed25519");
	if (dsse_unbase64(&out->payload, payload))
		return err_code(e, EXIT_RECORD, "an envelope whose payload is not base64");
	memcpy(out->key, key, SHA256_HEX);
	memcpy(out->signature, bytes.data, SIGNATURE);
	return 0;
}

int dsse_read(struct dsse *out, const char *text, size_t n, struct err *e)
{
	SCOPED(dsse) struct dsse d = { .key = "" };
	json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	int rc = json_is_object(o) ? take(&d, o, e) : err_code(e, EXIT_RECORD, "not a signed envelope (DSSE): not JSON");
	json_decref(o);
	if (rc)
		return -1;
	*out = d;
	d = (struct dsse){ .key = "" };
	return 0;
}

void dsse_release(struct dsse *d)
{
	str_release(&d->payload);
	*d = (struct dsse){ .key = "" };
}

void scoped_dsse(struct dsse *d)
{
	dsse_release(d);
}

bool dsse_check(const struct dsse *d, const uint8_t public[SIGNING_PUBLIC])
{
	SCOPED(str) struct str text = { 0 };
	char id[SHA256_HEX];
	signing_id(id, public);
	dsse_pae(&text, DSSE_IN_TOTO, d->payload.data, d->payload.len);
	return strcmp(id, d->key) == 0 && signing_check(public, d->signature, text.data, text.len);
}
