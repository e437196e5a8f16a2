#!/bin/bash
# device.sh - cells on the CUDA back end from grid to table, under emulation: the same commands as on a GPU, with a device that is a
# host library. Also a device that is not there, of another build, short of memory, or lost in the middle of a cell.
# ctest: slow, cells trained on the emulated device
. "$(dirname "$0")/lib.sh"
export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so

grid() { # DTYPE [STEPS]
	cat >g.toml <<END
schema = 1
[grid]
name  = "device"
seeds = { train = [1], eval = [101], paired = true }
[base]
preset = "ict-shapes8-ci"
"net.channels" = 8
"train.batch" = 4
"train.steps" = ${2:-6}
"train.dtype" = "$1"
[[metric]]
name    = "fid"
samples = 100
nfe     = [1]
ref     = "shapes8-train"
END
}

# The same cell on both: the images differ in a byte here and there, the number by less than the table shows of it.
test_a_cell_runs_from_training_to_a_number() {
	no_sanitizers
	grid fp32
	run ablate run g.toml --device cuda --db cuda.db; exits 0
	run ablate run g.toml --device cpu --db cpu.db; exits 0
	check [ "$(sql cuda.db "SELECT json_extract(json, '\$.device') FROM env")" = cuda:0 ]
	sql cuda.db "SELECT json FROM env" >env && says env 'emulated device'
	run ablate table g.toml --db cuda.db; exits 0; mv out cuda.out
	run ablate table g.toml --db cpu.db; exits 0
	says out 'FID-100'
	same out cuda.out
}

# A CPU's journal says what computed the products; one that cannot is refused before anything is trained.
test_bf16_trains_on_the_device_and_on_cpus_that_multiply_it() {
	no_sanitizers
	grid tf32
	run ablate run g.toml --device cpu
	exits 1
	says err 'no CPU has it; ask for "fp32" or "bf16"'
	grid bf16
	run ablate run g.toml --device cpu --db low.db
	if grep -qw avx512_bf16 /proc/cpuinfo; then
		exits 0
		find . -name journal.jsonl -exec cat {} + >journals
		check grep -q 'cpu: convolutions of a step: products of bf16 (AVX512_BF16)' journals
	else
		exits 1
		says err 'this processor has no products of bf16'
	fi
	run ablate run g.toml --device cuda
	exits 0
	find . -name journal.jsonl -exec cat {} + >journals
	check grep -q 'convolutions of a step: [0-9]* by cuDNN, [0-9]* by the plugin' journals
}

test_without_the_libraries_own_kernels_stand_in_and_are_recorded() {
	no_sanitizers
	grid fp32
	export ABLATE_CUBLASLT=none ABLATE_CUDNN=none
	run ablate doctor
	says out 'own products (ABLATE_CUBLASLT=none), own convolutions (ABLATE_CUDNN=none)'
	run ablate run g.toml --device cuda --db own.db
	exits 0
	sql own.db "SELECT json FROM env" >env && says env 'own convolutions (ABLATE_CUDNN=none)'
	find . -name journal.jsonl -exec cat {} + >journals
	check grep -q 'convolutions of a step: 0 by cuDNN, [1-9][0-9]* by the plugin' journals
	unset ABLATE_CUBLASLT ABLATE_CUDNN
}

# What the clock chose decides bits: it is in the record, and the file has it for the next run.
test_engines_chosen_by_the_clock_are_recorded_and_taken_up_again() {
	no_sanitizers
	grid fp32
	export ABLATE_CUDNN_TUNE=$PWD/engines
	run ablate run g.toml --device cuda --db first.db; exits 0
	check [ "$(grep -c 'emulated device.*forward.*bias' engines)" -ge 2 ]
	cp engines before
	find . -name journal.jsonl -exec cat {} + >journals
	sql first.db 'SELECT json FROM env' >env && says env 'engines by time'
	check grep -q 'fp32 weights gradient, [^"]*: engine 4[01], knobs 7=4[01], workspace 0 bytes, [0-9.]* us when it was chosen' journals
	run ablate run g.toml --device cuda --db second.db; exits 0
	same before engines
	check [ "$(sql first.db 'SELECT group_concat(value) FROM v_result')" = "$(sql second.db 'SELECT group_concat(value) FROM v_result')" ]
	echo junk >>engines
	run ablate run g.toml --device cuda --db third.db; exits 1
	says err 'is not one of a file of engines (ABLATE_CUDNN_TUNE): delete it, or the file'
	unset ABLATE_CUDNN_TUNE
}

# A missing library changes the speed and the bits: nobody may learn it from the numbers. Where it was disabled, it is not missed.
test_a_library_that_is_missed_is_told_first_and_recorded() {
	no_sanitizers
	grid fp32
	missed='ablate: warning: --device cuda: own convolutions (no /none-such.so)'
	ABLATE_CUDNN=/none-such.so run ablate run g.toml --device cuda --db missed.db
	exits 0
	head -1 err >first && says first "$missed"
	sql missed.db "SELECT json FROM env" >env && says env 'own convolutions (no /none-such.so)'
	ABLATE_CUDNN=/none-such.so run ablate bench train --preset ict-shapes8-ci --batch 1 --seconds 0.1 --device cuda --json -q
	exits 0
	head -1 err >first && says first "$missed"
	says out 'own convolutions (no /none-such.so)'
	ABLATE_CUDNN=none run ablate run g.toml --device cuda --db unwanted.db
	exits 0
	says_not err 'own convolutions'
	ABLATE_CUDNN=/none-such.so run ablate run g.toml --device cpu --db cpu.db
	says_not err 'own convolutions'
}

# Who computed a score stands beside it in the record, in what shows it and in what leaves; on the host nothing is said.
test_a_score_tells_what_the_device_computed() {
	no_sanitizers
	grid fp32 2
	sed -i '/^"net.channels"/a"data.name" = "fashion-mnist"' g.toml
	sed -i 's/^samples .*/samples = 8/; s/^ref .*/ref = "fashion-mnist-test"\nextractor = "classifier"/' g.toml
	run ablate run g.toml --device cuda --db cuda.db; exits 0
	by=$(sql cuda.db "SELECT computed_by FROM v_result")
	case $by in 'features: cuda:0 ('*'; singular values: '*) ;; *) fail "computed_by: $by" ;; esac
	run ablate show "$(sql cuda.db 'SELECT hash FROM cell')" --db cuda.db; says out "$by"
	run ablate export --csv --db cuda.db; says out "$by"
	run ablate run g.toml --device cpu --db cpu.db; exits 0
	check [ -z "$(sql cpu.db "SELECT computed_by FROM v_result")" ]
}

test_devices_that_are_not_there() {
	grid fp32
	run ablate run g.toml --device cuda:7
	exits 2
	says err 'there is 1 CUDA device'
	ABLATE_EMU_DEVICES=0 run ablate run g.toml --device cuda
	exits 2
	says err 'no CUDA device'
	ABLATE_EMU_DRIVER=12040 run ablate run g.toml --device cuda
	exits 2
	says err 'too old'
	ABLATE_EMU_DRIVER=0 run ablate run g.toml --device cuda
	exits 2
	says err 'no NVIDIA driver'
	ABLATE_CUDA_PLUGIN=/nonexistent/plugin.so run ablate run g.toml --device cuda
	exits 2
	says err '/nonexistent/plugin.so'
	ABLATE_CUDA_PLUGIN=$BUILD/tests/libstrange_plugin.so run ablate run g.toml --device cuda
	exits 2
	says err 'built from other sources'
	check [ ! -e strange-plugin-ran ]
	check [ ! -e ablate.db ]
}

test_a_device_lost_in_a_cell_is_a_failure_with_a_reason_and_the_cell_resumes() {
	no_sanitizers
	grid fp32 40
	ABLATE_EMU_FAIL_AT=4000 run ablate run g.toml --device cuda
	exits 1
	says err 'launch failure'
	run ablate resume device --device cuda
	exits 0
}

test_doctor_names_the_device() {
	run ablate doctor
	says out 'emulated device'
	ABLATE_EMU_DEVICES=0 run ablate doctor
	says out 'no CUDA device'
}

# What a run has found out, to the bit, under identities that no device is part of.
bits() { # DB
	sql "$1" "SELECT c.hash, v.name, v.step, hex(v.value) FROM curve v JOIN attempt a ON a.id = v.attempt JOIN cell c ON c.hash = a.cell ORDER BY 1, 2, 3;
		SELECT c.hash, r.name, r.hex FROM v_result r JOIN cell c ON c.hash = r.cell ORDER BY 1, 2;
		SELECT c.hash, p.step, p.artifact FROM checkpoint p JOIN attempt a ON a.id = p.attempt JOIN cell c ON c.hash = a.cell ORDER BY 1, 2"
}
# The cards of the cells that were done, by their number and as they are called: "0 cuda:0" for each.
cards_of() { # DB
	sql "$1" "SELECT substr(json_extract(e.json, '\$.device_facts.uuid'), -1), json_extract(e.json, '\$.device') FROM attempt a
		JOIN env e ON e.hash = a.env WHERE a.state = 'done' ORDER BY 1" | tr '|' ' '
}
grid_of_cells() { # SEEDS [STEPS]
	grid fp32 "${2:-3}"
	sed -i "s/train = \[1\]/train = [$1]/" g.toml
}

# Every job had cuda:0, whatever the machine has and whatever -j says.
test_cells_are_spread_over_the_cards_and_keep_their_bits() {
	no_sanitizers
	grid_of_cells 1,2,3,4
	run ablate run g.toml --device cuda --threads 1 --db one.db; exits 0
	check [ "$(cards_of one.db | sort | uniq -c | xargs)" = '4 0 cuda:0' ]
	export ABLATE_EMU_DEVICES=2
	run ablate run g.toml --device cuda --threads 1 --db two.db; exits 0
	says err 'started on cuda:1, attempt'
	cards_of two.db | sort -u >cards; printf '0 cuda:0\n1 cuda:1\n' >wanted; same wanted cards
	bits one.db >one; bits two.db >two
	check [ "$(wc -l <one)" -ge 16 ]
	same one two
	run ablate show "$(sql two.db "SELECT a.id FROM attempt a JOIN env e ON e.hash = a.env WHERE json_extract(e.json, '\$.device') = 'cuda:1' LIMIT 1")" --db two.db
	says out 'GPU-00112233-4455-6677-8899-aabbccddeef1'
	unset ABLATE_EMU_DEVICES
}

# Two at once on each, in the order of the cards; and one card alone where one is named.
test_a_card_has_as_many_cells_as_are_asked_for() {
	no_sanitizers
	grid_of_cells 1,2,3,4
	export ABLATE_EMU_DEVICES=2
	run ablate run g.toml --device cuda -j 4 --threads 1 --db four.db; exits 0
	check [ "$(cards_of four.db | xargs)" = '0 cuda:0 0 cuda:0 1 cuda:1 1 cuda:1' ]
	run ablate run g.toml --device cuda:1 -j 2 --threads 1 --db named.db; exits 0
	check [ "$(cards_of named.db | sort -u)" = '1 cuda:1' ]
	unset ABLATE_EMU_DEVICES
}

test_lists_and_hidden_cards() {
	no_sanitizers
	grid_of_cells 1,2
	export ABLATE_EMU_DEVICES=4
	run ablate run g.toml --device cuda:1,cuda:3 --threads 1 --db list.db; exits 0
	check [ "$(cards_of list.db | xargs)" = '1 cuda:1 3 cuda:3' ]
	CUDA_VISIBLE_DEVICES=2,3 run ablate run g.toml --device cuda --threads 1 --db shown.db; exits 0
	check [ "$(cards_of shown.db | xargs)" = '2 cuda:0 3 cuda:1' ]
	CUDA_VISIBLE_DEVICES=3 run ablate run g.toml --device cuda:1 --db none.db; exits 2; says err 'there is 1 CUDA device'
	run ablate run g.toml --device cuda:1,cpu --db none.db; exits 2; says err 'a list has cuda:N alone'
	run ablate run g.toml --device cuda:1,cuda:01 --db none.db; exits 2; says err 'cuda:1 is named twice'
	check [ ! -e none.db ]
	unset ABLATE_EMU_DEVICES
}

# It takes no part from there on; the cell that met it is not to blame, and on_failure does not count it.
test_a_card_that_cannot_be_opened_is_left_out() {
	no_sanitizers
	grid_of_cells 1,2,3
	sed -i '/^\[base\]/i[budget]\non_failure = "stop"\n' g.toml
	export ABLATE_EMU_DEVICES=2 ABLATE_EMU_BROKEN=0
	run ablate run g.toml --device cuda --threads 1; exits 0
	says err 'cuda:0 is left out from here on: cuda:0: plugin.cu'
	says err 'busy or unavailable'
	check [ "$(grep -c 'left out' err)" = 1 ]
	check [ "$(cards_of ablate.db | xargs)" = '1 cuda:1 1 cuda:1 1 cuda:1' ]
	check [ "$(sql ablate.db "SELECT count(*), min(exit_code) FROM attempt WHERE state = 'failed'")" = '1|69' ]
	run ablate run g.toml --device cuda:0 --threads 1 --db alone.db; exits 1
	says_not err 'left out'
	says err 'busy or unavailable'
	unset ABLATE_EMU_DEVICES ABLATE_EMU_BROKEN
}

run_tests "$@"
