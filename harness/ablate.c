/* ablate.c - the program: a reproducibility and evaluation harness for consistency-model training. See cmd.h. */
#include "harness/cmd.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
