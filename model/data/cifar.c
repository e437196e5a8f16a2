/* cifar.c - see cifar.h. */
#define _GNU_SOURCE
#include "model/data/cifar.h"

#include "model/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool cifar_is(const char *path)
{
	struct stat st;
	SCOPED(file) FILE *f = fopen(path, "rbe");
	if (!f || fstat(fileno(f), &st) || !S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size % CIFAR_RECORD)
		return false;
	int label = fgetc(f);
	return label >= 0 && label < 10;
}

int cifar_open(struct cifar *out, const char *path, struct err *e)
{
	struct stat st;
	FILE *f = fopen(path, "rbe");
	if (!f)
		return err_set(e, "%s: cannot open: %s", path, strerror(errno));
	if (fstat(fileno(f), &st) || st.st_size == 0 || st.st_size % CIFAR_RECORD) {
		(void)fclose(f);
		return err_set(e, "%s: not a CIFAR-10 binary file (or truncated): its size is no multiple of %d", path,
		               CIFAR_RECORD);
	}
	*out = (struct cifar){ .f = f, .path = xstrdup(path), .n = st.st_size / CIFAR_RECORD };
	return 0;
}

void cifar_interleave(uint8_t px[CIFAR_PIXELS], const uint8_t planes[CIFAR_PIXELS])
{
	enum { PLANE = CIFAR_SIDE * CIFAR_SIDE };
	for (int i = 0; i < PLANE; i++)
		for (int c = 0; c < 3; c++)
			px[3 * i + c] = planes[c * PLANE + i];
}

int cifar_read(struct cifar *c, int64_t i, uint8_t px[CIFAR_PIXELS], int *label, struct err *e)
{
	REQUIRE(i >= 0 && i < c->n);
	uint8_t record[CIFAR_RECORD];
	if (fseeko(c->f, i * CIFAR_RECORD, SEEK_SET) || fread(record, 1, sizeof record, c->f) != sizeof record)
		return err_set(e, "%s: cannot read record %lld", c->path, (long long)i);
	if (record[0] > 9)
		return err_set(e, "%s: record %lld has label %d: not CIFAR-10", c->path, (long long)i, record[0]);
	if (label)
		*label = record[0];
	cifar_interleave(px, record + 1);
	return 0;
}

void cifar_release(struct cifar *c)
{
	if (c->f)
		(void)fclose(c->f);
	free(c->path);
	*c = (struct cifar){ 0 };
}
