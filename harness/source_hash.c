/* source_hash.c - a tool of the build, not of the program: one SHA-256 over the sources that are named, by what a
 * compiler makes of them. Comments, blanks and line breaks do not count; nor do texts for people: a string literal that
 * is given to a member named in `help`. Everything else does, messages of errors among it, and each file's path as it
 * is given.
 *
 *     source_hash FILE...      paths from the working folder, the root of the source tree; 64 hex digits on stdout */
#include <ctype.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Members of tables that hold a text for people and nothing else. */
static const char *const help[] = { "text", "source", "unit", "help", "summary" };

enum { SIZE_MAX_MIB = 64 };

/* What is left of a file, and what was written last. */
struct kept {
	char *out;
	size_t n;
	bool blank, line; /* a blank, or the end of a directive, since then */
	bool directive;   /* in a line that begins with # */
};

static bool of_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool of_operator(char c)
{
	return c && strchr("+-&|<>=*/!%^~.:#", c);
}

static void keep(struct kept *k, const char *from, size_t n)
{
	char last = k->n ? k->out[k->n - 1] : '\n';
	if (k->line && last != '\n')
		k->out[k->n++] = '\n';
	else if (k->blank &&
	         (k->directive || (of_word(last) && of_word(*from)) || (of_operator(last) && of_operator(*from))))
		k->out[k->n++] = ' ';
	k->blank = k->line = false;
	memcpy(k->out + k->n, from, n);
	k->n += n;
}

/* Length of the comment, blank or spliced line break at s; 0 = there is none. */
static size_t blank_at(const char *s)
{
	if (s[0] == '/' && s[1] == '*') {
		const char *end = strstr(s + 2, "*/");
		return end ? (size_t)(end + 2 - s) : strlen(s);
	}
	if (s[0] == '/' && s[1] == '/')
		return strcspn(s, "\n");
	if (s[0] == '\\' && s[1] == '\n')
		return 2;
	return s[0] && s[0] != '\n' && isspace((unsigned char)s[0]);
}

static size_t literal_at(const char *s)
{
	char quote = *s;
	size_t n = 1;
	if (quote != '"' && quote != '\'')
		return 0;
	while (s[n] && s[n] != quote && s[n] != '\n')
		n += s[n] == '\\' && s[n + 1] ? 2 : 1;
	return n + (s[n] == quote);
}

static const char *after_blanks(const char *s)
{
	for (size_t n; (n = *s == '\n' ? 1 : blank_at(s));)
		s += n;
	return s;
}

/* Behind `.help = "..." "..."`, where s is at such a member's point; else s. */
static const char *after_help(const char *s)
{
	for (size_t i = 0; i < sizeof help / sizeof *help; i++) {
		size_t n = strlen(help[i]);
		if (strncmp(s + 1, help[i], n) != 0 || of_word(s[n + 1]))
			continue;
		const char *at = after_blanks(s + n + 1), *end = NULL;
		for (at = *at == '=' ? after_blanks(at + 1) : at; *at == '"'; at = after_blanks(at))
			end = at += literal_at(at);
		return end ? end : s;
	}
	return s;
}

/* out: room for the text and a line break for each of its characters. */
static void reduce(struct kept *k, const char *s)
{
	bool begins = true; /* nothing but blanks in this line yet */
	while (*s) {
		size_t n = blank_at(s);
		if (n) {
			k->blank = true;
			s += n;
			continue;
		}
		if (*s == '\n') {
			k->line = k->line || k->directive;
			k->directive = false;
			k->blank = begins = true;
			s++;
			continue;
		}
		if (begins && *s == '#') {
			k->line = true;
			keep(k, s++, 1);
			k->directive = true;
			begins = false;
			continue;
		}
		begins = false;
		const char *past = *s == '.' && !k->directive ? after_help(s) : s;
		if (past != s) {
			s = past;
			continue;
		}
		n = literal_at(s);
		if (!n)
			for (n = 1; of_word(s[0]) && of_word(s[n]); n++)
				;
		keep(k, s, n);
		s += n;
	}
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t cap = (size_t)SIZE_MAX_MIB << 20, n = 0, room = 1 << 16;
	char *text = malloc(room + 1);
	while (f && text && n < cap) {
		size_t got = fread(text + n, 1, room - n, f);
		n += got;
		if (!got)
			break;
		if (n == room)
			text = realloc(text, (room *= 2) + 1);
	}
	if (!f || !text || ferror(f) || n >= cap || memchr(text, '\0', n)) {
		(void)fprintf(stderr, "source_hash: %s: cannot be read as a source\n", path);
		exit(1);
	}
	(void)fclose(f);
	text[n] = '\0';
	return text;
}

static void add(EVP_MD_CTX *sha, const void *data, size_t n)
{
	if (EVP_DigestUpdate(sha, data, n) != 1) {
		(void)fprintf(stderr, "source_hash: libcrypto cannot hash\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	if (!sha || EVP_DigestInit_ex(sha, EVP_sha256(), NULL) != 1) {
		(void)fprintf(stderr, "source_hash: libcrypto has no SHA-256\n");
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		char *text = read_file(argv[i]);
		struct kept k = { .out = malloc(2 * strlen(text) + 2) };
		if (!k.out)
			return 1;
		reduce(&k, text);
		add(sha, argv[i], strlen(argv[i]) + 1);
		add(sha, k.out, k.n);
		add(sha, "", 1);
		free(k.out);
		free(text);
	}
	if (EVP_DigestFinal_ex(sha, digest, &size) != 1)
		return 1;
	EVP_MD_CTX_free(sha);
	for (unsigned i = 0; i < size; i++)
		(void)printf("%02x", digest[i]);
	return fflush(stdout) || putchar('\n') == EOF;
}
