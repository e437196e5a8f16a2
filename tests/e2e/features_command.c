/* features_command.c - the other side of an extractor "command:", well behaved and otherwise:
 *     features_command HOW DIM
 * all: the first DIM values of each picture, each divided by 255, once the batch has been read; early: the same,
 * picture by picture; grey: every third value, which is all of a grey picture; first: zeros for the whole batch, before
 * a byte of it is read. What is wrong with the others goes by its name below. */
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *how;
static int dim;

static bool is(const char *name)
{
	return strcmp(how, name) == 0;
}

static void answer(const unsigned char *px, int n, size_t bytes)
{
	for (int i = 0; i < n; i++)
		for (int k = 0; k < dim; k++) {
			float v = is("nan") && i == 0 && k == 0 ? NAN
			          : px ? (float)px[(size_t)i * bytes + (size_t)(is("grey") ? 3 * k : k)] / 255
			               : 0;
			(void)fwrite(&v, sizeof v, 1, stdout);
		}
	(void)fflush(stdout);
}

static void batch(int n, size_t bytes)
{
	unsigned char *px = calloc((size_t)n, bytes);
	if (!px)
		exit(9);
	if (is("first"))
		answer(NULL, n, bytes);
	for (int i = 0; i < n; i++) {
		if (fread(px + (size_t)i * bytes, 1, bytes, stdin) != bytes)
			exit(8);
		if (is("early"))
			answer(px + (size_t)i * bytes, 1, bytes);
	}
	if (!is("early") && !is("first"))
		answer(px, n, bytes);
	if (is("more"))
		answer(px, 1, bytes);
	free(px);
}

int main(int argc, char **argv)
{
	int n, h, w, c;
	if (argc != 3)
		return 2;
	how = argv[1];
	dim = (int)strtol(argv[2], NULL, 10);
	if (is("slow"))
		(void)sleep(6);
	if (is("mute"))
		return 7;
	if (is("hello"))
		return printf("hello \001 world\n") < 0;
	for (int i = 0; is("endless") && i < 100000; i++)
		(void)printf("ablate-features ");
	if (is("changes"))
		printf("ablate-features 1 %d v%ld\n", dim, (long)getpid());
	else
		printf("ablate-features 1 %d %s\n", dim, is("blank") ? "my net" : "values-255");
	(void)fflush(stdout);
	if (is("leaves"))
		return 3;
	if (is("killed"))
		(void)raise(SIGKILL);
	while (scanf("%d %d %d %d", &n, &h, &w, &c) == 4 && getchar() == '\n')
		batch(n, (size_t)h * (size_t)w * (size_t)c);
	if (is("late"))
		answer(NULL, 1, 0);
	return is("fails") ? 4 : 0;
}
