#!/bin/bash
# gpu-check.sh - on a machine with a GPU, in the unpacked folder of ci/gpu-bundle.sh: check the CUDA back end and measure it, within 8
# minutes, and write report.json and report.md.
#   ci/gpu-check.sh [OUT_FOLDER]     default: gpu-report; exit 0 only when every check passed
# A step that cannot be done here (no compute-sanitizer, say) is reported as skipped, never as passed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
out=${1:-gpu-report}
mkdir -p "$out"
start=$SECONDS
LIMIT=480
export LD_LIBRARY_PATH=$PWD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

# The CUDA libraries, wherever this machine keeps them: the linker's cache, a toolkit, Python wheels.
for library in libcublasLt.so.13 libcudnn.so.9 libcusolver.so.12; do
	ldconfig -p 2>/dev/null | grep -q "$library" && continue
	found=$(find /usr/local/cuda*/ /opt /usr/lib /usr/local/lib "$HOME/.local/lib" -name "$library" 2>/dev/null | head -1)
	[ -z "$found" ] || export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:${found%/*}
done
unset ABLATE_CUDA_PLUGIN
export ABLATE_TEST_PLUGIN=$PWD/libablate_cuda.so
: >"$out/steps.tsv"

# step NAME SECONDS COMMAND...: its output in NAME.txt, its verdict in steps.tsv. Exit 77 is skipped.
step() {
	local name=$1 seconds=$2 left=$((LIMIT - SECONDS + start)) before=$SECONDS rc verdict
	shift 2
	[ "$seconds" -lt "$left" ] || seconds=$left
	if [ "$seconds" -le 1 ]; then
		printf '%s\tskipped\t0\tno time left\n' "$name" >>"$out/steps.tsv"
		return
	fi
	case $name in
	bench-*) timeout "$seconds" "$@" >"$out/$name.txt" 2>"$out/$name.err" ;; # the result alone, it goes into the report as it is
	*) timeout "$seconds" "$@" >"$out/$name.txt" 2>&1 ;;
	esac
	rc=$?
	case $rc in 0) verdict=passed ;; 77) verdict=skipped ;; 124) verdict=failed; echo "timed out after $seconds s" >>"$out/$name.txt" ;; *) verdict=failed ;; esac
	printf '%s\t%s\t%d\t%s\n' "$name" "$verdict" $((SECONDS - before)) "$(tail -1 "$out/$name.txt" | tr '\t' ' ' | cut -c1-150)" >>"$out/steps.tsv"
	echo "$verdict $name"
}

sanitize() {
	local tool=$1
	command -v compute-sanitizer >/dev/null || { echo "no compute-sanitizer"; exit 77; }
	compute-sanitizer --tool "$tool" --error-exitcode 1 tests/op_runner --device cuda
}

device() { ./ablate doctor && ./ablate doctor | grep -q 'ok *cuda:0'; }

export -f sanitize device
step device 30 bash -c device
if ! grep -q '^device.passed' "$out/steps.tsv"; then
	cat "$out/device.txt"
	echo "no CUDA device that the plugin can use: nothing was measured" >&2
fi
if grep -q '^device.passed' "$out/steps.tsv"; then
	for types in float bf16 mixed; do
		step "ops-$types" 60 tests/op_runner --device cuda --types "$types"
	done
	step backend 60 tests/test_backend
	step training 90 tests/test_cuda_train
	step dtypes 60 tests/dtype_deviation --device cuda
	step bench-fp32 40 ./ablate bench train --preset ict-cifar10 --batch 64 --seconds 8 --device cuda --dtype fp32 --json
	step bench-tf32 40 ./ablate bench train --preset ict-cifar10 --batch 128 --seconds 8 --device cuda --dtype tf32 --json
	step bench-bf16 60 ./ablate bench train --preset ict-cifar10 --batch 256 --seconds 15 --device cuda --dtype bf16 --json
	step memcheck 120 bash -c 'sanitize memcheck'
	step racecheck 120 bash -c 'sanitize racecheck'
fi

# The reports, from the same lines.
quote() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/[[:cntrl:]]/ /g'; }
gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1)
{
	printf '{"commit": "%s", "gpu": "%s", "date": "%s", "steps": [' "$(quote <COMMIT)" "$(printf %s "$gpu" | quote)" "$(date -u +%FT%TZ)"
	first=
	while IFS=$'\t' read -r name verdict seconds last; do
		printf '%s\n  {"step": "%s", "verdict": "%s", "seconds": %s, "last": "%s"' "$first" "$name" "$verdict" "$seconds" "$(printf %s "$last" | quote)"
		case $name:$verdict in bench-*:passed) printf ', "result": %s' "$(cat "$out/$name.txt")" ;; esac
		printf '}'
		first=,
	done <"$out/steps.tsv"
	printf '\n]}\n'
} >"$out/report.json"
{
	printf '# GPU check of %s\n\n%s, %s\n\n' "$(cat COMMIT)" "${gpu:-no GPU}" "$(date -u +%F)"
	printf '| step | verdict | seconds | last line |\n|---|---|---:|---|\n'
	while IFS=$'\t' read -r name verdict seconds last; do printf '| %s | %s | %s | %s |\n' "$name" "$verdict" "$seconds" "${last//|/ }"; done <"$out/steps.tsv"
	[ ! -f "$out/dtypes.txt" ] || { printf '\n## Deviation by precision\n\n'; cat "$out/dtypes.txt"; }
	for f in "$out"/bench-*.txt; do [ ! -f "$f" ] || { printf '\n## %s\n\n```\n' "$(basename "$f" .txt)"; cat "$f"; printf '```\n'; }; done
	printf '\n## Device\n\n```\n'
	cat "$out/device.txt"
	printf '```\n'
} >"$out/report.md"
echo "$out/report.md, $out/report.json"
! grep -q 'failed' "$out/steps.tsv"
