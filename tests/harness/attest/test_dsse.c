/* test_dsse.c - envelopes: the encoding that is signed is the specification's, and what was changed is not taken. */
#include "harness/attest/dsse.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct err e;
static const uint8_t seed[SIGNING_SEED] = { 1, 2, 3 };

/* The example of DSSE's protocol. */
Test(dsse, pre_authentication_encoding)
{
	SCOPED(str) struct str s = { 0 };
	dsse_pae(&s, "http://example.com/HelloWorld", "hello world", 11);
	cr_assert_str_eq(str_text(&s), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

/* RFC 4648, chapter 10, and what is not base64. */
Test(dsse, base64)
{
	static const char *const text[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
	static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zm9\n" };
	for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
		SCOPED(str) struct str a = { 0 };
		SCOPED(str) struct str b = { 0 };
		dsse_base64(&a, text[i], strlen(text[i]));
		cr_assert_str_eq(str_text(&a), coded[i]);
		cr_assert_eq(dsse_unbase64(&b, coded[i]), 0);
		cr_assert_str_eq(str_text(&b), text[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		SCOPED(str) struct str b = { 0 };
		cr_assert_eq(dsse_unbase64(&b, bad[i]), -1, "'%s' was taken", bad[i]);
	}
	SCOPED(str) struct str url = { 0 };
	cr_assert_eq(dsse_unbase64(&url, "-_-_"), 0);
	cr_assert_eq(memcmp(url.data, "\xfb\xff\xbf", 3), 0);
}

Test(dsse, sealed_and_read)
{
	SCOPED(signing_key) struct signing_key *k = signing_key_of_seed(seed);
	SCOPED(str) struct str text = { 0 };
	SCOPED(dsse) struct dsse d = { .key = "" };
	dsse_seal(&text, k, "{\"a\":1}", 7);
	OK(dsse_read(&d, text.data, text.len, &e));
	cr_assert_str_eq(str_text(&d.payload), "{\"a\":1}");
	cr_assert_str_eq(d.key, k->id);
	cr_assert(dsse_check(&d, k->public));
	d.payload.data[5] = '2';
	cr_assert_not(dsse_check(&d, k->public), "a changed payload passes");
	d.payload.data[5] = '1';
	cr_assert(dsse_check(&d, k->public));
}

/* An envelope that names one key and is signed by another. */
Test(dsse, another_key)
{
	static const uint8_t other_seed[SIGNING_SEED] = { 4 };
	SCOPED(signing_key) struct signing_key *k = signing_key_of_seed(seed), *other = signing_key_of_seed(other_seed);
	SCOPED(str) struct str text = { 0 };
	SCOPED(dsse) struct dsse d = { .key = "" };
	dsse_seal(&text, other, "x", 1);
	OK(dsse_read(&d, text.data, text.len, &e));
	cr_assert_not(dsse_check(&d, k->public));
	memcpy(d.key, k->id, sizeof d.key);
	cr_assert_not(dsse_check(&d, k->public), "the other's signature passes under this key's id");
	cr_assert_not(dsse_check(&d, other->public), "a signature passes under an id that is not its key's");
}

Test(dsse, what_is_no_envelope)
{
#define KEY "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SIG "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
#define ONE "{\"keyid\":\"" KEY "\",\"sig\":\"" SIG "\"}"
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "not JSON" },
		{ "[]", "not JSON" },
		{ "{}", "not a signed envelope" },
		{ "{\"payloadType\":\"text/plain\",\"payload\":\"\",\"signatures\":[" ONE "]}", "not of an in-toto" },
		{ "{\"payloadType\":\"" DSSE_IN_TOTO "\",\"payload\":\"\",\"signatures\":[]}", "not a signed envelope" },
		{ "{\"payloadType\":\"" DSSE_IN_TOTO "\",\"payload\":\"\",\"signatures\":[" ONE "," ONE "]}", "2 signatures" },
		{ "{\"payloadType\":\"" DSSE_IN_TOTO "\",\"payload\":\"x\",\"signatures\":[" ONE "]}",
		  "payload is not base64" },
		{ "{\"payloadType\":\"" DSSE_IN_TOTO "\",\"payload\":\"\",\"payload\":\"\",\"signatures\":[" ONE "]}",
		  "not JSON" },
		{ "{\"payloadType\":\"" DSSE_IN_TOTO "\",\"payload\":\"\",\"signatures\":[{\"keyid\":\"k\",\"sig\":\"" SIG
		  "\"}]}",
		  "not the SHA-256" },
		{ "{\"payloadType\":\"" DSSE_IN_TOTO "\",\"payload\":\"\",\"signatures\":[{\"keyid\":\"" KEY
		  "\",\"sig\":\"AAAA\"}]}",
		  "not one of Ed25519" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct dsse d = { .key = "untouched" };
		e = ERR_INIT;
		cr_assert_eq(dsse_read(&d, bad[i].text, strlen(bad[i].text), &e), -1, "taken: %s", bad[i].text);
		cr_assert(strstr(e.msg, bad[i].why), "'%s' does not say: %s", e.msg, bad[i].why);
		cr_assert_str_eq(d.key, "untouched");
	}
	struct dsse good = { .key = "" };
	const char *text = "{\"payloadType\":\"" DSSE_IN_TOTO "\",\"payload\":\"\",\"signatures\":[" ONE "]}";
	OK(dsse_read(&good, text, strlen(text), &e));
	dsse_release(&good);
}
