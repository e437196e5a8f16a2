#!/bin/bash
# ctest: slow, cells trained on the emulated device, again and again
# device_faults.sh - what goes wrong with a card, under emulation: one line that names cause and remedy, a cell that says so in the
# record and goes on when it is asked to, and the other cells as if nothing had happened. tests/cuda_emu/emu_runtime.cc makes the faults.
. "$(dirname "$0")/lib.sh"
export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so

grid() { # STEPS [SEEDS]
	cat >g.toml <<-END
	schema = 1
	[grid]
	name  = "faults"
	seeds = { train = [${2:-1, 2}], eval = [101], paired = true }
	[base]
	preset = "ict-shapes8-ci"
	"net.channels" = 8
	"train.batch" = 4
	"train.steps" = $1
	[[metric]]
	name    = "fid"
	samples = 100
	nfe     = [1]
	ref     = "shapes8-train"
	END
}
device_run() { run ablate run g.toml --device cuda --threads 1 "$@"; } # OPTION...
states() { sql "$1" "SELECT state FROM attempt ORDER BY started, id" | paste -sd,; }
refused() { [ "$code" -ne 0 ] || fail "exit 0"; }
told() { [ "$(grep -cF -- "$1" err)" -eq "$2" ] || fail "$(grep -cF -- "$1" err) lines with '$1', wanted $2"; } # TEXT LINES

# Without the question at its opening, every kernel of every cell fails, some seconds later and in words that name no card.
test_a_card_that_the_plugin_was_not_built_for() {
	no_sanitizers
	local line='the plugin holds no code for emulated device (host) (compute capability 9.0), only for the host: build it with -DABLATE_CUDA_ARCHITECTURES=90-real'
	grid 6
	export ABLATE_EMU_NO_IMAGE=1
	device_run; refused
	says err "$line"
	[ ! -e ablate.db ] || check [ "$(states ablate.db | tr , '\n' | sort -u)" = failed ]
	run ablate doctor; says out "$line"
	run ablate bench train --device cuda; refused; says err "$line"
	unset ABLATE_EMU_NO_IMAGE
	device_run; exits 0
}

# In its first step, which leaves nothing, and after a checkpoint. Only the first process to come so far loses the card.
test_a_card_that_is_lost() {
	no_sanitizers
	local error at n part db
	grid 120
	device_run --db whole.db; exits 0
	sql whole.db "SELECT hex FROM v_result ORDER BY cell" >whole
	while read -r error at n part; do
		db=$error.db
		export ABLATE_EMU_LOST_WITH=$error ABLATE_EMU_LOST_ONCE=$PWD/$error.lost
		run env "ABLATE_EMU_LOST_$at=$n" "$ABLATE" run g.toml --device cuda --threads 1 --db "$db"; exits 1
		told "$part" 1
		says err '2 cells: 1 done, 1 failed'
		check [ "$(states "$db")" = failed,done ]
		run ablate status --db "$db"; says out '1 done, 1 failed'
		run ablate table g.toml --db "$db"; says out "$part"
		run ablate resume --device cuda --threads 1 --db "$db"; exits 0
		sql "$db" "SELECT hex FROM v_result ORDER BY cell" >again; same whole again
		sql "$db" "SELECT coalesce(max(resumed_step), 0) > 0 FROM attempt" >>resumed
	done <<-END
	719 AT 400 unspecified launch failure; if it comes again on another card
	214 AT_STEP 80 uncorrectable ECC error encountered; the card's memory is damaged: reset the card
	46 AT_STEP 80 busy or unavailable; another process has the card to itself
	END
	check [ "$(paste -sd, resumed)" = 0,1,1 ]
}

# Wherever memory ends, the line says how much was asked for and there was, and what was done by then is kept.
test_memory_that_ends_in_the_middle() {
	no_sanitizers
	local n
	grid 30 1
	for n in 4 8 12 14 16 18 20 60; do
		ABLATE_EMU_ALLOCATIONS=$n device_run --db "$n.db"
		states "$n.db" >>ends
		[ "$(states "$n.db")" = failed ] || continue
		exits 1
		told 'out of memory: ' 1
		told "were in use before (\`nvidia-smi\` tells by whom)" 1
		run ablate resume --device cuda --threads 1 --db "$n.db"; exits 0
		sql "$n.db" "SELECT coalesce(resumed_step, 0) FROM attempt WHERE state = 'done'" >>resumed
	done
	check [ "$(uniq ends | paste -sd,)" = failed,done ]
	check [ "$(uniq resumed | paste -sd,)" = 0,30 ] # some in its preparation, some in its scoring
}

# The card is shared: what another has is not ours, and the line says how much that is, and what would fit.
test_a_card_that_another_process_fills() {
	no_sanitizers
	grid 6 1
	export ABLATE_EMU_MEMORY=400000000
	ABLATE_EMU_USED=300000000 device_run --set train.batch=512; refused
	says err 'would fit'
	ABLATE_EMU_USED=390000000 device_run; refused
	says err 'out of memory: 64.0 MiB asked for, 9.5 of 381.5 are free; 371.9 were in use before'
	device_run; exits 0
}

# TERM while a device computes features for minutes: heard within a batch, not when they are done.
test_a_stop_is_heard_while_the_device_makes_the_features_of_the_reference() {
	no_sanitizers
	[ -d /usr/share/datasets/fashion-mnist ] || skip "the package is not installed"
	local run
	grid 2 1
	sed -i '/^"net.channels"/a"data.name" = "fashion-mnist"' g.toml
	sed -i 's/^samples .*/samples = 8/; s/^ref .*/ref = "fashion-mnist-train"\nextractor = "classifier"/' g.toml
	"$ABLATE" run g.toml --device cuda --threads 1 >out 2>err & run=$!
	await 120 'ls ablate.db-runs/refs/*.lock >/dev/null 2>&1'
	sleep 1 # in the middle of a batch
	SECONDS=0
	kill -TERM $run
	code=0; wait $run || code=$?
	exits 143
	check [ $SECONDS -lt 10 ]
	check [ "$(states ablate.db)" = stopped ]
}

# A plain command has no state to save: it goes at once, and leaves no half of a file.
test_a_plain_command_on_a_device_ends_at_once() {
	no_sanitizers
	[ -d /usr/share/datasets/fashion-mnist ] || skip "the package is not installed"
	local run
	"$ABLATE" features /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz -e classifier --device cuda -o f.npz >out 2>err & run=$!
	sleep 3 # it takes a minute
	SECONDS=0
	kill -TERM $run
	code=0; wait $run || code=$?
	exits 143
	check [ $SECONDS -lt 5 ]
	check [ "$(ls f.npz* 2>/dev/null)" = "" ]
}

run_tests "$@"
