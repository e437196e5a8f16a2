/* test_signing_key.c - signatures are those of RFC 8032, and a key file that is not a private key of its owner's alone
 * is refused in one line that says why. */
#define _GNU_SOURCE
#include "harness/attest/signing_key.h"
#include "model/base/io.h"
#include "model/base/mem.h"
#include "tests/common/ok.h"
#include "tests/common/tmpdir.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct err e;

static void unhex(uint8_t *out, const char *hex)
{
	for (size_t i = 0; hex[2 * i]; i++) {
		unsigned x;
		cr_assert_eq(sscanf(hex + 2 * i, "%2x", &x), 1);
		out[i] = (uint8_t)x;
	}
}

/* RFC 8032, section 7.1, tests 1 to 3. */
static const struct {
	const char *seed, *public, *message, *signature;
} vectors[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
	  "24655141438e7a100b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
	  "eeb00d291612bb0c00" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
	  "8dc027beceea1ec40a" },
};

Test(signing_key, rfc_8032)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		uint8_t seed[SIGNING_SEED], public[SIGNING_PUBLIC], message[8], want[SIGNATURE], got[SIGNATURE];
		size_t n = strlen(vectors[i].message) / 2;
		unhex(seed, vectors[i].seed);
		unhex(public, vectors[i].public);
		unhex(message, vectors[i].message);
		unhex(want, vectors[i].signature);
		SCOPED(signing_key) struct signing_key *k = signing_key_of_seed(seed);
		cr_assert_eq(memcmp(k->public, public, sizeof public), 0, "test %zu: public key", i + 1);
		signing_key_sign(got, k, message, n);
		cr_assert_eq(memcmp(got, want, sizeof want), 0, "test %zu: signature", i + 1);
		cr_assert(signing_check(public, want, message, n));
		want[i] ^= 1;
		cr_assert_not(signing_check(public, want, message, n), "test %zu: a changed signature passes", i + 1);
		want[i] ^= 1;
		message[n] = 0;
		cr_assert_not(signing_check(public, want, message, n + 1), "test %zu: a longer message passes", i + 1);
	}
}

Test(signing_key, made_read_and_never_replaced)
{
	const char *path = TMP("a/b/key.pem");
	SCOPED(signing_key) struct signing_key *k = NULL, *again = NULL;
	struct stat st;
	OK(signing_key_make(path, "A. Lice", &e));
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	OK(signing_key_open(&k, path, &e));
	OK(signing_key_open(&again, path, &e));
	cr_assert_str_eq(k->name, "A. Lice");
	cr_assert_str_eq(k->id, again->id);
	cr_assert_eq(signing_key_make(path, "", &e), -1);
	cr_assert(strstr(e.msg, "is there already"), "%s", e.msg);
	cr_assert_eq(signing_key_make(TMP("x.pem"), "two\nlines", &e), -1);
	cr_assert_eq(signing_key_make(TMP("x.pem"), "red \x1b[31m", &e), -1);
	cr_assert_not(io_exists(TMP("x.pem")));
}

static void refused(const char *path, const char *text, size_t n, mode_t mode, const char *why)
{
	struct signing_key *k = NULL;
	OK(io_write_atomic(path, text, n, &e));
	cr_assert_eq(chmod(path, mode), 0);
	e = ERR_INIT;
	cr_assert_eq(signing_key_open(&k, path, &e), -1, "taken, although: %s", why);
	cr_assert_eq(e.code, EXIT_USAGE);
	cr_assert(strstr(e.msg, why), "'%s' does not say: %s", e.msg, why);
	cr_assert(strstr(e.msg, path) && !strchr(e.msg, '\n'));
	cr_assert_null(k);
}

static void refused_pem(const char *path, EVP_PKEY *pkey, const EVP_CIPHER *cipher, const char *why)
{
	char *text;
	BIO *bio = BIO_new(BIO_s_mem());
	cr_assert_eq(PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, "secret", 6, NULL, NULL), 1);
	long n = BIO_get_mem_data(bio, &text);
	refused(path, text, (size_t)n, 0600, why);
	BIO_free(bio);
}

Test(signing_key, what_signs_nothing_is_refused)
{
	const char *path = TMP("key.pem");
	SCOPED(signing_key) struct signing_key *k = NULL;
	SCOPED(str) struct str text = { 0 };
	OK(signing_key_make(path, "", &e));
	OK(io_read(&text, path, 4096, &e));
	OK(signing_key_open(&k, path, &e));
	refused(path, text.data, text.len, 0640, "chmod 600");
	refused(path, text.data, text.len, 0604, "chmod 600");
	refused(path, text.data, text.len / 2, 0600, "damaged");
	refused(path, "no key", 6, 0600, "holds no key");
	refused(path, "", 0, 0600, "holds no key");
	SCOPED(free) char *public = signing_public_pem(k);
	refused(path, public, strlen(public), 0600, "public key, which signs nothing");
	EVP_PKEY *rsa = EVP_RSA_gen(1024);
	refused_pem(path, rsa, NULL, "an RSA key");
	refused_pem(path, k->pkey, EVP_aes_128_cbc(), "is encrypted");
	EVP_PKEY_free(rsa);
	e = ERR_INIT;
	struct signing_key *none = NULL;
	cr_assert_eq(signing_key_open(&none, tmpdir(), &e), -1);
	cr_assert(strstr(e.msg, "not a file"), "%s", e.msg);
}
