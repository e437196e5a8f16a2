/* picture_place.c - see picture_place.h: which files are pictures. */
#include "metrics/sources/picture_place.h"

#include "model/base/mem.h"
#include "model/base/unread.h"
#include "model/data/image_decode.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void picture_spell(struct str *out, const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name < ' ' || *name == 0x7f)
			str_addf(out, "\\x%02x", (unsigned)(unsigned char)*name);
		else
			str_addc(out, *name);
}

char *picture_item(const struct picture_files *p, const char *name)
{
	struct str text = { 0 };
	picture_spell(&text, p->path);
	str_add(&text, p->place->between);
	picture_spell(&text, name);
	return str_detach(&text);
}

static bool is_hidden(const char *name)
{
	for (const char *part = name; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
		if (*part == '.' || strncmp(part, "__MACOSX/", 9) == 0)
			return true;
	return false;
}

int picture_judge(const struct picture_files *p, const char *name, struct err *e)
{
	int depth = 0;
	if (is_hidden(name))
		return PICTURE_HIDDEN;
	for (const char *c = name; *c; c++)
		depth += *c == '/';
	if (depth > PICTURE_DEPTH) {
		SCOPED(free) char *item = picture_item(p, name);
		return err_set(e, "%s: nested deeper than %d folders", item, PICTURE_DEPTH);
	}
	return image_ending_of(name) == ENDING_READ ? PICTURE_YES : PICTURE_LOOK;
}

/* An archive or a file of arrays, by its ending, or by its first bytes: of CIFAR's pickles only these tell. */
static bool is_packed(const char *name, const uint8_t *head, size_t n)
{
	static const char *const endings[] = { ".tar", ".tgz", ".gz", ".zip", ".npz", ".npy", ".pkl", ".pickle" };
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
		if (strcasecmp(dot, endings[i]) == 0)
			return true;
	return unread_what(head, n) || (n >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5);
}

/* *first becomes the name if it is before the others. */
static void keep_first(char **first, const char *name)
{
	if (*first && strcmp(name, *first) >= 0)
		return;
	free(*first);
	*first = xstrdup(name);
}

int picture_look(struct picture_files *p, bool *yes, const char *name, const uint8_t *head, size_t n, struct err *e)
{
	const struct image_format *f = image_format_of(head, n);
	SCOPED(free) char *item = picture_item(p, name);
	*yes = f != NULL;
	if (f && !f->decode)
		return image_format_refuse(f, item, e);
	if (!f && image_ending_of(name) == ENDING_PICTURE)
		return err_set(e, "%s: not a picture by its first bytes, whatever its ending; remove it or convert it to PNG",
		               item);
	if (f)
		return 0;
	p->n_left_out++;
	keep_first(&p->left_out, name);
	if (is_packed(name, head, n))
		keep_first(&p->packed, name);
	return 0;
}

void picture_add(struct picture_files *p, const char *name, int64_t at, int64_t size)
{
	VEC_PUSH(p->v, p->n, p->cap) = (struct picture_file){ xstrdup(name), at, size };
}

bool picture_is_labels(const char *name)
{
	const char *slash = strrchr(name, '/');
	return strcmp(slash ? slash + 1 : name, PICTURE_LABELS) == 0;
}

void picture_add_labels(struct picture_files *p, const char *name, int64_t at, int64_t size)
{
	VEC_PUSH(p->labels, p->n_labels, p->cap_labels) = (struct picture_file){ xstrdup(name), at, size };
}
