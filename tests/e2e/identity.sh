#!/bin/bash
# identity.sh - whose machine it was: in no record of `run --no-identity`, and in nothing that leaves unless it is asked for;
# and who is alive is known all the same.
. "$(dirname "$0")/lib.sh"

IDENTITY="SELECT count(host) + count(boot_id) FROM attempt"
# Logs, jobs and frozen plans are no records and stay on the machine: which of the named files say this folder is counted.
paths_in() { grep -lF "$PWD" "$@" 2>/dev/null | wc -l; }

test_records_without_identity() {
	mkdir inner
	small_grid 4
	mv g.toml inner
	run ablate run "$PWD/inner/g.toml" --no-identity
	exits 0
	check test "$(sql ablate.db "SELECT count(host) FROM attempt")" -eq 0
	check test "$(sql ablate.db "SELECT count(*) FROM attempt WHERE boot_id GLOB 'sha256:*'")" -eq 2
	check test "$(sql ablate.db "SELECT count(*) FROM env WHERE json_extract(json, '$.host') IS NOT NULL OR json_extract(json, '$.cpu') IS NULL")" -eq 0
	check test "$(paths_in ablate.db ablate.db-runs/ledger.jsonl ablate.db-runs/lock ablate.db-runs/*/*/journal.jsonl)" -eq 0
	says_not ablate.db-runs/lock "$(cat /proc/sys/kernel/random/boot_id)"
	# it is the same record else: opened by name, continued, rebuilt
	run ablate table small
	exits 0
	ABLATE_NO_IDENTITY=1 run ablate resume
	exits 0
	says err '2 cached'
	run ablate merge --rebuild
	exits 0
	run ablate run inner/g.toml --set train.steps=2 --db other.db
	exits 0
	check test "$(sql other.db "$IDENTITY")" -eq 4
	ABLATE_NO_IDENTITY=1 run ablate run inner/g.toml --set train.steps=2 --db third.db
	exits 0
	check test "$(sql third.db "SELECT count(host) FROM attempt")" -eq 0
}

# A cell that cannot be scored says why, and where it looked for its weights is the machine's own business.
test_reasons_without_paths() {
	small_grid 2
	echo 'extractor = "inception-2015"' >>g.toml
	ABLATE_CACHE=$PWD/empty run ablate run g.toml --no-identity
	check [ "$code" -ne 0 ]
	check test "$(sql ablate.db "SELECT count(*) FROM attempt WHERE state = 'blocked'")" -gt 0
	check test "$(paths_in ablate.db-runs/*/*/journal.jsonl ablate.db)" -eq 0
}

# A worker that was killed together with its runner is known to be dead by the boot that is hidden.
test_liveness() {
	small_grid 100000
	"$ABLATE" run g.toml --no-identity -j 1 >/dev/null 2>&1 &
	pid=$!
	teardown() { kill -9 "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; } # the worker goes with it
	await 60 '"$ABLATE" status 2>/dev/null | grep -q "holds its journal"'
	kill -9 $pid && wait $pid 2>/dev/null
	worker=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' ablate.db-runs/*/*/journal.jsonl | head -1)
	kill -9 "$worker" 2>/dev/null
	await 30 "! kill -0 $worker 2>/dev/null"
	run ablate status
	exits 0
	says out 'of this boot no longer holds its journal'
	run ablate run g.toml --set train.steps=2
	exits 0
	check test "$(sql ablate.db "SELECT count(*) FROM attempt WHERE state = 'lost' AND reason LIKE '%of this boot%'")" -eq 1
}

test_exports_without_identity() {
	mkdir inner
	small_grid 4
	mv g.toml inner
	run ablate run "$PWD/inner/g.toml"
	exits 0
	check test "$(sql ablate.db "$IDENTITY")" -eq 4
	for what in "--csv" "--jsonl" "--sql" "--table attempt" "--table env" "--table v_attempt" "--table v_wide" "--table grid"; do
		run ablate export $what
		exits 0
		says_not out "$PWD"
		says_not out "$(cat /proc/sys/kernel/random/boot_id)"
		says_not out '"host'
		grep -qiwF -- "$(hostname)" out && fail "the host is in export $what"
	done
	run ablate export --table attempt --identity
	says out "$(cat /proc/sys/kernel/random/boot_id)"
	says out "$(hostname)"
	run ablate export --sql --identity -o whole.sql
	exits 0
	sqlite3 whole.db <whole.sql
	check test "$(sql whole.db "$IDENTITY")" -eq 4
	run ablate report small -o r.html
	exits 0
	says_not r.html "$PWD"
	says r.html '"host":""'
	run ablate report "$PWD/inner/g.toml" -o r.html
	exits 0
	says_not r.html "$PWD"
	run ablate report "$PWD/inner/g.toml" -o r.html --identity
	exits 0
	says r.html "\"host\":\"$(hostname)\""
	says r.html "$PWD/inner/g.toml"
}

run_tests
