/* weights_file.c - see weights_file.h. */
#include "model/formats/weights_file.h"

#include "model/base/mem.h"
#include "model/base/unread.h"
#include "model/formats/pth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weights_file_own {
	struct pth *pth; /* a checkpoint: `view` shows its tensors */
	struct safetensors view;
	char *path;
	struct safetensors *file; /* or a safetensors file */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct st_tensor *)a)->name, ((const struct st_tensor *)b)->name);
}

/* By the first bytes. A safetensors file begins with its header's length, which may look like the start of a pickle
 * (one in 32 of the lengths that are multiples of 8 does) or of "PK": after it comes the header, an object, which a
 * checkpoint never has there. */
static int is_checkpoint(bool *out, const char *path, struct err *e)
{
	SCOPED(file) FILE *f = fopen(path, "rbe");
	unsigned char head[9] = { 0 };
	if (!f)
		return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	size_t n = fread(head, 1, sizeof head, f);
	bool object = n == sizeof head && head[8] == '{' && !(head[4] | head[5] | head[6] | head[7]);
	*out = n >= 2 && !object && (head[0] == 0x80 || (head[0] == 'P' && head[1] == 'K'));
	return 0;
}

int weights_file_open(struct weights_file **out, const char *path, struct err *e)
{
	bool checkpoint = false;
	struct pth *pth = NULL;
	struct safetensors *file = NULL;
	if (io_is_special(path))
		return err_set(e, "%s: not a regular file", path);
	if (unread_refuse(path, e) || is_checkpoint(&checkpoint, path, e) ||
	    (checkpoint ? pth_open(&pth, path, e) : safetensors_open(&file, path, e)))
		return -1;
	struct weights_file *w = xcalloc(1, sizeof *w);
	w->own = xcalloc(1, sizeof *w->own);
	*w->own = (struct weights_file_own){ .pth = pth, .file = file };
	w->st = file;
	if (pth) {
		qsort(pth->tensors, pth->n_tensors, sizeof *pth->tensors, by_name);
		w->own->path = xstrdup(path);
		w->own->view =
			(struct safetensors){ .path = w->own->path, .tensors = pth->tensors, .n_tensors = pth->n_tensors };
		w->st = &w->own->view;
	}
	*out = w;
	return 0;
}

void weights_file_free(struct weights_file *w)
{
	if (!w)
		return;
	pth_free(w->own->pth);
	safetensors_free(w->own->file);
	free(w->own->path);
	free(w->own);
	free(w);
}

void scoped_weights_file(struct weights_file **w)
{
	weights_file_free(*w);
}

char *weights_file_path(const char *setting)
{
	if (!*setting || strpbrk(setting, "/."))
		return xstrdup(setting);
	SCOPED(free) char *cache = io_cache_dir();
	return xstrfmt("%s/weights/%s.safetensors", cache, setting);
}
