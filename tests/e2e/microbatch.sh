#!/bin/bash
# microbatch.sh - a batch that does not fit a device's memory: the plan says so and what would fit, a run refuses the cell
# before anything is computed, micro-batches train it, and what they were is on record.
# ctest: slow, cells trained on the emulated device
. "$(dirname "$0")/lib.sh"

grid() { # FILE BATCH STEPS
	cat >"$1" <<TOML
schema = 1
[grid]
name = "micro"
seeds = { train = [1] }
[base]
preset = "ict-shapes8-ci"
"train.steps" = $3
"train.batch" = $2
"net.channels" = 8
"net.dropout" = 0.3
TOML
}
# A device of 90 MB, of which its libraries' workspace takes 67.
small_device() { export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so ABLATE_EMU_MEMORY=90000000; }
losses() { sql "$1" "SELECT step, value FROM curve WHERE name = 'loss' ORDER BY step"; } # DB
near() { # DB DB
	losses "$1" >near1; losses "$2" >near2
	[ -s near1 ] || fail "no losses"
	paste -d'|' near1 near2 | awk -F'|' '{ d = $2 - $4; if (d < 0) d = -d; if ($1 != $3 || !(d <= 1e-5 * $2)) { print "step", $1, $2, $4; bad = 1 } } END { exit bad }' >far ||
		fail "losses apart: $(head -3 far)"
}

test_a_plan_says_what_a_step_takes_and_what_would_fit() {
	small_device
	grid grid.toml 512 2
	run ablate plan grid.toml --device cuda; exits 0
	grep -Eq '^memory of cuda:0: 0\.[0-9]+ GB of 0\.0229, 512 samples at once: does not fit, --microbatch [0-9]+ would$' out || fail "$(cat out)"
	grep -q '^blocked: 512 samples at once need' out || fail "not blocked: $(cat out)"
	n=$(sed -nE 's/.*--microbatch ([0-9]+) would$/\1/p' out)
	run ablate plan grid.toml --device cuda --microbatch "$n"; exits 0
	grep -q ", $n samples at once, $((512 / n)) times for each step\$" out || fail "$(cat out)"
	grep -q '1 pending, 0 blocked' out || fail "$(cat out)"
	run ablate plan grid.toml --device cuda --microbatch auto --json; exits 0
	grep -q "\"microbatch\":$n,\"parts\":$((512 / n))" out || fail "auto is not $n: $(cat out)"
	run ablate plan grid.toml --device cuda --jobs 2; exits 0 # cells at once share the memory
	grep -q '^memory of cuda:0: .* of 0.0114, ' out || fail "$(cat out)"
	run ablate plan grid.toml --device cpu; exits 0
	grep -q '^memory of cpu: 0\.[0-9]* GB of [0-9.]*, 512 samples at once$' out || fail "$(cat out)"
}

test_a_cell_that_cannot_fit_is_refused_before_it_starts() {
	small_device
	grid grid.toml 512 2
	run ablate run grid.toml --device cuda --threads 1; exits 1
	grep -q 'base seed 1 .*: blocked: 512 samples at once need .*; --microbatch [0-9]* would fit' err || fail "$(cat err)"
	[ "$(sql ablate.db "SELECT state FROM attempt")" = blocked ] || fail "$(sql ablate.db "SELECT state, reason FROM attempt")"
}

test_what_does_not_divide_is_a_usage_error() {
	grid grid.toml 8 2
	run ablate run grid.toml --device cpu --microbatch 3; exits 2
	grep -q 'micro-batches of 3 do not divide the 8 samples of train.batch = 8' err || fail "$(cat err)"
	run ablate run grid.toml --device cpu --microbatch 0; exits 2
	run ablate plan grid.toml --device cpu --microbatch some; exits 2
	[ ! -e ablate.db ] || fail "something was recorded"
}

test_micro_batches_are_on_record_and_repeat_their_bits() {
	no_sanitizers
	grid grid.toml 8 40
	run ablate run grid.toml --db whole.db --device cpu --threads 1; exits 0
	run ablate run grid.toml --db micro.db --device cpu --threads 1 --microbatch 2; exits 0
	grep -q 'base: 2 samples at once, 4 times for each step' err || fail "$(cat err)"
	near whole.db micro.db
	[ "$(sql micro.db "SELECT json_extract(json, '\$.microbatch') FROM env")" = 2 ] || fail "the environment does not say 2"
	[ -z "$(sql whole.db "SELECT json_extract(json, '\$.microbatch') FROM env")" ] || fail "a whole batch is no micro-batch"
	run ablate verify --sample 100% --db micro.db --device cpu; exits 0
	run ablate run grid.toml --db micro.db --device cpu; exits 0 # a micro-batch is no other cell
	grep -q '1 cached' err || fail "$(cat err)"
}

# train.microbatch belongs to where a cell runs: it makes no other cell, and two rows cannot differ in it alone.
test_a_grid_may_ask_for_micro_batches() {
	no_sanitizers
	grid grid.toml 8 10
	run ablate run grid.toml --db micro.db --device cpu --threads 1 --microbatch 2; exits 0
	echo '"train.microbatch" = 2' >>grid.toml
	run ablate run grid.toml --db micro.db --device cpu; exits 0
	grep -q '1 cached' err || fail "$(cat err)"
	run ablate run grid.toml --db asked.db --device cpu --threads 1; exits 0
	grep -q 'base: 2 samples at once, 4 times for each step' err || fail "$(cat err)"
	losses micro.db >one; losses asked.db >two; same one two
	run ablate plan grid.toml --device cpu --microbatch 4; exits 0
	grep -q ', 4 samples at once, 2 times' out || fail "the option does not go before the grid: $(cat out)"
	printf '[variants]\nfour = { set = { "train.microbatch" = 4 } }\n[[chain]]\nname = "c"\nmode = "one-at-a-time"\nsteps = ["four"]\n' >>grid.toml
	run ablate plan grid.toml --device cpu; exits 2
	says err 'in train.microbatch alone: that makes no other cell'
}

test_going_on_in_another_micro_batch_is_said() {
	no_sanitizers
	grid grid.toml 8 400
	"$ABLATE" run grid.toml --db micro.db --device cpu --threads 1 --microbatch 2 >/dev/null 2>log & pid=$!
	await 120 'grep -qs "\"checkpoint\"" micro.db-runs/*/*/journal.jsonl'
	kill -TERM "$pid"
	wait "$pid"
	run ablate resume --db micro.db --device cpu --threads 1 --microbatch 4; exits 0
	grep -q 'base seed 1 .*: goes on in another environment than attempt .* (micro-batches of 2, then micro-batches of 4): the same up to rounding' err || fail "$(cat err)"
	[ "$(sql micro.db "SELECT group_concat(m) FROM (SELECT json_extract(e.json, '\$.microbatch') AS m FROM attempt a JOIN env e ON e.hash = a.env ORDER BY a.n)")" = 2,4 ] ||
		fail "not 2, then 4"
}

test_processes_have_micro_batches_of_their_own() {
	no_sanitizers
	[ -e "$BUILD/libablate_mpi.so" ] && command -v mpirun >/dev/null || skip "no MPI here"
	grid grid.toml 8 30
	run ablate run grid.toml --db one.db --device cpu --threads 1; exits 0
	run ablate run grid.toml --db two.db --device cpu --threads 1 --ranks 2 --microbatch 2; exits 0
	near one.db two.db
	run ablate run grid.toml --db bad.db --device cpu --threads 1 --ranks 2 --microbatch 8; exits 2
	export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so ABLATE_EMU_DEVICES=2
	sed -i 's/"train.steps" = 30/"train.steps" = 6/' grid.toml
	run ablate run grid.toml --db dev1.db --device cuda --threads 1; exits 0
	run ablate run grid.toml --db dev2.db --device cuda --threads 1 --ranks 2 --microbatch 2; exits 0
	near dev1.db dev2.db
}

run_tests "$@"
