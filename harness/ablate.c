/* ablate.c - the program: a reproducibility and evaluation harness for consistency-model training. See cmd.h. */
#include "harness/cmd.h"
#include "harness/threads.h"

int main(int argc, char **argv)
{
	threads_restart(argc, argv);
	return cli_main(argc, argv);
}
