/* extractor_command.c - see extractor_command.h. */
#define _GNU_SOURCE
#include "metrics/features/extractor_command.h"

#include "metrics/features/command_pipe.h"
#include "model/base/env.h"
#include "model/base/identity.h"
#include "model/base/mem.h"
#include "model/base/str.h"
#include "model/graph/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLANKS " \t\n"

enum { TEXT_DIGITS = 12, COMMAND_BATCH = 64 };

struct command {
	char *text, *cut; /* as given, and the same with a NUL behind each word */
	char **argv;      /* into cut; ends with NULL */
	char label[EXTRACTOR_LABEL_MAX];
	char name[COMMAND_NAME_MAX]; /* that the first start said */
	struct command_pipe pipe;
	struct command_listener listener;
	struct str request;
};

bool extractor_is_command(const char *name)
{
	return strncmp(name, EXTRACTOR_COMMAND, strlen(EXTRACTOR_COMMAND)) == 0;
}

static const char *text_of(const char *name)
{
	return name + strlen(EXTRACTOR_COMMAND);
}

/* The words of cut, which is changed; heap, ends with NULL. */
static char **split(char *cut)
{
	char **words = NULL, *word, *rest = cut;
	int n = 0, cap = 0;
	while (*(word = rest + strspn(rest, BLANKS))) {
		rest = word + strcspn(word, BLANKS);
		if (*rest)
			*rest++ = '\0';
		VEC_PUSH(words, n, cap) = word;
	}
	VEC_PUSH(words, n, cap) = NULL;
	return words;
}

const char *extractor_label(char buf[EXTRACTOR_LABEL_MAX], const char *name)
{
	char hex[SHA256_HEX];
	if (!extractor_is_command(name)) {
		(void)snprintf(buf, EXTRACTOR_LABEL_MAX, "%s", name);
		return buf;
	}
	io_sha256(hex, text_of(name), strlen(text_of(name)));
	(void)snprintf(buf, EXTRACTOR_LABEL_MAX, EXTRACTOR_COMMAND "%.*s", TEXT_DIGITS, hex);
	return buf;
}

char *extractor_identity(const char *name)
{
	SCOPED(str) struct str s = { 0 };
	str_add(&s, name);
	if (!extractor_is_command(name))
		return str_detach(&s);
	SCOPED(free) char *cut = xstrdup(text_of(name));
	SCOPED(free) char **words = split(cut);
	for (char **word = words; *word; word++) {
		char hex[SHA256_HEX];
		if (io_exists(*word) && !io_is_dir(*word) && !io_is_special(*word) && !identity_of_file(hex, *word, NULL))
			str_addf(&s, "\n%s %s", *word, hex);
	}
	return str_detach(&s);
}

/* Along PATH as execvp looks, without its fallbacks. */
static bool on_path(const char *program)
{
	const char *path = env_get(ENV_PATH);
	for (const char *at = path ? path : ""; *at;) {
		size_t n = strcspn(at, ":");
		SCOPED(free) char *file = xstrfmt("%.*s/%s", n ? (int)n : 1, n ? at : ".", program);
		if (access(file, X_OK) == 0 && !io_is_dir(file))
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

int extractor_command_check(const char *name, struct err *e)
{
	SCOPED(free) char *cut = xstrdup(text_of(name));
	SCOPED(free) char **words = split(cut);
	if (!words[0])
		return err_code(e, EXIT_USAGE, "extractor '%s': names no program; write command:PROGRAM ARGS", name);
	bool is_path = strchr(words[0], '/') != NULL;
	if (is_path ? access(words[0], X_OK) || io_is_dir(words[0]) : !on_path(words[0]))
		return err_set(e, "extractor '%s': %s is no program that can be run%s", name, words[0],
		               is_path ? "" : " (it is not in PATH; a file here is ./FILE)");
	return 0;
}

/* ---- pictures to features ---- */

static int start(struct command *c, struct err *e)
{
	int dim = c->pipe.dim;
	if (command_pipe_start(&c->pipe, c->text, c->argv, &c->listener, e))
		return -1;
	if (*c->name && (dim != c->pipe.dim || strcmp(c->name, c->pipe.name) != 0))
		return err_set(e, "command '%s': says '%d %s' now, and said '%d %s' before", c->text, c->pipe.dim, c->pipe.name,
		               dim, c->name);
	memcpy(c->name, c->pipe.name, sizeof c->name);
	return 0;
}

static void add_picture(struct str *s, const struct image_u8 *im)
{
	size_t n = (size_t)im->h * (size_t)im->w;
	if (im->c == 3)
		str_addn(s, im->px, 3 * n);
	for (size_t i = 0; im->c != 3 && i < n; i++)
		str_addn(s, (const uint8_t[]){ im->px[i], im->px[i], im->px[i] }, 3);
}

/* Pictures of one size, which a batch mostly is, are one request. */
static int command_features(struct extractor *x, float *features, float *logits, float *spatial,
                            const struct image_u8 *images, int n, struct err *e)
{
	(void)logits;
	(void)spatial;
	struct command *c = x->self;
	if (!c->pipe.pid && start(c, e))
		return -1;
	for (int i = 0, k; i < n; i += k) {
		for (k = 1; i + k < n && images[i + k].h == images[i].h && images[i + k].w == images[i].w;)
			k++;
		c->request.len = 0;
		str_addf(&c->request, "%d %d %d 3\n", k, images[i].h, images[i].w);
		for (int j = 0; j < k; j++)
			add_picture(&c->request, &images[i + j]);
		if (command_pipe_ask(&c->pipe, features + (size_t)i * (size_t)x->dim, (int64_t)k * x->dim, c->request.data,
		                     c->request.len, e))
			return -1;
	}
	return 0;
}

static int command_finish(struct extractor *x, struct err *e)
{
	struct command *c = x->self;
	return c->pipe.pid ? command_pipe_finish(&c->pipe, e) : 0;
}

static void command_free(struct extractor *x)
{
	struct command *c = x->self;
	command_pipe_stop(&c->pipe);
	str_release(&c->request);
	free(c->argv);
	free(c->cut);
	free(c->text);
	free(c);
	free(x);
}

static int refuse_options(const char *name, const struct extractor_options *o, struct err *e)
{
	if (o->weights)
		return err_code(e, EXIT_USAGE, "%s: '%s' has weights of its own; name them in the command", o->weights, name);
	if (o->bf16 || o->resize)
		return err_code(e, EXIT_USAGE, "'%s' gets the pictures as they are: no bf16 and no resize", name);
	return 0;
}

int extractor_command_open(struct extractor **out, const char *name, const struct extractor_options *o, struct err *e)
{
	if (refuse_options(name, o, e) || extractor_command_check(name, e))
		return -1;
	struct command *c = xcalloc(1, sizeof *c);
	struct extractor *x = xcalloc(1, sizeof *x);
	c->text = xstrdup(text_of(name));
	c->cut = xstrdup(c->text);
	c->argv = split(c->cut);
	c->listener = (struct command_listener){ o->say, o->say_ctx };
	*x = (struct extractor){ .name = extractor_label(c->label, name),
		                     .resize = c->name,
		                     .numerics = dtype_name(DTYPE_FP32),
		                     .batch = o->batch ? o->batch : COMMAND_BATCH,
		                     .features = command_features,
		                     .finish = command_finish,
		                     .free = command_free,
		                     .self = c };
	SCOPED(free) char *identity = extractor_identity(name); /* of the files as they are before it starts */
	if (start(c, e)) {
		command_free(x);
		return -1;
	}
	x->dim = c->pipe.dim;
	SCOPED(free) char *text = xstrfmt("%s\n%s", c->name, identity);
	io_sha256(x->weights_sha256, text, strlen(text));
	*out = x;
	return 0;
}
