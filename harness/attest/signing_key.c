/* signing_key.c - see signing_key.h. */
#define _GNU_SOURCE
#include "harness/attest/signing_key.h"

#include "harness/text/escape.h"
#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BYTES_MAX 65536
#define NAME_MAX_LEN  200
#define NAME_LINE     "name: "

char *signing_key_path(void)
{
	const char *own = env_get(ENV_ABLATE_KEY);
	if (own && *own)
		return strcmp(own, "none") == 0 ? NULL : xstrdup(own);
	return io_config_file("key.pem");
}

void signing_id(char id[SHA256_HEX], const uint8_t public[SIGNING_PUBLIC])
{
	io_sha256(id, public, SIGNING_PUBLIC);
}

static struct signing_key *key_of(EVP_PKEY *pkey)
{
	struct signing_key *k = xcalloc(1, sizeof *k);
	size_t n = SIGNING_PUBLIC;
	k->pkey = pkey;
	if (EVP_PKEY_get_raw_public_key(pkey, k->public, &n) != 1 || n != SIGNING_PUBLIC)
		BUG("an Ed25519 key has no public key");
	signing_id(k->id, k->public);
	k->name = xstrdup("");
	k->path = xstrdup("");
	return k;
}

struct signing_key *signing_key_of_seed(const uint8_t seed[SIGNING_SEED])
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGNING_SEED);
	if (!pkey)
		BUG("libcrypto makes no Ed25519 key of %d bytes", SIGNING_SEED);
	return key_of(pkey);
}

void signing_key_free(struct signing_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	free(k->name);
	free(k->path);
	free(k);
}

void scoped_signing_key(struct signing_key **k)
{
	signing_key_free(*k);
}

/* --- reading --- */

static int read_private(struct str *text, const char *path, struct err *e)
{
	struct stat st;
	SCOPED(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st))
		return err_code(e, EXIT_USAGE, "%s: cannot read the signing key: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_code(e, EXIT_USAGE, "%s: not a file, so not a signing key", path);
	if (st.st_mode & 077)
		return err_code(e, EXIT_USAGE,
		                "%s: others than its owner may read or write this key (mode %04o): `chmod 600 %s`, and make "
		                "another one if somebody did",
		                path, (unsigned)st.st_mode & 07777, path);
	if (st.st_size > KEY_BYTES_MAX)
		return err_code(e, EXIT_USAGE, "%s: too large for a key", path);
	if (io_read(text, path, KEY_BYTES_MAX, e)) {
		if (e)
			e->code = EXIT_USAGE;
		return -1;
	}
	return 0;
}

/* Instead of asking the terminal. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
	(void)buf, (void)size, (void)writing, (void)ctx;
	return -1;
}

/* Why libcrypto finds no private key in the text. */
static const char *why_none(const char *text)
{
	static const struct {
		const char *has, *why;
	} known[] = {
		{ "ENCRYPTED", "is encrypted, which is not supported: `openssl pkey -in FILE` writes it without a password" },
		{ "-BEGIN OPENSSH PRIVATE KEY", "is a key of OpenSSH; `ablate key new` makes one of its own" },
		{ "-BEGIN PUBLIC KEY", "is a public key, which signs nothing" },
		{ "-BEGIN CERTIFICATE", "is a certificate, which signs nothing" },
	};
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(text, known[i].has))
			return known[i].why;
	return strstr(text, "BEGIN") ? "is damaged: not the PEM of a private key"
	                             : "holds no key: a private Ed25519 key as PEM is wanted, as `ablate key new` makes it";
}

static void take_name(struct signing_key *k, const char *text)
{
	const char *pem = strstr(text, "-----BEGIN"), *at = strncmp(text, NAME_LINE, strlen(NAME_LINE)) == 0 ? text : NULL;
	if (!at && (at = strstr(text, "\n" NAME_LINE)))
		at++;
	if (!at || at > pem)
		return;
	at += strlen(NAME_LINE);
	size_t n = strcspn(at, "\r\n");
	free(k->name);
	k->name = xstrndup(at, n < NAME_MAX_LEN ? n : NAME_MAX_LEN);
}

int signing_key_open(struct signing_key **out, const char *path, struct err *e)
{
	SCOPED(str) struct str text = { 0 };
	if (read_private(&text, path, e))
		return -1;
	BIO *bio = BIO_new_mem_buf(str_text(&text), (int)text.len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	BIO_free(bio);
	ERR_clear_error();
	int rc = 0;
	if (!pkey)
		rc = err_code(e, EXIT_USAGE, "%s: %s", path, why_none(str_text(&text)));
	else if (EVP_PKEY_id(pkey) != EVP_PKEY_ED25519) {
		const char *kind = EVP_PKEY_get0_type_name(pkey);
		rc = err_code(e, EXIT_USAGE, "%s: is an %s key; statements are signed with Ed25519 (`ablate key new`)", path,
		              kind ? kind : "unknown kind of");
		EVP_PKEY_free(pkey);
	} else {
		*out = key_of(pkey);
		take_name(*out, str_text(&text));
		free((*out)->path);
		(*out)->path = xstrdup(path);
	}
	OPENSSL_cleanse(text.data, text.len);
	return rc;
}

int signing_key_find(struct signing_key **out, struct err *e)
{
	const char *own = env_get(ENV_ABLATE_KEY);
	SCOPED(free) char *path = signing_key_path();
	if (!path || ((!own || !*own) && !io_exists(path)))
		return 0;
	return signing_key_open(out, path, e);
}

/* --- writing --- */

/* Whole or not at all, and never in the place of another key. */
static int put_private(const char *path, const char *text, size_t n, struct err *e)
{
	SCOPED(free) char *tmp = NULL;
	SCOPED(fd) int fd = io_temporary(&tmp, path, 0600, e);
	if (fd < 0)
		return -1;
	int rc = io_write_all(fd, text, n, tmp, e);
	if (!rc && fsync(fd))
		rc = err_set(e, "%s: cannot sync: %s", tmp, strerror(errno));
	if (!rc && link(tmp, path))
		rc = errno == EEXIST
		         ? err_code(e, EXIT_USAGE, "%s: is there already; a key is never replaced: move it away first", path)
		         : err_set(e, "%s: cannot create: %s", path, strerror(errno));
	(void)unlink(tmp);
	return rc;
}

static int make_folder(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	SCOPED(free) char *dir = slash && slash > path ? xstrndup(path, (size_t)(slash - path)) : NULL;
	return dir ? io_mkdirs(dir, e) : 0;
}

int signing_key_make(const char *path, const char *name, struct err *e)
{
	uint8_t seed[SIGNING_SEED];
	if (strlen(name) > NAME_MAX_LEN || escape_has_control(name) || strstr(name, "-----"))
		return err_code(e, EXIT_USAGE, "a key's name is one line of at most %d bytes, without control characters",
		                NAME_MAX_LEN);
	if (make_folder(path, e))
		return -1;
	if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		BUG("getrandom gave fewer than %d bytes", SIGNING_SEED);
	SCOPED(signing_key) struct signing_key *k = signing_key_of_seed(seed);
	OPENSSL_cleanse(seed, sizeof seed);
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem = NULL;
	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1)
		BUG("libcrypto writes no PEM");
	size_t n = (size_t)BIO_get_mem_data(bio, &pem);
	SCOPED(str) struct str text = { 0 };
	if (*name)
		str_addf(&text, NAME_LINE "%s\n", name);
	str_addn(&text, pem, n);
	OPENSSL_cleanse(pem, n);
	BIO_free(bio);
	int rc = put_private(path, text.data, text.len, e);
	OPENSSL_cleanse(text.data, text.len);
	return rc;
}

/* --- signatures --- */

void signing_key_sign(uint8_t out[SIGNATURE], const struct signing_key *k, const void *data, size_t n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = SIGNATURE;
	if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) != 1 ||
	    EVP_DigestSign(ctx, out, &size, data, n) != 1 || size != SIGNATURE)
		BUG("libcrypto does not sign");
	EVP_MD_CTX_free(ctx);
}

bool signing_check(const uint8_t public[SIGNING_PUBLIC], const uint8_t signature[SIGNATURE], const void *data, size_t n)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, SIGNING_PUBLIC);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	            EVP_DigestVerify(ctx, signature, SIGNATURE, data, n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return good;
}

char *signing_public_pem(const struct signing_key *k)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem = NULL;
	if (!bio || PEM_write_bio_PUBKEY(bio, k->pkey) != 1)
		BUG("libcrypto writes no PEM");
	size_t n = (size_t)BIO_get_mem_data(bio, &pem);
	char *text = xstrndup(pem, n);
	BIO_free(bio);
	return text;
}
