/* fuzz_journal.c - any bytes as a journal: refused or taken, never a crash, and the database stays whole. */
#include "harness/record/ingest.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct db *db;
	struct err e = ERR_INIT;
	if (!db && db_open(&db, "/dev/shm/fuzz-journal.db", DB_WRITE, &e))
		abort();
	struct ingest in = { .db = db };
	struct journal_scan scan = { 0 };
	if (db_begin(db, &e))
		abort();
	if (journal_scan_bytes(&scan, (const char *)data, size, ingest_line, &in, &e) == 0 &&
	    scan.bytes + scan.torn != (int64_t)size)
		abort();
	db_rollback(db);
	return 0;
}
