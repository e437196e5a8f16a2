/* ablate.c - the program: a reproducibility and evaluation harness for consistency-model training. See cmd.h. */
#include "harness/commands/commands.h"
#include "harness/cli/threads.h"

int main(int argc, char **argv)
{
	threads_restart(&commands, argc, argv);
	return cli_main(&commands, argc, argv);
}
