#!/bin/bash
# ranks.sh - several processes train one cell together: the same batches, so the same losses but for the order of sums; a
# stop, a resume and a repetition with as many processes give the same bits.
# ctest: slow, several processes train one cell
. "$(dirname "$0")/lib.sh"

grid() { # FILE
	cat >"$1" <<'TOML'
schema = 1
[grid]
name = "ranks"
seeds = { train = [1] }
[base]
preset = "ict-shapes8-ci"
"train.steps" = 60
"train.batch" = 8
"net.dropout" = 0.3
TOML
}
ready() {
	[ -e "$BUILD/libablate_mpi.so" ] && command -v mpirun >/dev/null || skip "no MPI here"
	no_sanitizers
	grid grid.toml
}
losses() { sql "$1" "SELECT step, value FROM curve WHERE name = 'loss' ORDER BY step"; } # DB

test_two_processes_make_the_losses_of_one() {
	ready
	run ablate run grid.toml --db one.db --threads 1; exits 0
	run ablate run grid.toml --db two.db --threads 1 --ranks 2; exits 0
	losses one.db >one; losses two.db >two
	[ "$(wc -l <one)" -ge 50 ] || fail "only $(wc -l <one) points"
	paste -d'|' one two | awk -F'|' '{ d = $2 - $4; if (d < 0) d = -d; if ($1 != $3 || !(d <= 1e-5 * $2)) { print "step", $1, $2, $4; bad = 1 } } END { exit bad }' >far ||
		fail "losses apart: $(head -3 far)"
	[ "$(sql two.db "SELECT json_extract(json, '\$.ranks') FROM env")" = 2 ] || fail "the environment does not say 2 processes"
	whole two.db
}

# The same on a device each, under emulation: what travels beside the backward pass is kept in the recorded step.
test_two_devices_make_the_losses_of_one() {
	ready
	export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so ABLATE_EMU_DEVICES=2
	sed -i 's/"train.steps" = 60/"train.steps" = 12/' grid.toml
	run ablate run grid.toml --db one.db --threads 1 --device cuda; exits 0
	run ablate run grid.toml --db two.db --threads 1 --device cuda --ranks 2; exits 0
	run ablate run grid.toml --db again.db --threads 1 --device cuda --ranks 2; exits 0
	losses one.db >one; losses two.db >two; losses again.db >again
	[ "$(wc -l <one)" -ge 10 ] || fail "only $(wc -l <one) points"
	paste -d'|' one two | awk -F'|' '{ d = $2 - $4; if (d < 0) d = -d; if ($1 != $3 || !(d <= 1e-5 * $2)) { print "step", $1, $2, $4; bad = 1 } } END { exit bad }' >far ||
		fail "losses apart: $(head -3 far)"
	same two again
	ABLATE_EMU_DEVICES=1 run ablate run grid.toml --db few.db --threads 1 --device cuda --ranks 2
	exits 1
	says err 'failed: rank 1 exited with code 2; its log ends with: ablate: --device cuda:1: there is 1 CUDA device, cuda:0'
}

test_two_processes_repeat_their_bits() {
	ready
	run ablate run grid.toml --db two.db --threads 1 --ranks 2; exits 0
	run ablate verify --sample 100% --db two.db; exits 0
}

# The clocks of the processes differ: the first one's decides at which step all of them meet for a checkpoint.
test_two_processes_write_checkpoints_by_time() {
	ready
	run ablate run grid.toml --db two.db --threads 1 --ranks 2; exits 0
	run ablate run grid.toml --db time.db --threads 1 --ranks 2 --set budget.cell.checkpoint=0.02s; exits 0
	check test "$(sql time.db "SELECT count(*) FROM checkpoint")" -gt "$(sql two.db "SELECT count(*) FROM checkpoint")"
	losses two.db >two; losses time.db >time
	same two time
}

test_a_stopped_pair_goes_on_to_the_same_bits() {
	ready
	sed -i 's/"train.steps" = 60/"train.steps" = 400/' grid.toml
	run ablate run grid.toml --db whole.db --threads 1 --ranks 2; exits 0
	"$ABLATE" run grid.toml --db two.db --threads 1 --ranks 2 >/dev/null 2>log & pid=$!
	await 120 'grep -qs "\"checkpoint\"" two.db-runs/*/*/journal.jsonl'
	kill -TERM "$pid"
	wait "$pid"
	run ablate resume --db two.db --threads 1 --ranks 2; exits 0
	[ "$(sql two.db "SELECT group_concat(state) FROM (SELECT state FROM attempt ORDER BY n)")" = stopped,done ] || fail "not stopped, then done"
	losses whole.db >whole; losses two.db | sort -n -u >two
	same whole two
}

# mpirun ends the other process by SIGTERM, which is no request to stop: right after a checkpoint it would be taken for one. Before, the
# reason was the last line of what mpirun says of it, a ruler.
test_a_killed_process_is_named() {
	local p run
	ready
	sed -i 's/"train.steps" = 60/"train.steps" = 100000/' grid.toml
	"$ABLATE" run grid.toml --db two.db --threads 1 --ranks 2 --set budget.cell.checkpoint=0.0001s >/dev/null 2>err & run=$!
	await 120 'grep -qs "\"checkpoint\"" two.db-runs/*/*/journal.jsonl'
	for p in $(pgrep -x ablate); do
		[ "$(readlink /proc/$p/cwd)" = "$PWD" ] && grep -qzx OMPI_COMM_WORLD_RANK=1 /proc/$p/environ && kill -KILL "$p"
	done
	code=0; wait "$run" || code=$?
	exits 1
	says err "killed: rank 1 was killed by signal 9 (Killed), by hand or for want of memory"
	check [ "$(sql two.db "SELECT state || signal || reason FROM attempt")" = "killed9rank 1 was killed by signal 9 (Killed), by hand or for want of memory" ]
}

test_a_batch_that_does_not_divide_is_refused() {
	ready
	sed -i 's/"train.batch" = 8/"train.batch" = 7/' grid.toml
	run ablate run grid.toml --threads 1 --ranks 2
	[ "$code" -ne 0 ] || fail "7 images were shared by 2"
	says err 'train.batch = 7 cannot be shared equally by 2 processes'
}

run_tests "$@"
