#!/bin/bash
# gpu_check.sh - ci/gpu-check.sh from a bundle's folder as ci/gpu-bundle.sh lays it out, rehearsed on the emulated device: every step of its
# three parts is run or says why not, and the reports are whole. Also stopped or killed in the middle, with nothing in the environment, and
# without any device.
# ctest: slow, the whole first half hour on a card, emulated
. "$(dirname "$0")/lib.sh"

has_python() { command -v python3 >/dev/null || skip "no python3 to read the report with"; }
bundle() { "$SOURCE/ci/gpu-bundle.sh" --lay-out "$PWD/bundle" "$BUILD" >lay 2>&1 || fail "$(cat lay)"; }
# The environment that a remote command may get: neither HOME nor anything else.
bare() { env -i PATH="$PWD/bin:/usr/local/bin:/usr/bin:/bin" GPU_CHECK_LIMIT=1200 GPU_CHECK_PLUGIN="$BUILD/tests/libablate_cuda_emu.so" "$@"; }
begin() { env -i PATH=/usr/local/bin:/usr/bin:/bin GPU_CHECK_PLUGIN="$BUILD/tests/libablate_cuda_emu.so" "$@" >log 2>&1 & } # $! is its number
# What comes back: at most eight files, each whole.
comes_back() { # FOLDER
	[ "$(find "$1" -type f | wc -l)" -le 8 ] || fail "more than 8 files: $(ls "$1")"
	check tar -tzf "$1/report.tar.gz" >files
	check python3 -m json.tool "$1/report.json" >report.pretty
}
tool() { # NAME LINE...: a program that this machine may lack
	mkdir -p bin
	printf '%s\n' '#!/bin/bash' "${@:2}" >"bin/$1"
	chmod +x "bin/$1"
}

test_correctness_is_rehearsed() {
	no_sanitizers
	has_python
	bundle
	run bare bundle/ci/gpu-check.sh correctness report
	exits 0
	for step in one-op ops-mixed ops-own-bf16 convs train-steps dtypes-ict parity training pictures moments singular features lpips dtypes; do says out "passed $step"; done
	command -v compute-sanitizer >/dev/null || says out 'skipped racecheck'
	comes_back report
	says report.pretty '"rehearsal": true'
	says report.pretty '"state": "whole"'
	says report/report.md '| training | passed |'
	says report/report.md 'Deviation by precision, shapes of ict-cifar10'
	says report/report.md 'no GPU: a rehearsal'
	check bash -c '. report/env.sh && ablate version'
}

# ncu and nvidia-smi are imitated: what is made of their answers is ours.
test_speed_is_rehearsed() {
	no_sanitizers
	has_python
	bundle
	tool ncu 'while [ "$1" != --log-file ]; do shift; done; log=$2; shift 2; "$@" || exit' 'printf "%s\n" "==PROF== on" "\"ID\",\"Kernel Name\",\"Metric Name\",\"Metric Value\"" \
		"\"0\",\"norm<float, 2>(int)\",\"dram__bytes.sum\",\"3,000,000\"" "\"0\",\"norm<float, 2>(int)\",\"gpu__time_duration.sum\",\"2,000\"" >"$log"'
	tool nvidia-smi 'case "$*" in *-lms*) printf "%s\n" "timestamp, clocks.current.sm [MHz]" "a, 1000" "b, 1980"; sleep 100 ;; *) echo "a card" ;; esac'
	run bare bundle/ci/gpu-check.sh speed report
	exits 0
	for step in clocks-before bench-bf16 profile clocks ncu bench-features-bf16 bench-own-bf16 bench-pictures; do says out "passed $step"; done
	comes_back report
	says report.pretty '"images_per_s"'
	says report.pretty 'by cuDNN'
	check python3 -c 'import json; r = json.load(open("report/report.json"))["images_per_s_by_route"]; assert len(r) == 3 and all(x["as_found"] > 0 for x in r) and r[0]["own_kernels"] > 0 and r[1]["own_kernels"] > 0'
	says report/report.md '| bench | as found | own kernels |'
	says report/report.md 'the shapes that take the most time'
	says report/report.md '       1      0.002 100.0%     0.003    1500  norm<float, 2>(int)'
	check grep -qE 'clocks.current.sm .* 1000.0 to +1980.0, mean +1490.0' report/report.md
}

test_a_study_is_rehearsed() {
	no_sanitizers
	has_python
	bundle
	run bare bundle/ci/gpu-check.sh study report
	exits 0
	for step in study-run study-table study-report study-pack study-verify; do says out "passed $step"; done
	comes_back report
	says report/report.md 'uniform noise'
	says files ./study/order.db
	says files journal.jsonl
	says_not files .ckpt
}

test_a_step_can_be_run_alone() {
	no_sanitizers
	has_python
	bundle
	run bare env GPU_CHECK_ONLY='ops-f*' bundle/ci/gpu-check.sh all report
	exits 0
	check python3 -c 'import json; r = json.load(open("report/report.json"))["steps"]; assert [s["step"] for s in r] == ["device", "libraries", "ops-float"], r'
}

# A command on a lent machine ends at its limit: what was found until then must be there.
test_a_stop_or_a_kill_leaves_what_was_found() {
	no_sanitizers
	has_python
	bundle
	begin bundle/ci/gpu-check.sh correctness stopped
	local pid=$!
	await 60 grep -qs ops-bf16 stopped/steps.tsv
	kill -TERM $pid
	code=0; wait $pid || code=$?
	exits 143
	comes_back stopped
	says report.pretty '"state": "stopped by TERM '
	says stopped/report.md '| ops-bf16 | passed |'
	begin setsid bundle/ci/gpu-check.sh correctness killed
	await 60 grep -qs ops-bf16 killed/steps.tsv
	kill -KILL -- -$!
	comes_back killed
	says report.pretty '"state": "running"'
	says killed/report.md '| ops-bf16 | passed |'
	bare env GPU_CHECK_LIMIT=6 timeout 60 bundle/ci/gpu-check.sh correctness short >log 2>&1
	comes_back short
	says short/steps.tsv 'no time left'
}

# A card that no kernel runs on shows it in the first seconds, in one line; nothing is measured then.
test_a_card_without_kernels_ends_the_check() {
	no_sanitizers
	bundle
	printf '#!/bin/sh\necho no kernel image is available\nexit 1\n' >bundle/tests/op_runner
	run bare bundle/ci/gpu-check.sh all report
	exits 1
	says err 'no kernel runs on this card: no kernel image is available'
	lines_of report/steps.tsv 3
}

# Another machine: neither sources nor build are there. The emulated plugin stands as the real one, so the tests ask what they ask of a GPU.
test_nothing_of_the_building_machine_is_needed() {
	no_sanitizers
	unshare -rmn true 2>/dev/null || skip "no namespaces for this user"
	bundle
	cp "$BUILD/tests/libablate_cuda_emu.so" bundle/libablate_cuda.so
	local only='@(one-op|backend|ops-bf16|pictures|moments|features|lpips)'
	run unshare -rmn bash -c 'mount -t tmpfs none "$1" && shift && exec "$@"' hide "$SOURCE" env -i PATH=/usr/bin:/bin "GPU_CHECK_ONLY=$only" "$PWD/bundle/ci/gpu-check.sh" correctness "$PWD/report"
	for name in one-op backend ops-bf16 pictures moments features lpips; do says out "passed $name"; done
}

test_without_a_device_nothing_is_measured() {
	no_sanitizers
	has_python
	bundle
	rm -f bundle/libablate_cuda.so
	run bundle/ci/gpu-check.sh all report
	exits 1
	says out 'failed device'
	says err 'nothing was measured'
	comes_back report
	says report.pretty '"state": "no device"'
	says_not report/report.md bench
	says report/report.md 'cuDNN'
}

# A plugin for other cards would fail on every kernel there, after the transfer.
test_a_library_without_code_for_a_card_is_found() {
	PATH=$PATH:/usr/local/cuda/bin
	command -v nvcc >/dev/null || skip "no nvcc"
	echo '__global__ void k(float *p) { *p = 2; } extern "C" void f(float *p) { k<<<1, 1>>>(p); }' >k.cu
	sed 's/k(/l(/; s/f(/g(/; s/k<</l<</' k.cu >l.cu
	check nvcc -shared -Xcompiler -fPIC -gencode arch=compute_80,code=sm_80 -gencode 'arch=compute_120,code=[sm_120,compute_120]' k.cu l.cu -o lib.so
	run "$SOURCE/ci/gpu-archs.sh" lib.so
	exits 0
	[ "$(tr '\n' ' ' <out)" = "elf sm_120 elf sm_80 ptx sm_120 " ] || fail "$(cat out)"
	check "$SOURCE/ci/gpu-archs.sh" --holds lib.so '80-real;120'
	run "$SOURCE/ci/gpu-archs.sh" --holds lib.so '80-real;90-real;120'
	exits 1
	says err 'holds no code for elf:sm_90;'
	run "$SOURCE/ci/gpu-archs.sh" --holds lib.so '80'
	exits 1
	says err 'holds no code for ptx:sm_80;'
}

test_the_c_library_stays_where_it_is() {
	bundle
	ls bundle/lib >held
	for library in libc libm libresolv libpthread libdl; do says_not held "$library.so"; done
}

run_tests "$@"
