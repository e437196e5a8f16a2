#!/bin/bash
# kill.sh - the records after SIGKILL: at 200 random moments of runner and workers, and before each single write of the
# database and of the journals. The database opens, is whole, what was finished stays and is there once, and the run that
# comes after ends with the same bits as one that was never disturbed.
# ctest: slow, two hundred kills, and each single write
. "$(dirname "$0")/lib.sh"

FAKE="$BUILD/tests/run-fake"
CELLS=6
KILLS=${KILLS:-200}
curves() { sql "$1" "SELECT c.seed, v.step, printf('%!.17g', v.value) FROM v_curve v JOIN attempt a ON a.id = v.attempt JOIN cell c ON c.hash = a.cell WHERE a.state = 'done' ORDER BY 1, 2"; }
undisturbed() { run "$FAKE" good.db $CELLS 2 0; exits 0; results good.db >good.txt; curves good.db >good.curves; }

# $1: nothing that was done may be gone, changed, or there twice.
nothing_lost() {
	[ -s "$1" ] || return 0
	# opened for writing: what a killed writer left is rolled back by whoever comes next
	[ "$(sqlite3 "$1" 'PRAGMA integrity_check')" = ok ] || fail "$1 is damaged"
	# killed before the tables were there: the file is empty, and nothing was finished
	[ "$(sql "$1" "SELECT count(*) FROM sqlite_schema")" -gt 0 ] || { [ ! -s done.before ] || fail "the tables are gone"; return 0; }
	sql "$1" "SELECT cell || ' ' || id FROM attempt WHERE state = 'done' ORDER BY 1" >done.now || exit 1
	[ -e done.before ] && { comm -23 done.before done.now >gone; [ ! -s gone ] || fail "finished attempts are gone: $(cat gone)"; }
	mv done.now done.before
	check test "$(sql "$1" "SELECT count(*) FROM (SELECT cell FROM attempt WHERE state = 'done' GROUP BY cell HAVING count(*) > 1)")" -eq 0
}

# One run after it is enough.
ends_well() {
	run "$FAKE" "$1" $CELLS 2 0; exits 0
	nothing_lost "$1"
	results "$1" >now.txt; same good.txt now.txt
	curves "$1" >now.curves; same good.curves now.curves
	check test "$(sql "$1" "SELECT count(*) FROM attempt WHERE state = 'running'")" -eq 0
	run ablate merge --rebuild --db "$1"
	exits 0
	says out "identical to before"
}

# Only kills that hit a living runner count.
test_killed_at_random_moments() {
	local hits=0 on_this=0 pid
	undisturbed
	RANDOM=42
	while ((hits < KILLS)); do
		# a new database now and then, so that creation and the first lines are hit, too
		if ((on_this == 20)); then ends_well k.db; rm -rf k.db k.db-* done.before; on_this=0; fi
		"$FAKE" k.db $CELLS 2 2 >/dev/null 2>fake.err &
		pid=$!
		sleep "0.0$((RANDOM % 90 + 10))"
		# every third time one of its workers goes first
		((hits % 3 == 0)) && kill -KILL $(ps -o pid= --ppid $pid) 2>/dev/null
		kill -KILL $pid 2>/dev/null
		code=0
		wait $pid 2>/dev/null || code=$?
		nothing_lost k.db
		if [ "$code" -eq 137 ]; then hits=$((hits + 1)) on_this=$((on_this + 1)); else on_this=20; fi
	done
	ends_well k.db
	echo "    $hits kills of a living runner"
}

# The workers have begun their journals, and all are killed before the database hears of it (here it is put back to what it
# was): the next run knows that they are dead, and makes the cells.
test_killed_between_the_journal_and_the_database() {
	local pid
	undisturbed
	run "$FAKE" k.db 1 1 0; exits 0
	cp k.db before.db
	"$FAKE" k.db $CELLS 2 100 >/dev/null 2>fake.err &
	pid=$!
	await 20 '[ $(ls k.db-runs/*/*/journal.jsonl | wc -l) -ge 3 ]'
	kill -KILL $(ps -o pid= --ppid $pid) $pid
	wait $pid 2>/dev/null
	rm -f k.db-wal k.db-shm; mv before.db k.db
	ends_well k.db
	says_not out "elsewhere"
	check test "$(sql k.db "SELECT count(*) FROM attempt WHERE state = 'lost'")" -eq 2
}

test_killed_before_each_write_of_the_database() {
	local at
	undisturbed
	for ((at = 1; at < 400; at += 7)); do
		rm -rf k.db k.db-* done.before
		run with_shim SHIM_KILL_AT=$at SHIM_PATH=k.db "$FAKE" k.db $CELLS 1 0
		[ -e k.db ] && nothing_lost k.db
		[ "$code" -eq 0 ] && break
	done
	check test $at -gt 30
	ends_well k.db
}

# The program itself, which looks into the database before it runs: wherever its creation ends, what comes next says
# that there is none, or reads it, and a run goes on.
made_anew() {
	run ablate plan g.toml --db kk.db; exits 0
	run ablate table g.toml --db kk.db; exits 0
	run ablate run g.toml --db kk.db --threads 1 -q; exits 0
	whole kk.db
	[ -z "$(ls kk.db.* 2>/dev/null)" ] || fail "left: $(ls kk.db.*), at write $1"
}
test_killed_while_the_database_is_created() {
	local at kills=0
	small_grid 2
	for ((at = 1; at < 200; at += 3)); do
		rm -rf kk.db kk.db-* kk.db.*
		run with_shim SHIM_KILL_AT=$at SHIM_PATH=kk.db "$ABLATE" merge --db kk.db nothing
		[ "$code" -eq 137 ] || break
		kills=$((kills + 1))
		made_anew $at
	done
	check test $kills -gt 8
	echo "    $kills kills"
}
test_a_disk_that_is_full_while_the_database_is_created() {
	local kib full=0
	small_grid 2
	small_disk disk 64k
	for ((kib = 8; kib < 400; kib += 24)); do
		rm -rf disk/*
		mount -o remount,size=${kib}k disk || fail "cannot remount"
		run ablate merge --db disk/kk.db nothing
		if grep -qiE 'space|full' err; then
			full=$((full + 1))
			exits 5; lines_of err 1
		fi
		mount -o remount,size=64m disk
		(cd disk && cp ../g.toml . && made_anew $kib) || exit 1
	done
	check test $full -gt 4
	echo "    $full times full"
}

test_a_disk_that_fails_in_the_middle() {
	local at
	undisturbed
	for ((at = 1; at < 300; at += 9)); do
		rm -rf k.db k.db-* done.before
		run with_shim SHIM_FAIL_AT=$at SHIM_SHORT=$((at % 2)) SHIM_PATH=k.db SHIM_COUNTER="$PWD/count" "$FAKE" k.db $CELLS 1 0
		rm -f count
		[ "$code" -eq 0 ] && break
		check test "$(grep -c . err)" -ge 1
		says_not err "BUG"
		[ -e k.db ] && nothing_lost k.db
		ends_well k.db
	done
	check test $at -gt 30
}

test_a_full_disk() {
	undisturbed
	small_disk full 600k
	run "$FAKE" full/k.db 40 2 0
	check test "$code" -ne 0
	check test "$(grep -ciE 'space|cannot write|full' err)" -ge 1
	[ -s full/k.db ] && whole full/k.db
	mount -o remount,size=64m full
	run "$FAKE" full/k.db 40 2 0; exits 0
	whole full/k.db
	check test "$(sql full/k.db "SELECT count(DISTINCT cell) FROM attempt WHERE state = 'done'")" -eq 40
}

# Killed, or without space, at every write of a migration: the database is the old one or the new one, its copy is whole,
# and the next try is not held up by what this one left.
old_grid() {
	small_grid 6
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	run ablate run g.toml; exits 0
	ablate table g.toml >want.txt
	mv ablate.db new.db
	make_older 3 new.db old.db
}
version_of() { sqlite3 "$1" "PRAGMA user_version"; }
old_or_new() { # AT
	[ "$(sqlite3 ablate.db 'PRAGMA integrity_check')" = ok ] || fail "damaged at write $1"
	case $(version_of ablate.db) in 3 | 5) ;; *) fail "version $(version_of ablate.db) at write $1" ;; esac
	for f in ablate.db.v3*.bak; do
		[ ! -e "$f" ] || [ "$(sqlite3 "$f" 'PRAGMA integrity_check; PRAGMA user_version' | tr '\n' ' ')" = "ok 3 " ] || fail "$f is not whole, at write $1"
	done
	run ablate table g.toml; exits 0; mv out table.txt; same want.txt table.txt
}
test_a_migration_killed_before_each_write() {
	local at kills=0
	old_grid
	for ((at = 1; at < 400; at++)); do
		rm -f ablate.db ablate.db-wal ablate.db-shm ablate.db-journal ablate.db.*; cp old.db ablate.db
		run with_shim SHIM_KILL_AT=$at SHIM_PATH=ablate.db "$ABLATE" merge g.toml
		[ "$code" -eq 137 ] || break
		kills=$((kills + 1))
		old_or_new $at
		run ablate run g.toml; exits 0; says err "1 cached"
		[ "$(version_of ablate.db)" = 5 ] || fail "not brought up to date after a kill at write $at"
		ls ablate.db.v3*.bak >/dev/null || fail "no copy after a kill at write $at"
		[ -z "$(ls ablate.db.*part* 2>/dev/null)" ] || fail "$(ls ablate.db.*part*) was left after a kill at write $at"
		old_or_new $at
	done
	check test $kills -gt 20
	echo "    $kills kills"
}
test_a_migration_without_space() {
	local at fails=0
	old_grid
	for ((at = 1; at < 400; at++)); do
		rm -f ablate.db ablate.db-wal ablate.db-shm ablate.db-journal ablate.db.*; cp old.db ablate.db
		run with_shim SHIM_FAIL_AT=$at SHIM_PATH=ablate.db "$ABLATE" run g.toml
		[ "$code" -ne 0 ] || break
		exits 5; lines_of err 1
		fails=$((fails + 1))
		[ "$(version_of ablate.db)" != 3 ] || [ -z "$(ls ablate.db.v3* 2>/dev/null)" ] || fail "$(ls ablate.db.v3*): a copy of what did not change, at write $at"
		old_or_new $at
	done
	check test $fails -gt 20
	run ablate run g.toml; exits 0
	echo "    $fails failed writes"
}

run_tests
