#!/bin/bash
# records.sh - a real grid of two small cells through the program: run, run again, interrupt, resume, verify, merge,
# rebuild, export; and what the records refuse.
# ctest: slow, real cells run, interrupted, verified, rebuilt
. "$(dirname "$0")/lib.sh"

grid() { small_grid "${1:-40}"; } # [STEPS]
scores() { sql "$1" "SELECT cell || ' ' || name || ' ' || hex FROM v_result ORDER BY 1"; }
curves() { sql "$1" "SELECT c.seed, v.name, v.step, printf('%!.17g', v.value) FROM v_curve v JOIN v_attempt a ON a.attempt = v.attempt JOIN cell c ON c.hash = a.cell ORDER BY 1, 2, 3"; }

test_quiet_still_tells_what_is_amiss() {
	grid
	echo 'extractor = "inception-2015"' >>g.toml
	ABLATE_CACHE=$PWD/empty run ablate run g.toml -q
	[ "$code" -ne 0 ] || fail "scored without weights"
	says err 'warning: '
	says err ': blocked: '
	grid 2
	run ablate run g.toml -q
	exits 0
	says_not err 'started'
}
test_run_and_run_again() {
	grid
	run ablate run g.toml --json
	exits 0
	says out '"done": 2'
	says err "2 cells: 2 done"
	check test "$(sql ablate.db "SELECT count(*) FROM attempt a JOIN env v ON v.hash = a.env WHERE json_extract(v.json, '$.threads') > 0 AND json_extract(v.json, '$.libraries.oneDNN') IS NOT NULL")" -eq 2
	check test "$(sql ablate.db "SELECT count(*) FROM input WHERE role = 'dataset'")" -eq 2
	check test "$(sql ablate.db "SELECT count(*) FROM output WHERE role = 'picture@1'")" -eq 2
	run ablate run g.toml
	exits 0
	says err "2 cells: 2 cached"
	run ablate status
	exits 0
	says out "2 cells, 2 done"
	id=$(sql ablate.db "SELECT min(id) FROM attempt")
	run ablate show "${id:0:8}" --json
	exits 0
	says out "\"id\": \"$id\""
	run ablate export --csv
	exits 0
	lines_of out 3
	run ablate export --tensorboard tb
	check test "$(ls tb | wc -l)" -eq 2
	run ablate verify "${id:0:8}"
	exits 0
	says out "1 passed, 0 failed, 0 inconclusive"
	check test "$(sql ablate.db "SELECT count(*) FROM verify WHERE equal = 1 AND n > 50")" -eq 1
	check test "$(sql ablate.db "SELECT count(*) FROM v_result")" -eq 2
	# other seeds are other cells: what is compared with them differs
	other=$(sql ablate.db "SELECT id FROM attempt WHERE cell <> (SELECT cell FROM attempt WHERE id = '$id')")
	run ablate verify "$id" --with "$other"
	exits 2
	run ablate verify --sample 100%
	exits 0
	says out "2 passed"
	run ablate verify g.toml --only base --set 'seeds={ train = [2] }' --sample 5%
	exits 0
	says out "1 passed"
	says out "pass $(sql ablate.db "SELECT substr(a.id, 1, 8) FROM attempt a JOIN cell c ON c.hash = a.cell WHERE c.seed = 2 AND a.purpose = 'run'")"
	run ablate verify nosuch --sample 5%
	exits 2
}

# A grid that inherits, run with --set and --only, is opened by its name without any of its files.
test_a_grid_is_opened_by_name() {
	grid 6
	mkdir d && mv g.toml d/base.toml
	printf 'schema = 1\ninherit = "base.toml"\n[grid]\nname = "child"\nseeds = { train = [1] }\n[variants]\nl2 = { set = { "loss.kind" = "l2" } }
[[chain]]\nname = "c"\nmode = "one-at-a-time"\nsteps = ["l2"]\n[[metric]]\nname = "fid"\nsamples = 20\n' >d/child.toml
	run ablate run d/child.toml --set metric.samples=24 --only c/l2
	exits 0
	run ablate table d/child.toml --set metric.samples=24 --only c/l2 --format md
	exits 0
	grep -v '^<!--' out >want.md
	says want.md "FID-24"
	rm -r d
	run ablate table child --format md
	exits 0
	grep -v '^<!--' out >got.md
	same want.md got.md
	run ablate merge --rebuild
	exits 0
	run ablate table child --format md
	exits 0
	grep -v '^<!--' out >got.md
	same want.md got.md
	run ablate table child --set seeds=2 --json
	exits 0
	run ablate table childish
	exits 2
}

# The first score of the only journal below a run folder becomes another one, and the seal fits again.
other_score() { # RUNS
	python3 - "$1"/*/*/journal.jsonl <<'PY'
import hashlib, json, sys

lines = open(sys.argv[1]).read().splitlines()[:-1]
at = next(i for i, line in enumerate(lines) if json.loads(line)["t"] == "metric")
lines[at] = json.dumps({**json.loads(lines[at]), "value": 7.25, "hex": "0x1.dp+2"})
text = "\n".join(lines) + "\n"
seal = {"t": "seal", "lines": len(lines), "sha256": hashlib.sha256(text.encode()).hexdigest()}
open(sys.argv[1], "w").write(text + json.dumps(seal, separators=(",", ":")) + "\n")
PY
}
# Two machines did the same cell: the second is played by a program with another build's hashes.
test_two_machines_did_a_cell() {
	local a b
	command -v python3 >/dev/null || skip "no python3 here"
	grid 4
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	run ablate run g.toml --db a.db; exits 0
	run "$BUILD/tests/ablate-other-build" run g.toml --db b.db; exits 0
	a=$(sql a.db "SELECT id FROM attempt") b=$(sql b.db "SELECT id FROM attempt")
	# the same bits: nothing to say
	run ablate merge --db same.db a.db-runs b.db-runs; exits 0
	says_not err "different bits"
	run ablate merge --rebuild --db same.db; exits 0
	says_not err "different bits"
	run ablate merge --db all.db a.db-runs --json; exits 0
	says out '"differing": []'
	other_score b.db-runs
	run ablate merge --db all.db b.db-runs; exits 0
	lines_of err 1
	says err "base seed 1 ($(sql all.db "SELECT substr(hash, 1, 12) FROM cell")): attempts ${a:0:8} and ${b:0:8} are both done, with different bits (1 of 1 score, fid@1 of seed 101 first): ${a:0:8} speaks for the cell, as it started first; environments: "
	says err "build $(sql a.db "SELECT substr(json_extract(json, '$.fingerprint_of.build'), 1, 12) FROM env"), then 0b0b0b0b0b0b"
	check test "$(sql all.db "SELECT attempt FROM v_result")" = "$a"
	check test "$(sql all.db "SELECT attempt FROM v_attempt")" = "$a"
	# once
	run ablate merge --db all.db b.db-runs; exits 0
	lines_of err 0
	# in the other order the same one speaks
	run ablate merge --db other.db b.db-runs; exits 0
	run ablate merge --db other.db a.db-runs --json; exits 0
	says out "\"speaks\": \"$a\""
	says out "\"other\": \"$b\""
	says out '"differing_all": 1'
	# whoever asks again
	run ablate merge --check --db all.db; exits 0
	says err "${a:0:8} speaks for the cell"
	run ablate merge --rebuild --db all.db; exits 0
	says err "${a:0:8} speaks for the cell"
	run ablate show "$a" --db all.db --json; exits 0
	says out "\"other\": \"$b\""
	run ablate verify "$a" --db all.db; exits 0
	says out "pass ${a:0:8} = "
	says out "  ${b:0:8} of the same cell is done, too, with other bits: fid@1 of seed 101: $(sql a.db "SELECT hex FROM metric"), then 0x1.dp+2 (environments: "
	says out "then 0b0b0b0b0b0b); ${a:0:8} speaks for the cell"
	says out "1 passed, 0 failed, 0 inconclusive"
	run ablate verify "$a" --db all.db --json; exits 0
	says out "\"explained\": true"
	run ablate verify "$a" --with "$b" --db all.db; exits 4
	run ablate verify "$a" --db a.db; exits 0
	says_not out "of the same cell"
}

# Waits until a life has written a checkpoint of at least that step.
checkpoint_of() { # DB STEP
	for _ in $(seq 20000); do
		for f in "$1"-runs/*/*/step-*.ckpt; do
			f=${f##*/step-}; f=${f%.ckpt}
			[ "$f" != '*' ] && [ $((10#$f)) -ge "$2" ] && return
		done
		sleep 0.005
	done
	fail "no checkpoint of step $2"
}

test_interrupted_and_killed_it_ends_with_the_same_bits() {
	local how step=25
	grid 220
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	run ablate run g.toml --db whole.db
	exits 0
	# curve points every second step, so a life may end between two
	for how in INT KILL TERM; do
		"$ABLATE" run g.toml --db parts.db >/dev/null 2>parts.err & pid=$!
		checkpoint_of parts.db $step
		kill -$how $pid
		code=0; wait $pid 2>/dev/null || code=$?
		case $how in
		INT) [ $code -eq 130 ] || [ $code -eq 0 ] || fail "exit $code" ;;
		TERM) [ $code -eq 143 ] || [ $code -eq 0 ] || fail "exit $code" ;;
		esac
		step=$((step + 50))
	done
	run ablate resume --db parts.db
	exits 0
	check test "$(sql parts.db "SELECT count(*) FROM attempt WHERE state IN ('stopped', 'lost')")" -ge 1
	scores whole.db >a; scores parts.db >b; same a b
	curves whole.db >a; curves parts.db >b; same a b
	run ablate merge --rebuild --db parts.db
	exits 0
	says out "identical to before"
	run ablate merge --db all.db whole.db parts.db
	exits 0
	scores all.db >b; scores whole.db >a; same a b
}

# `run -j 2` has one thread for each cell, and a `resume` of one cell at once all of them: the bits are the same.
test_resume_takes_the_threads_that_there_are() {
	[ "$(nproc)" -ge 2 ] || skip "one processor: there is no other number of threads"
	grid 220
	threads="SELECT DISTINCT json_extract(v.json, '\$.threads') FROM attempt a JOIN env v ON v.hash = a.env WHERE resumed_step > 0"
	run ablate run g.toml --db whole.db --threads 1
	exits 0
	"$ABLATE" run g.toml -j "$(nproc)" >/dev/null 2>first.err & pid=$!
	checkpoint_of ablate.db 25
	kill -INT $pid
	code=0; wait $pid || code=$?
	exits 130
	run ablate resume --jobs 1
	exits 0
	says_not err "another environment"
	check test "$(sql ablate.db "$threads")" = "$(nproc)"
	check test "$(sql ablate.db "SELECT count(*) FROM attempt WHERE resumed_step > 0 AND state = 'done'")" -ge 1
	scores whole.db >a; scores ablate.db >b; same a b
	curves whole.db >a; curves ablate.db >b; same a b
	run ablate verify --sample 100%
	exits 0
	says out "2 passed"
}

# How many threads a cell has follows from how many cells are left: its numbers must not.
test_threads_change_no_bit() {
	[ "$(nproc)" -ge 2 ] || skip "one processor: there is no other number of threads"
	grid 20
	run ablate run g.toml --db one.db --threads 1 -q; exits 0
	run ablate run g.toml --db two.db --threads 2 -q; exits 0
	scores one.db >a; scores two.db >b; same a b; [ -s a ] || fail "no scores"
	curves one.db >a; curves two.db >b; same a b; [ -s a ] || fail "no curves"
}

# Each life is repeated with the threads that it had, from the checkpoint that it went on from. Another number explains no
# difference in the training.
test_lives_with_other_threads_are_verified() {
	local how threads="SELECT group_concat(t) FROM (SELECT json_extract(v.json, '\$.threads') t FROM attempt a JOIN env v ON v.hash = a.env WHERE purpose = 'verify' ORDER BY a.n)"
	[ "$(nproc)" -ge 2 ] || skip "one processor: there is no other number of threads"
	grid 220
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	for how in INT KILL; do # a killed one has gone further than its checkpoint
		rm -rf ablate.db*
		"$ABLATE" run g.toml --threads 1 >/dev/null 2>first.err & pid=$!
		checkpoint_of ablate.db 50
		kill -$how $pid
		wait $pid 2>/dev/null || true
		run ablate resume --threads 2 -q
		exits 0
		says_not err "another environment"
		check test "$(sql ablate.db "SELECT count(*) FROM attempt WHERE resumed_step >= 50")" = 1
		run ablate verify --sample 100% --json
		exits 0
		says out '"result": "pass"'
		says out '"lives": 2'
		check test "$(sql ablate.db "$threads")" = 1,2
		check test "$(sql ablate.db "SELECT lives FROM verify WHERE equal = 1 AND unlike IS NULL AND n > 100")" = 2
		check test "$(sql ablate.db "SELECT count(*) FROM attempt r JOIN attempt a USING(resumed_step) WHERE r.purpose = 'verify' AND a.purpose = 'run'")" = 1
	done
	run ablate verify --sample 100% --threads 1
	exits 0
	says out "1 passed, 0 failed, 0 inconclusive"
	sqlite3 ablate.db "DROP TRIGGER curve_no_update; UPDATE curve SET value = value * 1.0000001 WHERE name = 'loss' AND step > 50 AND attempt IN (SELECT id FROM attempt WHERE purpose = 'run')"
	run ablate verify --sample 100% --threads 1 # the second life had two
	exits 6
	says out "first difference: loss at step "
	says out "0 passed, 1 failed, 0 inconclusive"
}

# A database that was renamed leaves its folder, and with it the jobs, behind: nothing was measured again and every score was
# a false difference. What was measured is told from the scores and the grid.
test_a_database_without_its_folder_is_verified() {
	grid 8
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	printf 'ref = "shapes8-test"\ninfinity = true\nci = "jackknife"\n[[metric]]\nname = "pr"\nsamples = 80\nnfe = [1, 2]\n' >>g.toml
	run ablate run g.toml
	exits 0
	mv ablate.db moved.db
	check test "$(sql moved.db "SELECT count(*) FROM metric")" -eq 6
	run ablate verify --sample 100% --db moved.db
	exits 0
	says out "1 passed, 0 failed, 0 inconclusive"
	check test "$(sql moved.db "SELECT count(*) FROM metric m JOIN attempt a ON a.id = m.attempt WHERE purpose = 'verify'")" -eq 6
	# without the grid the reference is not known: the training set's protocol is another one, and no failure
	sqlite3 moved.db "DROP TRIGGER grid_no_delete; DROP TRIGGER grid_cell_no_update; DELETE FROM grid; DELETE FROM grid_cell" 2>/dev/null ||
		sqlite3 moved.db "DROP TRIGGER grid_cell_no_delete; DELETE FROM grid; DELETE FROM grid_cell"
	run ablate verify --sample 100% --db moved.db
	exits 4
	says out "fid@1 of seed 101: protocol fid:pixels:none:u8-round:n100:ref="
	says out "0 passed, 0 failed, 1 inconclusive"
	# and a score that is another one is a failure
	sqlite3 moved.db "DROP TRIGGER metric_no_update; UPDATE metric SET hex = '0x1p+0', value = 1 WHERE name = 'recall' AND nfe = 2 AND attempt = (SELECT id FROM attempt WHERE purpose = 'run')"
	run ablate verify --sample 100% --db moved.db
	exits 6
	says out 'first difference: recall@2 of seed 101: 0x1p+0, then'
}

test_a_damaged_checkpoint_is_refused_and_the_one_before_it_used() {
	local newest
	grid 220
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	run ablate run g.toml --db whole.db
	exits 0
	"$ABLATE" run g.toml >/dev/null 2>first.err & pid=$!
	checkpoint_of ablate.db 75
	kill -INT $pid # and its worker with it: a killed one's would still be writing
	wait $pid 2>/dev/null || true
	newest=$(ls ablate.db-runs/*/*/step-*.ckpt | sort -t/ -k4,4 | tail -1)
	printf damage | dd of="$newest" bs=1 seek=$(($(stat -c %s "$newest") / 2)) conv=notrunc 2>/dev/null
	run ablate run g.toml
	exits 0
	says err "${newest##*/}: "
	says err "using the one before it"
	scores whole.db >a; scores ablate.db >b; same a b
	curves whole.db >a; curves ablate.db >b; same a b
}

# The clock is set back by a day in the middle of a cell, and by a year between two runs.
test_a_clock_that_goes_backwards() {
	no_sanitizers
	local clock="env LD_PRELOAD=$SHIM/libshim_clock.so"
	grid 220
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	run ablate run g.toml --db whole.db
	exits 0
	$clock SHIM_CLOCK_S=-86400 SHIM_CLOCK_AFTER=12 "$ABLATE" run g.toml >/dev/null 2>first.err & pid=$!
	checkpoint_of ablate.db 25
	kill -TERM $pid
	code=0; wait $pid || code=$?
	exits 143
	run $clock SHIM_CLOCK_S=-31536000 "$ABLATE" status
	exits 0
	says out "1 stopped"
	run $clock SHIM_CLOCK_S=-31536000 "$ABLATE" run g.toml
	exits 0
	check test "$(sql ablate.db "SELECT group_concat(state) FROM (SELECT state FROM attempt ORDER BY n)")" = stopped,done
	check test "$(sql ablate.db "SELECT resumed_step > 0 FROM attempt WHERE state = 'done'")" = 1
	check test "$(sql ablate.db "SELECT min(started) < date('now', '-300 days') AND min(wall_s) >= 0 FROM attempt")" = 1
	scores whole.db >a; scores ablate.db >b; same a b
	curves whole.db >a; curves ablate.db >b; same a b
	run ablate run g.toml
	exits 0
	says err "1 cached"
	run ablate table g.toml
	exits 0
	# a clock that is set ahead during a cell: what it took is told by the clock that counts on
	rm -f ahead.db
	run $clock SHIM_CLOCK_S=864000 SHIM_CLOCK_AFTER=1 "$ABLATE" run g.toml --db ahead.db --set train.steps=20
	exits 0
	run ablate report g.toml --db ahead.db --set train.steps=20 -o ahead.html
	exits 0
	check grep -qE '<dt>time in attempts</dt><dd>[0-9]{1,2}(s|m[0-9]{2}s)</dd>' ahead.html
	run ablate merge --rebuild
	exits 0
	says out "identical to before"
}

test_two_runs_on_one_database() {
	grid 2000
	"$ABLATE" run g.toml >/dev/null 2>first.err & pid=$!
	await 60 'grep -qs "\"t\":\"attempt\"" ablate.db-runs/*/*/journal.jsonl'
	run ablate run g.toml
	exits 5
	lines_of err 1
	says err "ablate run g.toml"
	run ablate status --json
	exits 0
	run ablate cancel
	exits 0
	code=0; wait $pid || code=$?
	check test "$code" -eq 143
	says first.err "ablate cancel"
	run ablate status
	says out "stopped"
}

test_odd_names_of_a_database() {
	grid 8
	run ablate run g.toml --db ""
	exits 2
	says err "--db: the name is empty"
	: >empty.db # as mktemp leaves it
	for db in empty.db ./-dash.db; do
		run ablate run g.toml --only base --set 'seeds.train=[1]' --db "${db#./}"
		exits 0
		[ "$(sql "$db" "SELECT count(*) FROM attempt WHERE state = 'done'")" -eq 1 ] || fail "$db: $(cat err)"
	done
	: >empty.db
	run ablate status --db empty.db
	exits 5
	says err "no such database"
	mkfifo pipe.db
	for command in "run g.toml" status; do
		run timeout 20 "$ABLATE" $command --db pipe.db
		exits 5
		says err "pipe.db: not a regular file"
	done
}

# What a shell, glob(3) or a URI would read otherwise.
test_names_that_are_patterns() {
	local db
	grid 4
	run ablate run g.toml --db good.db -q; exits 0; scores good.db >good.txt
	for db in 'a[1].db' 'b*.db' 'c?mode=ro#{x,y}.db' 'd\[e].db' "e 'f\" \$(g)~%20.db"; do
		run ablate run g.toml --db "$db" -q; exits 0
		run ablate prune --db "$db" --all --yes; exits 0
		run ablate merge --check --db "$db"; exits 0
		rm "$db"
		run ablate merge --rebuild --db "$db"; exits 0
		scores "$db" >now.txt; same good.txt now.txt
		rm -rf taken.db*
		run ablate merge --db taken.db "$db" "$db-runs"; exits 0
		run ablate merge --rebuild --db taken.db; exits 0
		scores taken.db >now.txt; same good.txt now.txt
		: >"$db.tmp-999999999" # of a dead one
		rm "$db"
		run ablate run g.toml --db "$db"; exits 0; says err "2 cached"
		check test ! -e "$db.tmp-999999999"
		run ablate table g.toml --db "$db"; exits 0
		run ablate export --db "$db" -o crate; exits 0; rm -r crate
	done
}

test_what_the_records_refuse() {
	grid
	run ablate status
	exits 5
	says err "no such database"
	run ablate status --db newer.db
	sqlite3 newer.db "PRAGMA application_id = $((0x41424C54)); PRAGMA user_version = 99; CREATE TABLE t(x);"
	before=$(sha256sum <newer.db)
	for command in "run g.toml" status "merge x.jsonl" "export"; do
		run ablate $command --db newer.db
		exits 5
		lines_of err 1
		says err "newer ablate"
	done
	check test "$before" = "$(sha256sum <newer.db)"
	echo "no database at all, but long enough to be one; sixteen bytes are looked at, and a hundred are read ............." >text.db
	run ablate run g.toml --db text.db
	exits 5
	says err "not a database"
	for command in "verify --sample 5%" "table g.toml" "figure g.toml bars -o x.png" "report g.toml -o r.html" "gate g.toml" "plan g.toml" status; do
		run ablate $command --db text.db
		exits 5
		lines_of err 1
		says err "not a database"
	done
	run ablate merge nothing.jsonl
	exits 5
	sed -i 's/train.steps/train.stpes/' g.toml
	run ablate run g.toml --db typo.db
	exits 2
	says err "train.steps"
	check test ! -e typo.db
	check test ! -e typo.db-runs
}

test_a_database_locked_by_another_program() {
	grid
	run ablate run g.toml
	exits 0
	( echo "BEGIN EXCLUSIVE;"; sleep 13; echo "COMMIT;" ) | sqlite3 ablate.db & locker=$!
	sleep 0.5
	run ablate merge ablate.db-runs
	exits 5
	lines_of err 1
	says err "locked by another program"
	wait $locker
	run ablate merge ablate.db-runs
	exits 0
}

test_a_folder_that_cannot_be_written() {
	grid
	read_only_folder ro
	run ablate run g.toml --db ro/a.db
	exits 5
	lines_of err 1
	says err "ro/a.db"
}

# A database that is gone comes back from its folder, whatever order journals and ledger refer to each other in: the
# verdict of `verify` stood before its attempts, and the run ended with "FOREIGN KEY constraint failed".
test_a_lost_database_with_verifications() {
	local id
	grid 8
	run ablate run g.toml; exits 0
	run ablate verify --sample 100%; exits 0
	rm ablate.db
	run ablate run g.toml --set 'seeds.train=[1]'
	exits 0; says err "1 cached"; says_not err "no journal here" # the other cell has its journal in the folder, too
	run ablate run g.toml; exits 0; says err "2 cached"; says_not err "no journal here"
	check test "$(sql ablate.db "SELECT count(*) FROM verify")" -eq 2
	run ablate merge --check; exits 0; says out "all agree"
	run ablate merge --rebuild; exits 0; says out "identical to before"
	# the repetition's folder is gone: its comparison waits, and is named
	id=$(sql ablate.db "SELECT b FROM verify LIMIT 1")
	rm -r ablate.db-runs/*/"$id"
	run ablate merge --rebuild; exits 5; says err "verify: refers to an attempt that has no journal here"
	says err "1 attempt of the old file is in no journal"
	check test "$(sql ablate.db "SELECT count(*) FROM verify")" -eq 1
	check test "$(sql ablate.db "SELECT count(*) FROM v_result")" -eq 2
}

# What happens to one journal of a study that has lost its database: DAMAGE FILE.
cut_in_the_middle() { sed -i '5s/.\{9\}$//' "$1"; }
flipped() { sed -i 's/"loss":/"lost":/' "$1"; }
not_json() { sed -i '4i hello' "$1"; }
sealed_as_before() { sed -i 's/"value":[0-9.e+-]*/"value":1.0/; s/"hex":"[^"]*"/"hex":"0x1p+0"/' "$1"; }
a_folder() { rm "$1" && mkdir "$1"; }
a_pipe() { rm "$1" && mkfifo "$1"; }
torn_binary() { printf '\0\0\0\0' | dd of="$1" bs=1 seek=700 conv=notrunc 2>/dev/null; }
of_another() { sed -i '/"t":"seal"/d; s/"seed":1/"seed":3/' "$1"; }
unlike_its_hex() { sed -i '/"t":"seal"/d; s/"value":[0-9.e+-]*/"value":1.0/' "$1"; }
test_one_damaged_journal_is_left_out() {
	local how victim
	grid 8
	run ablate run g.toml; exits 0
	ablate table g.toml >want.txt
	victim=$(sql ablate.db "SELECT substr(a.cell, 1, 12) || '/' || a.id FROM attempt a JOIN cell c ON c.hash = a.cell WHERE c.seed = 1")
	mv ablate.db good.db && mv ablate.db-runs good-runs
	for how in cut_in_the_middle flipped not_json sealed_as_before a_folder a_pipe torn_binary of_another unlike_its_hex; do
		rm -rf ablate.db ablate.db-* && cp -r good-runs ablate.db-runs
		$how "ablate.db-runs/$victim/journal.jsonl"
		run timeout 60 "$ABLATE" merge --rebuild
		[ "$code" -eq 5 ] || fail "$how: exit $code from a rebuild"
		says err "$victim/journal.jsonl: "; says err "; left out: "
		check test "$(sql ablate.db "SELECT count(*) FROM v_result")" -eq 1
		rm ablate.db
		run timeout 60 "$ABLATE" run g.toml
		[ "$code" -eq 5 ] || fail "$how: exit $code from a run"
		says err "$victim/journal.jsonl: "; says err "1 cached, 1 done; 1 damaged record left out"
		ablate table g.toml >now.txt; same want.txt now.txt
		run timeout 60 "$ABLATE" run g.toml --json
		exits 5; says out '"left_out": 1'; says err "2 cached; 1 damaged record left out"
		rm -r "ablate.db-runs/$victim"
		run ablate run g.toml; exits 0; says err "2 cells: 2 cached in"
	done
}

# A damaged line of the ledger costs that line.
test_a_damaged_line_of_the_ledger_is_left_out() {
	grid 8
	run ablate run g.toml; exits 0
	cp ablate.db-runs/ledger.jsonl good.jsonl
	sed -i '2s/"t":"arm"/"t";"arm"/' ablate.db-runs/ledger.jsonl
	cmp -s good.jsonl ablate.db-runs/ledger.jsonl && fail "the ledger is as it was"
	rm ablate.db
	run ablate run g.toml; exits 5; says err "ledger.jsonl: line 2: not a line of a ledger"; says err "2 cached; 1 damaged record left out"
	cp good.jsonl ablate.db-runs/ledger.jsonl
	run ablate run g.toml; exits 0
}

# The triggers guard the rows, and who takes them away is found by the journals.
test_an_edited_database_is_found() {
	grid 8
	run ablate run g.toml; exits 0
	cp ablate.db good.db
	run ablate merge --check; exits 0; says out "2 journals, every seal and row compared: all agree"
	edit() { sqlite3 ablate.db "$(sqlite3 good.db "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'"); $1" >sqlite.out 2>&1 || fail "$(cat sqlite.out)"; }
	edit "UPDATE metric SET value = 1.0, hex = '0x1p+0' WHERE attempt = (SELECT min(id) FROM attempt)"
	run ablate merge --check; exits 5; says err "in no journal: metric("; says err "hex=0x1p+0"; says err "not in the database: metric("
	says out "1 row in no journal, 1 not in the database"
	run ablate merge --check --json; exits 5; says out '"unrecorded": 1'
	cp good.db ablate.db
	edit "UPDATE curve SET value = 0.25 WHERE step = 2 AND name = 'loss'"
	run ablate merge --check; exits 5; says err "in no journal: curve("
	cp good.db ablate.db
	edit "PRAGMA foreign_keys = OFF; DELETE FROM metric"
	run ablate merge --check; exits 5; says out "0 rows in no journal, 2 not in the database"
	cp good.db ablate.db
	run ablate merge --check; exits 0
	run ablate merge --check x; exits 2
	[ -z "$(ls ablate.db.check-* 2>/dev/null)" ] || fail "something is left of the comparison"
}

# One flipped bit of a score turned 9.74 into 14.82, and every table showed it.
test_a_score_is_what_its_hex_says() {
	local c what edits
	grid 8
	run ablate run g.toml; exits 0
	cp ablate.db good.db
	edits=("value = value * 1.5" "hex = '0x1p+3'" "hex = 'eight'" "lo = value + 2, hi = value + 1" "value = NULL, hex = '0x1.0nan'")
	for what in "${edits[@]}"; do
		cp good.db ablate.db
		sqlite3 ablate.db "DROP TRIGGER metric_no_update; UPDATE metric SET $what WHERE attempt = (SELECT min(id) FROM attempt)" || fail "cannot edit"
		for c in "table g.toml" "report g.toml -o r.html" "figure g.toml bars -o x.png" "export --csv" "export --jsonl" "export --sql" "export --tensorboard tb" \
			"show $(sql good.db "SELECT min(id) FROM attempt")"; do
			run ablate $c
			[ "$code" -eq 5 ] || fail "$c: exit $code, with $what"
			lines_of err 1; says err "cell $(sql good.db "SELECT substr(cell, 1, 12) FROM attempt WHERE id = (SELECT min(id) FROM attempt)"), fid@1: "
			says err "ablate merge --rebuild"
		done
	done
	run ablate merge --rebuild; exits 0
	run ablate table g.toml; exits 0
}

# Damage in the journal of a cell that is running ends that attempt, not the run.
test_a_journal_damaged_while_its_cell_runs() {
	local victim
	grid 60
	run ablate run g.toml --db good.db; exits 0
	"$ABLATE" run g.toml >/dev/null 2>err & pid=$!
	await 60 'grep -qs "\"t\":\"curve\"" ablate.db-runs/*/*/journal.jsonl'
	victim=$(ls ablate.db-runs/*/*/journal.jsonl | head -1)
	echo "what a disk makes of it" >>"$victim"
	code=0; wait $pid || code=$?
	says err "$victim: line "; says err "not a journal line"; says err "1 damaged record left out"
	run ablate run g.toml
	exits 0
	scores good.db >a; scores ablate.db >b; same a b
}

# What was merged by its rows is in no journal: it was trained again when the database was gone.
test_a_lost_database_with_merged_rows() {
	grid 8
	run ablate run g.toml --db a.db; exits 0
	mv a.db-runs elsewhere
	run ablate merge a.db --db b.db; exits 0
	rm b.db
	run ablate run g.toml --db b.db; exits 0; says err "2 cells: 2 cached in"
	check test "$(sql b.db "SELECT count(*) FROM v_result")" -eq 2
	rm b.db
	sed -i 's/"name":"fid"/"name":"fad"/' b.db-runs/merged/*.jsonl
	run ablate run g.toml --db b.db; exits 5; says err "changed since it was taken"; says err "2 done; 1 damaged record left out"
}

run_tests
