#!/bin/bash
# signals.sh - signals as terminals, `timeout` and pipes send them: what hangs up or is closed loses no work, what is asked to stop stops at once
# and goes on later, and output that nobody reads stops nothing.
#   COUNT=40 ABLATE=PROGRAM tests/e2e/signals.sh test_a_closed_terminal_loses_nothing test_timeout_loses_nothing
# says how often of 40 times a worker was lost, of any program (the fast loop does it less often).
# ctest: slow, waits for trainings to begin and to end
. "$(dirname "$0")/lib.sh"

PTY=$BUILD/tests/pty_run
COUNT=${COUNT:-2}
STEPS=$((COUNT < 10 ? COUNT * 5000 : 50000)) # enough for all lives, with points of a curve that do not take long

grid() { small_grid "${1:-100000}" "${2:-4}"; } # [STEPS [BATCH]]

# Of the last attempts of DB: those of which at least N points of a curve are in a journal. So many are at work.
at_work() { # DB N
	local journal n=0
	for journal in "$1"-runs/*/*/journal.jsonl; do
		[ -e "$journal" ] && ! grep -q '"t":"end"' "$journal" && grep -q '"t":"curve"' "$journal" && n=$((n + 1))
	done
	[ $n -ge "$2" ]
}
one_seed() { sed -i 's/train = \[1, 2\]/train = [1]/' g.toml; }
gone() { ! kill -0 "$1" 2>/dev/null; } # PID
states() { sql "$1" "SELECT group_concat(state) FROM (SELECT state FROM attempt ORDER BY started, id)"; }
# Attempts that were not ended as they should: with a checkpoint, on request.
lost() { sql "$1" "SELECT count(*) FROM attempt WHERE state NOT IN ('stopped', 'done')"; }
ends_in() { [ -s "$1" ] && [ "$(states "$1" 2>/dev/null)" = "$2" ]; } # DB STATES
teardown() { [ -z "$(jobs -p)" ] || kill -KILL $(jobs -p) 2>/dev/null; }

# A terminal: on NAME starts COMMAND on it. `key NAME ORDER` is as pty_run says.
terminal() { # NAME COMMAND...
	local name=$1
	shift
	"$PTY" true </dev/null >/dev/null 2>&1 || skip "no pseudo terminals here"
	rm -f "$name.keys"
	mkfifo "$name.keys"
	"$PTY" "$@" <"$name.keys" >"$name.screen" 2>"$name.err" &
	terminal_pid=$!
	exec {keys}>"$name.keys"
}
key() { echo "$*" >&"$keys"; }
hang_up() { key close; exec {keys}>&-; }

# So often of COUNT times a run was ended that left a worker behind; each had two.
count_losses() { # DB WHAT
	local bad
	bad=$(sql "$1" "SELECT count(*) FROM (SELECT 1 FROM (SELECT state, (row_number() OVER (ORDER BY started, id) - 1) / 2 AS run FROM attempt) WHERE state NOT IN ('stopped', 'done') GROUP BY run)")
	echo "    $COUNT $2: workers lost $bad times, $(lost "$1") of $(sql "$1" "SELECT count(*) FROM attempt")"
	check [ "$bad" -eq 0 ]
	check [ "$(sql "$1" "SELECT count(*) FROM attempt WHERE state = 'stopped'")" -eq $((2 * COUNT)) ]
	check [ "$(sql "$1" "SELECT count(*) FROM attempt WHERE resumed_step > 0")" -eq $((2 * COUNT - 2)) ]
	whole "$1"
}

# A shell with a foreground job on a terminal, as people have it: the kernel hangs up on both, and the shell on its job once more.
test_a_closed_terminal_loses_nothing() {
	local i runner
	grid $STEPS
	for ((i = 1; i <= COUNT; i++)); do
		rm -f runner
		terminal a bash --norc -i
		key "type (echo \$BASHPID >runner.tmp && mv runner.tmp runner && exec '$ABLATE' run g.toml -j 2 --threads 1)^M"
		await 60 '[ -s runner ]'
		runner=$(<runner)
		await 60 'at_work ablate.db 2'
		sleep "0.$((RANDOM % 5))" # at any moment of a step, of a checkpoint, of the screen's bar
		hang_up
		await 60 "gone $runner"
		wait $terminal_pid
	done
	count_losses ablate.db "closed terminals"
}

# timeout signals its child, and then its group, in which the child is, too. SIGALRM is what tells it that the time is over.
test_timeout_loses_nothing() {
	local i timer options=("" "" "-s INT --foreground" "-k 60")
	grid $STEPS
	for ((i = 1; i <= COUNT; i++)); do
		set -- ${options[$i]:-}
		timeout "$@" 600 "$ABLATE" run g.toml -j 2 --threads 1 >out 2>err & timer=$!
		await 60 'at_work ablate.db 2'
		sleep "0.$((RANDOM % 5))"
		kill -ALRM $timer
		wait $timer
	done
	count_losses ablate.db "timeouts"
}

# The same where the second signal certainly comes when the first was heard, and the terminal goes, too.
test_more_signals_do_not_abort() {
	terminal a timeout 600 "$BUILD/tests/run-fake" k.db 1 1 3000 # one worker, in a step of three seconds
	await 60 'grep -qs attempt k.db-runs/*/*/journal.jsonl'
	local timer child
	read -r timer _ <"/proc/$terminal_pid/task/$terminal_pid/children"
	read -r child _ <"/proc/$timer/task/$timer/children"
	kill -ALRM "$timer"
	await 60 'grep -q stopping a.screen'
	kill -HUP -- "-$timer" 2>/dev/null # timeout's group
	kill -TERM "$child"
	hang_up
	await 60 "gone $child"
	check [ "$(states k.db)" = stopped ]
}

# The second interrupt, a second after the first, aborts; sooner it is the same one.
test_a_second_interrupt_aborts() {
	terminal a "$BUILD/tests/run-fake" k.db 1 1 600000 # one worker, in a step of ten minutes
	await 60 'grep -qs attempt k.db-runs/*/*/journal.jsonl'
	key "type ^C^C^C^C"
	await 60 'grep -q stopping a.screen'
	sleep 1.1
	says_not a.screen aborting
	key "type ^C"
	await 60 'grep -q aborting a.screen'
	code=0; wait $terminal_pid || code=$?
	exits 130
	check [ "$(states k.db)" = killed ]
}

test_nohup_and_disown_survive_the_terminal() {
	local how to=">out 2>err"
	grid 1000
	for how in nohup disown; do
		terminal a bash --norc -i
		key "type ${how/disown} '$ABLATE' run g.toml -j 2 --threads 1 --db $how.db $to & echo \$! >$how.runner; ${how/nohup/true}^M"
		await 60 "at_work $how.db 2"
		hang_up
		wait $terminal_pid
		await 120 "gone $(<$how.runner)"
		check [ "$(states $how.db)" = "done,done" ]
		to=">out" # and its words go to a terminal that is not there
	done
}

test_ctrl_c_with_tee_behind_it() {
	grid
	terminal a bash --norc -i
	key "type '$ABLATE' run g.toml -j 2 --threads 1 2>&1 | tee log^M"
	await 60 'at_work ablate.db 2'
	key "type ^C"
	key 'type echo ${PIPESTATUS[*]} >codes^M'
	await 60 '[ -s codes ]'
	check [ "$(<codes)" = "130 130" ]
	check [ "$(states ablate.db)" = stopped,stopped ]
	hang_up
}

# The command's stdout (and stderr, where it is sent there) is a pipe whose reader has left before it begins.
nobody_reads() { # COMMAND...
	rm -f pipe left
	mkfifo pipe
	{ until [ -e left ]; do sleep 0.02; done; exec "$@"; } >pipe 2>err & local pid=$!
	: <pipe
	touch left
	code=0; wait $pid || code=$?
}

test_a_reader_who_left_stops_nothing() {
	grid 40
	nobody_reads "$BASH" -c "exec '$ABLATE' run g.toml --threads 1 2>&1"
	exits 141
	check [ "$(states ablate.db)" = "done,done" ]
	nobody_reads "$ABLATE" run g.toml --threads 1 --db b.db
	exits 141
	says err "2 cells: 2 done"
	nobody_reads "$ABLATE" table g.toml
	exits 141
	lines_of err 0
	nobody_reads "$ABLATE" status --watch
	exits 141
	nobody_reads "$ABLATE" verify "$(sql ablate.db "SELECT min(id) FROM attempt")"
	exits 141
	check [ "$(sql ablate.db "SELECT count(*) FROM verify WHERE equal")" -eq 1 ]
	nobody_reads "$ABLATE" table nosuch # its own code goes before
	exits 2
	run "$BASH" -c "exec '$ABLATE' table g.toml >/dev/full" # while a disk that is full is said
	says err "cannot write the result"
}

test_closed_descriptors() {
	grid 40
	code=0; "$ABLATE" run g.toml --threads 1 <&- >&- 2>&- || code=$?
	exits 1 # the table could not be written
	check [ "$(states ablate.db)" = "done,done" ]
	whole ablate.db
	grep -rlE "2 cells: 2 done|deviates from" . >found && fail "what was said is in $(<found)"
	"$ABLATE" run g.toml --threads 1 --log run.log >out 2>&- # the log is not stderr
	check [ "$(grep -c "2 cells: 2 cached" run.log)" -eq 1 ]
	run ablate merge --rebuild # no line of ours in a journal
	exits 0
	says out "identical to before"
}

# A pager that shows its first page, a terminal after Ctrl-S: full, and open.
test_a_reader_who_does_not_read_on() {
	local run held
	mkfifo pipe
	exec {held}<>pipe
	dd if=/dev/zero of=pipe bs=4096 count=64 oflag=nonblock 2>/dev/null
	grid 40
	"$ABLATE" run g.toml --threads 1 >out 2>pipe & run=$!
	await 120 'ends_in ablate.db done,done'
	gone $run && fail "it did not wait to say so"
	cat <&$held >said &
	code=0; wait $run || code=$?
	exits 0
	kill $!
	await 20 'grep -aq "2 cells: 2 done" said'
	dd if=/dev/zero of=pipe bs=4096 count=64 oflag=nonblock 2>/dev/null
	grid
	"$ABLATE" run g.toml --threads 1 --db b.db >out 2>pipe & run=$!
	await 60 'at_work b.db 1'
	kill -TERM $run
	await 60 "gone $run"
	check [ "$(states b.db)" = stopped ]
}

# A worker that waits for another to make the features of the reference, which may take as long as it likes.
test_a_stop_is_heard_in_the_features_of_the_reference() {
	local lock reference
	grid 40
	one_seed
	run ablate run g.toml --threads 1 --db first.db; exits 0
	mkdir -p ablate.db-runs/refs
	reference=$(basename first.db-runs/refs/*.npz)
	exec {lock}>"ablate.db-runs/refs/$reference.lock"
	flock $lock
	terminal a "$ABLATE" run g.toml --threads 1
	await 60 'grep -q "features of the reference" a.screen'
	key "type ^C"
	code=0; wait $terminal_pid || code=$? # before, for ever
	exits 130
	check [ "$(states ablate.db)" = stopped ]
	flock -u $lock
	run ablate resume --threads 1; exits 0
	check [ "$(sql ablate.db "SELECT resumed_step FROM attempt WHERE state = 'done'")" -eq 40 ]
	sql first.db "SELECT hex FROM v_result" >a; sql ablate.db "SELECT hex FROM v_result" >b; same a b
}

test_a_wall_budget_over_slow_steps_says_how_to_go_on() {
	local where
	for where in cell grid; do
		grid 20 4096
		one_seed
		sed -i "/^\[base\]/i [budget]\n$where = { wall = \"1s\" }" g.toml
		run ablate run g.toml --db $where.db --threads 1
		exits 75
		check [ "$(states $where.db)" = timeout ]
		says err "1 timeout"
		tail -1 err >last
		says last "\`ablate resume --db $where.db\` continues"
	done
}

test_verify_is_interrupted() {
	grid 1000
	one_seed
	run ablate run g.toml --threads 1; exits 0
	terminal a "$ABLATE" verify --threads 1 --sample 100%
	await 60 'at_work ablate.db 1'
	key "type ^C^C"
	code=0; wait $terminal_pid || code=$?
	exits 130
	check [ "$(states ablate.db)" = "done,stopped" ]
	says a.screen "nothing was compared"
}

# mpirun dies of what comes before its processes are there, and passes on what comes later, as when its parent is killed.
test_several_processes_of_a_cell() {
	local run
	[ -e "$BUILD/libablate_mpi.so" ] && command -v mpirun >/dev/null || skip "no MPI here"
	no_sanitizers
	grid
	one_seed
	"$ABLATE" run g.toml --threads 1 --ranks 2 >out 2>err & run=$!
	await 60 'ls ablate.db-runs/*/*/job.json >/dev/null 2>&1'
	kill -TERM $run
	wait $run
	check [ "$(states ablate.db)" = stopped ]
	"$ABLATE" run g.toml --threads 1 --ranks 2 >out 2>err & run=$!
	await 60 'at_work ablate.db 1'
	kill -KILL $run
	wait $run 2>/dev/null
	await 60 '! at_work ablate.db 1'
	run ablate run g.toml --threads 1 --set train.steps=2 # which finds the end that it wrote
	check [ "$(sql ablate.db "SELECT count(*) FROM attempt WHERE state = 'stopped' AND reason LIKE 'asked to stop%'")" -eq 2 ]
}

test_a_plain_command_leaves_no_half_of_a_file() {
	local run how cell
	grid 2
	one_seed
	run ablate run g.toml --threads 1; exits 0
	cell=$(sql ablate.db "SELECT cell FROM attempt")
	export OMP_NUM_THREADS=1
	for how in "TERM many/ many.tmp-*/00499.png" "INT many.png many.png.tmp-*" "HUP many/ many.tmp-*/00000.png"; do
		set -- $how
		terminal a "$ABLATE" sample "$cell" -n 100000 -o "$2"
		await 60 "ls $3 >/dev/null 2>&1"
		run=$(sed 's/ .*//' /proc/$terminal_pid/task/$terminal_pid/children)
		kill -$1 "$run"
		code=0; wait $terminal_pid || code=$?
		exits $((128 + $(kill -l $1)))
		check [ "$(ls -d many* 2>/dev/null)" = "" ]
	done
}

run_tests "$@"
