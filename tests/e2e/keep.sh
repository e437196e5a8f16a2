#!/bin/bash
# keep.sh - time and space of a study: checkpoints by time, a database that another program has locked, a disk that is too
# small for what is planned, and what `ablate prune` removes.
. "$(dirname "$0")/lib.sh"

# A crash may cost the interval, not a tenth of a long training; where checkpoints are must not show in the result.
test_checkpoints_by_time() {
	small_grid 60
	run ablate run g.toml --db steps.db --jobs 1; exits 0
	run ablate run g.toml --db time.db --jobs 1 --set budget.cell.checkpoint=0.01s; exits 0
	few=$(sql steps.db "SELECT count(*) FROM checkpoint") many=$(sql time.db "SELECT count(*) FROM checkpoint")
	check test "$many" -gt "$few"
	for db in steps time; do
		sql $db.db "SELECT a.cell, c.step, c.artifact FROM checkpoint c JOIN attempt a ON a.id = c.attempt WHERE c.step IN(25, 50, 60) ORDER BY 1, 2" >$db.at
	done
	lines_of steps.at 6
	same steps.at time.at
	run ablate verify --sample 100% --db time.db; exits 0
	says out "2 passed"
	# 0s: by steps alone, as before there was the key
	run ablate run g.toml --db none.db --jobs 1 --set budget.cell.checkpoint=0s; exits 0
	check test "$(sql none.db "SELECT count(*) FROM checkpoint")" -eq "$few"
}

# lock DB: another program opens a transaction, as a person does who forgets about it, and keeps it until `unlock`.
lock() {
	mkfifo ask
	sqlite3 "$1" <ask >answer 2>&1 &
	holder=$!
	exec 7>ask
	echo "BEGIN EXCLUSIVE; SELECT 'locked';" >&7
	await 20 'grep -qs locked answer'
}
unlock() { echo "ROLLBACK;" >&7; exec 7>&-; wait "$holder"; rm -f ask answer; }
attempts() { sqlite3 -readonly "$1" "SELECT count(*) FROM attempt" 2>/dev/null || echo 0; } # while it is being made, too
FAKE="$BUILD/tests/run-fake"

# After 10 s the run used to end, with exit code 5 and its workers stopped.
test_a_lock_of_another_program_is_waited_for() {
	"$FAKE" k.db 4 2 40 >out 2>err & runner=$!
	await 30 '[ "$(attempts k.db)" -ge 2 ]'
	lock k.db
	# all of them are trained meanwhile, those too that had not begun
	await 60 '[ "$(cat k.db-runs/*/*/journal.jsonl | grep -c "\"seal\"")" -eq 4 ]'
	await 20 'grep -q "all workers have ended" err'
	says err 'k.db: locked by '
	check test "$(grep -c "workers go on" err)" -eq 1
	check test "$(grep -c "all workers have ended" err)" -eq 1
	check test "$(sql k.db "SELECT count(*) FROM attempt WHERE state = 'done'")" -lt 4
	check kill -0 $runner
	unlock
	wait $runner || fail "exit $?"
	says err 'k.db: free again'
	check test "$(sql k.db "SELECT count(*) FROM attempt WHERE state = 'done'")" -eq 4
	"$FAKE" good.db 4 2 0 >/dev/null 2>&1 || fail "undisturbed: $?"
	for db in good k; do sql $db.db "SELECT cell, name, hex FROM v_result ORDER BY 1" >$db.results; done
	same good.results k.results
}

test_ctrl_c_ends_the_wait_and_the_next_run_takes_the_journals() {
	"$FAKE" k.db 2 2 40 >out 2>err & runner=$!
	await 30 '[ "$(attempts k.db)" -ge 2 ]'
	lock k.db
	await 60 'grep -q "all workers have ended" err'
	kill -TERM $runner
	code=0
	wait $runner || code=$?
	exits 143
	says err 'ablate run` takes them in'
	# nor is the beginning of a run a place where it cannot be stopped
	"$FAKE" k.db 3 2 0 >out2 2>err2 & runner=$!
	await 30 'grep -qs "waiting until it is free" err2'
	kill -TERM $runner
	code=0
	wait $runner || code=$?
	exits 143
	unlock
	run "$FAKE" k.db 2 2 0
	exits 0
	says out '2 cached'
	check test "$(sql k.db "SELECT count(*) FROM attempt")" -eq 2
}

# The real workers, and a lock that is older than the 10 s that others wait for.
test_a_lock_of_15_seconds() {
	small_grid 300
	"$ABLATE" run g.toml --jobs 2 >out 2>err & runner=$!
	await 30 '[ "$(attempts ablate.db)" -ge 2 ]'
	lock ablate.db
	sleep 15
	unlock
	wait $runner || fail "exit $?"
	says err 'ablate.db: locked by sqlite3 (pid '
	says err '2 cells: 2 done'
	run ablate verify --sample 100%
	exits 0
}

# A disk that is full after a day's training is known to be too small before it.
test_a_disk_that_is_too_small_for_the_plan() {
	small_grid 6
	small_disk small 8m
	run ablate plan g.toml --db small/a.db --json; exits 0
	need=$(json disk_bytes) there=$(json disk_free_bytes)
	check test "$need" -gt "$there"
	run ablate plan g.toml --db small/a.db; exits 0
	says out 'MB free: too little'
	run ablate run g.toml --db small/a.db
	exits 1
	lines_of err 1
	says err 'MB are free, and the checkpoints of 2 pending cells take '
	says err '`ablate prune`'
	check test ! -e small/a.db
	# what a budget does not begin needs no room
	run ablate run g.toml --db small/a.db --set budget.grid.cells=1
	exits 75
	# and what is done needs no more
	run ablate run g.toml --db small/a.db --ignore-disk; exits 0
	check test "$(($(stat -f -c '%a * %S' small)))" -lt "$((need / 2))"
	run ablate run g.toml --db small/a.db; exits 0
	says err '2 cached'
}
json() { grep -o "\"$1\": *[0-9]*" out | grep -o '[0-9]*$'; } # KEY of ./out

run_tests "$@"
