/* parity.c - runs every fixture that a folder holds (nets, single ops, losses, ECT, training steps, optimizers, tables)
 * through the engine, and says how far each quantity is from the peer in double, beside its gate and the deviation of
 * the peer's own float32.
 *
 *     parity [--double] [--device NAME] DIR [NAME]...
 *
 * --double runs the double-precision path of every network too, not only of the cheap ones. --device: networks, ops,
 * losses and steps compute there in fp32 (the optimizer and the tables are the host's). Each fixture has a process of
 * its own, so that a damaged one fails alone. Ends with "N passed, N failed" (", N skipped"); exit code 1 when anything
 * failed or nothing passed, 2 for a bad command. */
#include "tests/parity/paritylib.h"

#include "model/base/io.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *kind;
	void (*run)(struct fixture *f);
} families[] = {
	{ "net", family_net },     { "ops", family_ops }, { "loss", family_loss },     { "ect", family_ect },
	{ "train", family_train }, { "opt", family_opt }, { "tables", family_tables },
};

static int is_json(const struct dirent *d)
{
	size_t n = strlen(d->d_name);
	return n > 5 && n < 250 && strcmp(d->d_name + n - 5, ".json") == 0;
}

/* In the child: 0 when every check passed. */
static int run_one(const char *dir, const char *name, bool double_too, const char *device)
{
	struct fixture f = { .double_too = double_too };
	struct err e = ERR_INIT;
	void (*run)(struct fixture *) = NULL;
	if ((device && fx_open_device(device, &e)) || fx_load(&f, dir, name, &e)) {
		printf("%s\n", name);
		fx_fail(&f, "%s", e.msg);
	} else {
		printf("%s: %s\n", name, f.kind);
		for (size_t i = 0; i < sizeof families / sizeof *families; i++)
			if (strcmp(families[i].kind, f.kind) == 0)
				run = families[i].run;
		if (run)
			run(&f);
		else
			fx_fail(&f, "unknown kind '%s' (known: net ops loss ect train opt tables)", f.kind);
		if (f.checks == 0)
			fx_fail(&f, "nothing in it could be checked");
	}
	int failures = f.failures;
	fx_close_device();
	fx_release(&f);
	return failures ? 1 : 0;
}

static bool passes(const char *dir, const char *name, bool double_too, const char *device)
{
	int status = 0;
	(void)fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		int rc = run_one(dir, name, double_too, device);
		(void)fflush(stdout);
		_exit(rc);
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		printf("  FAIL %s: no process could be started for it\n", name);
		return false;
	}
	if (WIFSIGNALED(status))
		printf("  FAIL %s: its process ended with signal %d\n", name, WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool asked(int argc, char **argv, int first, const char *name)
{
	for (int i = first; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == first;
}

int main(int argc, char **argv)
{
	bool double_too = false;
	const char *device = NULL;
	int first = 1, passed = 0, failed = 0;
	for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++)
		if (strcmp(argv[first], "--device") == 0 && first + 1 < argc)
			device = argv[++first];
		else if (strcmp(argv[first], "--double") == 0)
			double_too = true;
		else
			break;
	struct dirent **list;
	if (argc <= first || !io_is_dir(argv[first])) {
		(void)fprintf(stderr, "usage: parity [--double] [--device NAME] DIR [NAME]...\n");
		return 2;
	}
	const char *dir = argv[first];
	int n = scandir(dir, &list, is_json, alphasort);
	for (int i = 0; i < n; i++) {
		SCOPED(free) char *name = xstrndup(list[i]->d_name, strlen(list[i]->d_name) - 5);
		free(list[i]);
		if (!asked(argc, argv, first + 1, name))
			continue;
		bool ok = passes(dir, name, double_too, device);
		passed += ok;
		failed += !ok;
		printf("%s %s\n", ok ? "passed" : "FAILED", name);
	}
	if (n >= 0)
		free(list);
	printf("%d passed, %d failed\n", passed, failed);
	return failed || !passed ? 1 : 0;
}
