/* store_folder.c - where the run folder of store.h has what. */
#define _GNU_SOURCE
#include "harness/record/store.h"

#include "model/base/io.h"
#include "model/base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

char *store_cell_dir(const struct store *s, const char *cell)
{
	return xstrfmt("%s/%.12s", s->runs, cell);
}

char *store_dir_of(const char *runs, const char *cell, const char *attempt)
{
	return xstrfmt("%s/%.12s/%s", runs, cell, attempt);
}

char *store_attempt_dir(const struct store *s, const char *cell, const char *attempt)
{
	return store_dir_of(s->runs, cell, attempt);
}

int store_check_runs(const struct store *s, struct err *e)
{
	return io_is_dir(s->runs)
	           ? 0
	           : err_code(e, EXIT_RECORD,
	                      "%s: the folder of the records is gone (a file system that is no longer mounted?); what was "
	                      "recorded is where it is: run again when it is back",
	                      s->runs);
}

int store_make_attempt_dir(const struct store *s, const char *cell, const char *attempt, struct err *e)
{
	SCOPED(free) char *of_cell = store_cell_dir(s, cell), *own = store_attempt_dir(s, cell, attempt);
	const char *const dirs[] = { of_cell, own };
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		if (mkdir(dirs[i], 0777) == 0)
			io_sync_folder_of(dirs[i]);
		else if (errno == ENOENT && store_check_runs(s, e))
			return -1;
		else if (errno != EEXIST)
			return err_code(e, EXIT_RECORD, "%s: cannot create folder: %s", dirs[i], strerror(errno));
	}
	return 0;
}

char *store_journal(const struct store *s, const char *cell, const char *attempt)
{
	return xstrfmt("%s/%.12s/%s/journal.jsonl", s->runs, cell, attempt);
}
