#!/bin/bash
# gpu_check.sh - ci/gpu-check.sh from a bundle's folder as ci/gpu-bundle.sh lays it out, rehearsed on the emulated device: every step is
# run or says why not, and both reports are whole. Also without any device.
# ctest: slow
. "$(dirname "$0")/lib.sh"

has_python() { command -v python3 >/dev/null || skip "no python3 to read the report with"; }
bundle() { "$SOURCE/ci/gpu-bundle.sh" --lay-out "$PWD/bundle" "$BUILD" >lay 2>&1 || fail "$(cat lay)"; }

test_a_rehearsal_writes_whole_reports() {
	no_sanitizers
	has_python
	bundle
	GPU_CHECK_PLUGIN=$BUILD/tests/libablate_cuda_emu.so run bundle/ci/gpu-check.sh "$PWD/report"
	exits 0
	says out 'passed ops-mixed'
	says out 'passed parity'
	says out 'passed ops-own-bf16'
	says out 'passed bench-own-bf16'
	says out 'passed training'
	says out 'passed pictures'
	says out 'passed moments'
	says out 'passed singular'
	says out 'passed features'
	says out 'passed profile'
	says report/report.md 'the shapes that take the most time'
	says out 'passed bench-features-bf16'
	says out 'passed bench-pictures'
	command -v compute-sanitizer >/dev/null || says out 'skipped racecheck'
	check python3 -m json.tool report/report.json >report.pretty
	says report.pretty '"rehearsal": true'
	says report.pretty '"images_per_s"'
	says report.pretty 'by cuDNN'
	check python3 -c 'import json; r = json.load(open("report/report.json"))["images_per_s_by_route"]; assert len(r) == 3 and all(x["as_found"] > 0 for x in r) and r[0]["own_kernels"] > 0 and r[1]["own_kernels"] > 0'
	says report/report.md '| bench | as found | own kernels |'
	says report/report.md '| training | passed |'
	says report/report.md 'Deviation by precision'
	says report/report.md 'no GPU: a rehearsal'
}

test_a_part_can_be_run_alone() {
	no_sanitizers
	has_python
	bundle
	GPU_CHECK_ONLY='ops-f*' GPU_CHECK_PLUGIN=$BUILD/tests/libablate_cuda_emu.so run bundle/ci/gpu-check.sh "$PWD/report"
	exits 0
	check python3 -c 'import json; r = json.load(open("report/report.json"))["steps"]; assert [s["step"] for s in r] == ["libraries", "device", "ops-float"], r'
}

# Another machine: neither sources nor build are there. The emulated plugin stands as the real one, so the tests ask what they ask of a GPU.
test_nothing_of_the_building_machine_is_needed() {
	no_sanitizers
	unshare -rm true 2>/dev/null || skip "no namespaces for this user"
	bundle
	cp "$BUILD/tests/libablate_cuda_emu.so" bundle/libablate_cuda.so
	local only='@(backend|ops-bf16|pictures|moments|features|lpips)'
	run unshare -rm bash -c 'mount -t tmpfs none "$1" && shift && exec "$@"' hide "$SOURCE" env "GPU_CHECK_ONLY=$only" "$PWD/bundle/ci/gpu-check.sh" "$PWD/report"
	for name in backend ops-bf16 pictures moments features lpips; do says out "passed $name"; done
}

test_without_a_device_nothing_is_measured() {
	no_sanitizers
	has_python
	bundle
	rm -f bundle/libablate_cuda.so
	run bundle/ci/gpu-check.sh "$PWD/report"
	exits 1
	says out 'failed device'
	says err 'nothing was measured'
	check python3 -m json.tool report/report.json >report.pretty
	says_not report/report.md bench
	says report/libraries.txt 'libcudnn.so.9'
	says report/libraries.txt 'libcuda.so.1'
}

run_tests "$@"
