/* hidden.c - see hidden.h. */
#define _GNU_SOURCE
#include "harness/record/hidden.h"

#include "harness/record/host.h"
#include "model/base/env.h"
#include "model/base/io.h"
#include "model/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define SALT_DIGITS 16
#define HIDDEN_MARK "sha256:" /* no boot id begins so */

bool hidden_on(void)
{
	const char *set = env_get(ENV_ABLATE_NO_IDENTITY);
	return set && *set && strcmp(set, "0") != 0;
}

void hidden_begin(void)
{
	if (setenv("ABLATE_NO_IDENTITY", "1", 1))
		BUG("setenv failed");
}

const char *hidden_host(void)
{
	return hidden_on() ? NULL : host_name();
}

static void hash_boot(char hex[SHA256_HEX], const char *salt)
{
	struct sha256 h;
	sha256_init(&h);
	sha256_add(&h, salt, SALT_DIGITS);
	sha256_add(&h, host_boot_id(), strlen(host_boot_id()));
	sha256_hex(hex, &h);
}

/* Another salt each time: two attempts cannot be told to be of one machine. */
const char *hidden_boot(char buf[HIDDEN_BOOT])
{
	uint64_t salt;
	char digits[SALT_DIGITS + 1], hex[SHA256_HEX];
	if (!hidden_on() || !*host_boot_id())
		return host_boot_id();
	if (getrandom(&salt, sizeof salt, 0) != (ssize_t)sizeof salt)
		BUG("getrandom gave fewer than %zu bytes", sizeof salt);
	(void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)salt);
	hash_boot(hex, digits);
	(void)snprintf(buf, HIDDEN_BOOT, HIDDEN_MARK "%s:%s", digits, hex);
	return buf;
}

bool hidden_is_this_boot(const char *recorded)
{
	char hex[SHA256_HEX];
	size_t mark = strlen(HIDDEN_MARK);
	if (!recorded || !*recorded || !*host_boot_id())
		return false;
	if (strncmp(recorded, HIDDEN_MARK, mark) != 0)
		return strcmp(recorded, host_boot_id()) == 0;
	if (strlen(recorded) != mark + SALT_DIGITS + 1 + SHA256_HEX - 1)
		return false;
	hash_boot(hex, recorded + mark);
	return strcmp(hex, recorded + mark + SALT_DIGITS + 1) == 0;
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || strchr("._-+@%~", c) || (unsigned char)c >= 128;
}

/* -I/usr/include */
static bool follows_option(const char *text, const char *p)
{
	return p - text >= 2 && isalpha((unsigned char)p[-1]) && p[-2] == '-' && (p - text == 2 || !in_name(p[-3]));
}

/* A path ends at what rarely stands in one. */
static size_t path_length(const char *p)
{
	size_t n = strcspn(p, " \t\n\"'`(),;:<>|*");
	while (n > 1 && (p[n - 1] == '.' || p[n - 1] == '/'))
		n--;
	return n;
}

/* Bytes of p that are this folder and a slash; a blank in its name would else look like the path's end. */
static size_t folder_length(const char *p, const char *folder)
{
	size_t n = folder ? strlen(folder) : 0;
	return n > 1 && strncmp(p, folder, n) == 0 && p[n] == '/' ? n : 0;
}

static void hide(struct str *dst, const char *text, const char *host)
{
	size_t n_host = strlen(host);
	SCOPED(free) char *here = getcwd(NULL, 0);
	for (const char *p = text; *p;) {
		bool begins = p == text || !in_name(p[-1]);
		size_t n = 0;
		if (begins && n_host && strncmp(p, host, n_host) == 0 && !in_name(p[n_host])) {
			str_add(dst, "(host)");
			p += n_host;
			continue;
		}
		if ((begins || follows_option(text, p)) && *p == '/' && (p == text || p[-1] != '/') && in_name(p[1])) {
			n = folder_length(p, here);
			n = n ? n : folder_length(p, env_get(ENV_HOME));
			n += path_length(p + n);
		}
		if (n) {
			const char *last = memrchr(p, '/', n);
			str_addn(dst, last + 1, (size_t)(p + n - last - 1));
			p += n;
		} else
			str_addc(dst, *p++);
	}
}

void hidden_text(struct str *dst, const char *text)
{
	hide(dst, text, strcmp(host_name(), "localhost") == 0 ? "" : host_name());
}

void hidden_paths(struct str *dst, const char *json)
{
	hide(dst, json, "");
}
