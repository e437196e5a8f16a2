#!/bin/bash
# keep.sh - time and space of a study: checkpoints by time, a database that another program has locked, a disk that is too
# small for what is planned, and what `ablate prune` removes.
# ctest: slow, checkpoints by the clock
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

# --- prune ---

checkpoints() { find ablate.db-runs -name '*.ckpt' | wc -l; }
hashes() { for f in ablate.db-runs/*/*/journal.jsonl; do sha256sum "$f"; done; }

# Nothing that a table, a gate or verify needs may go, and a listing changes no byte.
test_prune_lists_and_removes_what_nobody_needs() {
	small_grid 60
	run ablate run g.toml --jobs 1; exits 0
	run ablate table g.toml --format md; exits 0
	grep -v '^<!--' out >want.md
	hashes >before
	check test "$(checkpoints)" -eq 4
	sha256sum ablate.db >db.before
	run ablate prune
	exits 0
	says out 'superseded         2'
	says out 'final              2'
	says err '--yes removes superseded, stale: 2 files, 5.'
	sha256sum -c db.before >/dev/null || fail "a listing changed the database"
	check test "$(checkpoints)" -eq 4
	run ablate prune --json; exits 0
	says out '"removed": false'
	check test "$(grep -c '"path"' out)" -eq 2
	run ablate prune --yes
	exits 0
	says out 'removed 2 files: 5.'
	check test "$(checkpoints)" -eq 2
	check test "$(sql ablate.db "SELECT count(*) FROM pruned WHERE name = 'step-00000050.ckpt' AND bytes > 1000000")" -eq 2
	cell=$(sql ablate.db "SELECT min(cell) FROM attempt")
	run ablate sample "$cell" -n 4 -o s.npz; exits 0
	run ablate prune final logs pictures refs --yes; exits 0
	check test "$(checkpoints)" -eq 0
	check test ! -e "$(echo ablate.db-runs/*/*/log)"
	hashes >after
	same before after
	run ablate table g.toml --format md; exits 0
	grep -v '^<!--' out >now.md
	same want.md now.md
	run ablate run g.toml; exits 0
	says err '2 cached'
	run ablate merge --rebuild; exits 0
	says out 'identical to before'
	run ablate prune --yes; exits 0
	says out 'removed 0 files'
}

# Instead of "no such file".
test_what_was_pruned_is_told_with_what_makes_it_again() {
	small_grid 6
	run ablate run g.toml --jobs 1; exits 0
	run ablate prune final --yes; exits 0
	cell=$(sql ablate.db "SELECT min(cell) FROM attempt")
	id=$(sql ablate.db "SELECT id FROM attempt WHERE cell = '$cell'")
	run ablate sample "$cell" -n 4 -o s.npz
	exits 5
	lines_of err 1
	says err "attempt ${id:0:8}: its checkpoint was pruned on $(date -u +%Y-%m-%d)"
	says err "\`ablate verify ${id:0:8} --db ablate.db\` makes it again"
	run ablate show "$id"; exits 0
	says out 'step-00000006.ckpt'
	says out 'pruned'
	run ablate verify "${id:0:8}" --db ablate.db; exits 0
	run ablate sample "${cell:0:12}" -n 4 -o s.npz; exits 0
	# one more score: what is needed for it is trained again, and said
	sed -i 's/samples = 100/samples = 90/' g.toml
	run ablate run g.toml --jobs 1; exits 0
	check test "$(grep -c 'its checkpoint was pruned on .* it is trained again' err)" -eq 2
	says err '2 done'
}

# What is stopped goes on from its last checkpoints: they stay unless everything is asked for.
test_prune_keeps_what_is_not_finished() {
	small_grid 400
	"$ABLATE" run g.toml --jobs 2 >out 2>err & runner=$!
	await 60 '[ "$(cat ablate.db-runs/*/*/journal.jsonl 2>/dev/null | grep -c "\"checkpoint\"")" -ge 4 ]'
	run ablate prune --yes
	exits 5
	says err 'is running on it'
	run ablate prune; exits 0
	says out 'final              0'
	kill -TERM $runner
	wait $runner
	had=$(checkpoints)
	run ablate prune final --yes
	exits 0
	says out 'removed 0 files'
	says err 'that other cells go on from; --all removes them, too'
	check test "$(checkpoints)" -eq "$had"
	run ablate resume; exits 0
	check test "$(sql ablate.db "SELECT count(*) FROM attempt WHERE state = 'done' AND resumed_step > 0")" -eq 2
	run ablate prune --yes; exits 0
	check test "$(checkpoints)" -eq 2
}

# A training is done once for all cells that sample it: the last checkpoint of a finished one is what the others need.
test_prune_keeps_what_other_cells_begin_with() {
	small_grid 30
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	printf '[[axis]]\nkey = "sample.clip"\nvalues = [true, false]\n' >>g.toml
	run ablate run g.toml --jobs 1 --set budget.grid.cells=1; exits 75
	check test "$(checkpoints)" -eq 2
	run ablate prune superseded final --yes; exits 0
	says err 'kept: 1 checkpoint that other cells go on from'
	check test "$(checkpoints)" -eq 1
	run ablate run g.toml; exits 0
	says_not err 'pruned'
	check test "$(sql ablate.db "SELECT count(DISTINCT attempt) FROM curve")" -eq 1
	# when nothing is missing any more it may go, and what is asked for later trains again and says so
	run ablate prune final --yes; exits 0
	check test "$(checkpoints)" -eq 0
	sed -i 's/samples = 100/samples = 90/' g.toml
	run ablate run g.toml; exits 0
	says err 'its checkpoint was pruned on '
	check test "$(sql ablate.db "SELECT count(DISTINCT attempt) FROM curve")" -eq 2
}

# An attempt that goes on shares the files that it begins with: what a name takes is free when the last one goes.
test_prune_counts_what_is_freed() {
	local size
	small_grid 60
	run ablate run g.toml --jobs 1; exits 0
	sed -i 's/samples = 100/samples = 90/' g.toml
	run ablate run g.toml --jobs 1; exits 0
	check test "$(checkpoints)" -eq 8
	size=$(stat -c %s "$(find ablate.db-runs -name step-00000050.ckpt | head -1)")
	run ablate prune --json; exits 0
	check test "$(grep -c '"path"' out)" -eq 6
	check test "$(json frees | head -1)" -eq $((2 * size))
	before=$(du -s --block-size=1 ablate.db-runs | cut -f1)
	run ablate prune --yes; exits 0
	check test $((before - $(du -s --block-size=1 ablate.db-runs | cut -f1))) -ge $((2 * size - 100000))
	check test "$(sql ablate.db "SELECT sum(bytes) FROM pruned")" -eq $((2 * size))
	# what is left is what `sample` takes and more scores begin with
	run ablate sample "$(sql ablate.db "SELECT min(cell) FROM attempt")" -n 4 -o s.npz; exits 0
	sed -i 's/samples = 90/samples = 80/' g.toml
	run ablate run g.toml --jobs 1; exits 0
	says_not err 'pruned'
}

test_prune_removes_what_dead_processes_left() {
	small_grid 6
	run ablate run g.toml --jobs 1; exits 0
	attempt=$(echo ablate.db-runs/*/*/journal.jsonl | cut -d' ' -f1)
	attempt=${attempt%/journal.jsonl}
	lost=${attempt%/*}/01234567-89ab-4def-8123-456789abcdef
	mkdir "$lost"
	echo '{}' >"$lost/job.json"
	echo x >"$attempt/step-00000003.ckpt.tmp-999999999"
	echo x >"$attempt/step-00000004.ckpt.tmp-$$"
	echo x >"$attempt/step-00000005.ckpt.tmp-999999999-0123cdef" # its name was taken
	echo x >"$attempt/step-00000005.ckpt.tmp-999999999-mine"     # not ours
	echo x >ablate.db.v3-7.bak
	# what is young may be of a worker that is only starting
	run ablate prune; exits 0
	says out 'stale              0'
	touch -d '2 hours ago' "$lost" "$attempt"/*.tmp-*
	run ablate prune; exits 0
	says out 'stale              3'
	says out 'backups            1'
	run ablate prune --yes; exits 0
	check test ! -e "$lost"
	check test ! -e "$attempt/step-00000003.ckpt.tmp-999999999"
	check test ! -e "$attempt/step-00000005.ckpt.tmp-999999999-0123cdef"
	check test -e "$attempt/step-00000005.ckpt.tmp-999999999-mine"
	check test -e "$attempt/step-00000004.ckpt.tmp-$$"
	check test -e ablate.db.v3-7.bak
	run ablate prune nonsense
	exits 2
	run ablate prune --db none.db --yes
	exits 5
	check test ! -e none.db
}

# Before each write and each removal: what is gone is recorded, and the next prune does the rest.
test_prune_killed_anywhere() {
	local at gone
	no_sanitizers
	small_grid 60
	run ablate run g.toml --jobs 1; exits 0
	cp -a ablate.db-runs all-runs
	cp ablate.db all.db
	for ((at = 1; at < 200; at++)); do
		rm -rf ablate.db*
		cp -a all-runs ablate.db-runs
		cp all.db ablate.db
		run with_shim SHIM_KILL_AT=$at SHIM_UNLINK=1 SHIM_PATH=ablate.db "$ABLATE" prune --all --yes
		[ "$code" -eq 0 ] && break
		exits 137
		gone=$(($(find all-runs -name '*.ckpt' -o -name log -o -name '*.png' | wc -l) - $(find ablate.db-runs -name '*.ckpt' -o -name log -o -name '*.png' | wc -l)))
		run ablate prune --all --yes; exits 0
		check test "$(checkpoints)" -eq 0
		check test "$(sql ablate.db "SELECT count(*) FROM pruned WHERE name LIKE '%.ckpt'")" -eq 4
		check test "$(sql ablate.db "SELECT count(*) FROM pruned")" -ge "$gone"
		whole ablate.db
	done
	check test $at -gt 12
	run ablate run g.toml; exits 0
	says err '2 cached'
}

run_tests "$@"
