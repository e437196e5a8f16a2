/* grid_examples.h - the whole grids that the manual shows. tests/harness/commands/test_man.c plans each of them;
 * tests/e2e/man.sh takes them out of the printed page, plans them, and runs the first. */
#ifndef ABLATE_GRID_EXAMPLES_H
#define ABLATE_GRID_EXAMPLES_H

struct grid_example {
	const char *file; /* what it is saved as; a later one may inherit from an earlier one */
	const char *title;
	const char *text; /* what happens, before the grid; roff_paragraphs */
	const char *toml;
};

const struct grid_example *grid_examples(int *n);

#endif
