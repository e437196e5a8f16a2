/* protocol.c - see protocol.h. */
#include "metrics/features/protocol.h"

#include "model/graph/backend.h"

#include <stdio.h>
#include <string.h>

char *protocol_features(char *buf, const struct extractor *x, const char *pixels)
{
	char weights[16] = "";
	bool plain = strcmp(x->numerics, dtype_name(DTYPE_FP32)) == 0;
	if (x->weights_sha256[0] && !x->published)
		(void)snprintf(weights, sizeof weights, "@%.8s", x->weights_sha256);
	char name[64];
	(void)snprintf(name, sizeof name, "%s", x->name);
	for (char *p = name; *p; p++)
		*p = *p == ':' ? '-' : *p; /* between the parts of a protocol */
	(void)snprintf(buf, PROTOCOL_TEXT, "%s%s:%s:%s%s%s", name, weights, x->resize, pixels, plain ? "" : ":",
	               plain ? "" : x->numerics);
	return buf;
}

char *protocol_drawn(char *buf, int64_t whole, uint32_t seed)
{
	(void)snprintf(buf, PROTOCOL_DRAWN, "of%lld-seed%lu", (long long)whole, (unsigned long)seed);
	return buf;
}

char *protocol_text(char *buf, const char *metric, const char *features, int64_t n, const char *ref_sha256)
{
	return protocol_text_of(buf, metric, features, n, "", ref_sha256);
}

char *protocol_text_of(char *buf, const char *metric, const char *features, int64_t n, const char *drawn,
                       const char *ref_sha256)
{
	int at = snprintf(buf, PROTOCOL_TEXT, "%s:%s:n", metric, *features ? features : "unknown");
	size_t used = at < 0 || at >= PROTOCOL_TEXT ? PROTOCOL_TEXT - 1 : (size_t)at;
	if (n)
		at = snprintf(buf + used, PROTOCOL_TEXT - used, "%lld%s", (long long)n, drawn);
	else
		at = snprintf(buf + used, PROTOCOL_TEXT - used, "?");
	used += used + (size_t)at < PROTOCOL_TEXT ? (size_t)at : 0;
	if (ref_sha256 && *ref_sha256)
		(void)snprintf(buf + used, PROTOCOL_TEXT - used, ":ref=%.*s", PROTOCOL_REF, ref_sha256);
	return buf;
}

/* The "-mixed" of a protocol, NULL if it has none: the end of a part. */
static const char *mixed_in(const char *text)
{
	static const char mark[] = "-mixed";
	for (const char *p = strstr(text, mark); p; p = strstr(p + 1, mark))
		if (p[sizeof mark - 1] == ':' || p[sizeof mark - 1] == '\0')
			return p;
	return NULL;
}

const char *protocol_of_both(const char *a, const char *b)
{
	return !*a || (*b && mixed_in(b) && !mixed_in(a)) ? b : a;
}

/* The same but for "-mixed"? */
static bool are_alike(const char *a, const char *b)
{
	const char *in_a = mixed_in(a), *in_b = mixed_in(b);
	size_t n = strlen("-mixed"), a_before = in_a ? (size_t)(in_a - a) : strlen(a),
		   b_before = in_b ? (size_t)(in_b - b) : strlen(b);
	char plain_a[PROTOCOL_TEXT], plain_b[PROTOCOL_TEXT];
	(void)snprintf(plain_a, sizeof plain_a, "%.*s%s", (int)a_before, a, in_a ? in_a + n : "");
	(void)snprintf(plain_b, sizeof plain_b, "%.*s%s", (int)b_before, b, in_b ? in_b + n : "");
	return strcmp(plain_a, plain_b) == 0;
}

int protocol_check(const char *a, const char *a_name, const char *b, const char *b_name, struct err *e)
{
	if (!*a || !*b || are_alike(a, b))
		return 0;
	return err_code(e, EXIT_RECORD,
	                "%s has the protocol %s and %s has %s: numbers of different protocols are not comparable", a_name,
	                a, b_name, b);
}
