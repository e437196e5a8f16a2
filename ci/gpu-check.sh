#!/bin/bash
# gpu-check.sh - on a machine with a GPU, in the unpacked folder of ci/gpu-bundle.sh: check the CUDA back end and measure it, within 8
# minutes, and write report.json and report.md.
#   ci/gpu-check.sh [OUT_FOLDER]     default: gpu-report; exit 0 only when every check passed
# A step that cannot be done here (no compute-sanitizer, say) is reported as skipped, never as passed.
# GPU_CHECK_ONLY=PATTERN runs the steps whose names match (bash's patterns; `libraries` and `device` always): a part that has to be run again.
# GPU_CHECK_PLUGIN=FILE rehearses with another plugin, the emulated one of tests/cuda_emu: the same steps at small sizes, and a report
# that says so. It shows that this script works, and nothing about a GPU.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
out=${1:-gpu-report}
mkdir -p "$out"
start=$SECONDS
LIMIT=480
rehearsal=${GPU_CHECK_PLUGIN:-}
plugin=${rehearsal:-$PWD/libablate_cuda.so}
unset ABLATE_CUDA_PLUGIN
if [ -n "$rehearsal" ]; then export ABLATE_CUDA_PLUGIN=$plugin; else export ABLATE_TEST_PLUGIN=$plugin; fi
: >"$out/steps.tsv"

# step NAME SECONDS COMMAND...: its output in NAME.txt, its verdict in steps.tsv. Exit 77 is skipped.
step() {
	local name=$1 seconds=$2 left=$((LIMIT - SECONDS + start)) before=$SECONDS rc verdict
	shift 2
	# shellcheck disable=SC2053 # a pattern
	[[ $name == libraries || $name == device || $name == ${GPU_CHECK_ONLY:-*} ]] || return 0
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

passed() { grep -q "^$1.passed" "$out/steps.tsv"; }

# ---- the driver, and the libraries that the bundle cannot hold, wherever this machine keeps them: the linker's cache, a toolkit, Python's
# packages. Without cuBLASLt or cuDNN the plugin's own kernels replace them; with them both routes are checked and measured.

LIBRARIES="libcuda.so.1:the_NVIDIA_driver libcublasLt.so.13:CUDA_13's_cuBLASLt libcusolver.so.12:CUDA_13's_cuSOLVER libcudnn.so.9:cuDNN_9 libcudnn_graph.so.9:cuDNN_9 libcudnn_ops.so.9:cuDNN_9
	libcudnn_cnn.so.9:cuDNN_9 libcudnn_heuristic.so.9:cuDNN_9 libcudnn_engines_precompiled.so.9:cuDNN_9 libcudnn_engines_runtime_compiled.so.9:cuDNN_9"
where_is() {
	local at=${LD_LIBRARY_PATH:-}
	for folder in ${at//:/ }; do [ ! -e "$folder/$1" ] || { echo "$folder/$1"; return; }; done
	ldconfig -p 2>/dev/null | awk -v name="$1" '$1 == name && !n++ { print $NF }'
}
for pair in $LIBRARIES; do
	library=${pair%%:*}
	[ -z "$rehearsal" ] && [ -z "$(where_is "$library")" ] || continue
	found=$(find /usr/local/cuda*/ /usr/local/nvidia /opt /usr/lib /usr/local/lib "${VIRTUAL_ENV:-/nonexistent}" "$HOME/.local/lib" -name "$library" 2>/dev/null | head -1)
	[ -z "$found" ] || export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${found%/*}
done
libraries() {
	local missing=0 at what
	for pair in $LIBRARIES; do
		at=$(where_is "${pair%%:*}")
		what=${pair#*:}
		case ${at:+found}$what in
		the_NVIDIA_driver) missing=1 at="MISSING: install ${what//_/ }" ;;
		[!f]*) at="not found (${what//_/ }): own kernels are used" ;;
		esac
		echo "${pair%%:*} $at"
	done
	[ -z "$rehearsal" ] || { echo "a rehearsal needs none of them"; return 77; }
	return $missing
}

sanitize() {
	local tool=$1
	command -v compute-sanitizer >/dev/null || { echo "no compute-sanitizer"; exit 77; }
	# own kernels alone: the libraries' are not ours to check, and slow to instrument
	ABLATE_CUBLASLT=none ABLATE_CUDNN=none compute-sanitizer --tool "$tool" --error-exitcode 1 tests/op_runner --device cuda --types mixed
}
# Without that library a step is skipped.
has() { [ -n "$rehearsal" ] || [ -n "$(where_is "$1")" ] || { echo "no $1"; exit 77; }; }
# A command without the libraries; skipped where they are missing anyway.
own() {
	[ -n "$rehearsal" ] || [ -n "$(where_is libcublasLt.so.13)$(where_is libcudnn.so.9)" ] || { echo "as without \"own\": the libraries are missing"; exit 77; }
	ABLATE_CUBLASLT=none ABLATE_CUDNN=none exec "$@"
}
# PyTorch on the same card in the same run, in turn with ours; as a step's command it ends in `exit`.
peer() {
	python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null || { echo "no python3 with a PyTorch that finds this GPU"; exit 77; }
	exec python3 "tests/peers/$1_peer.py" "${@:2}" --device cuda --dtype bf16 --channels-last --compile --rounds 1 --beside ./ablate
}
device() { ./ablate doctor && ./ablate doctor | grep -q 'ok *cuda:0'; }
export -f sanitize has own peer device libraries where_is
export LIBRARIES rehearsal

# ---- the steps

ops=() training=() net=ict-cifar10 pictures=128 small=64 middle=128 large=256 seconds=8 own_seconds=5 fixtures=()
if [ -n "$rehearsal" ]; then
	ops=(silu) training=(--filter 'cuda_train/two_*') net=ict-shapes8-ci pictures=1 small=2 middle=2 large=4 seconds=0.2 own_seconds=0.2 fixtures=(opt_unit ect_q2_stage0)
fi
step libraries 10 bash -c libraries
step device 30 bash -c device
if ! passed device; then
	cat "$out/libraries.txt" "$out/device.txt"
	echo "no CUDA device that the plugin can use: nothing was measured" >&2
else
	for types in float bf16 mixed; do
		step "ops-$types" 40 tests/op_runner --device cuda --types "$types" "${ops[@]}"
	done
	for types in float bf16; do
		step "ops-own-$types" 40 bash -c "own tests/op_runner --device cuda --types $types ${ops[*]}"
	done
	step parity 40 tests/parity --device cuda fixtures/train "${fixtures[@]}"
	step backend 40 tests/test_backend
	step training 90 tests/test_cuda_train "${training[@]}"
	step pictures 20 tests/test_pictures
	step moments 20 tests/test_device_moments
	step singular 20 bash -c 'has libcusolver.so.12 && exec tests/test_device_singular'
	step features 60 tests/test_inception --filter 'inception/features_of_another*'
	step lpips 60 tests/test_lpips_loss
	step dtypes 40 tests/dtype_deviation --device cuda
	step memcheck 90 bash -c 'sanitize memcheck'
	step racecheck 90 bash -c 'sanitize racecheck'
	step bench-fp32 40 ./ablate bench train --preset $net --batch $small --seconds $seconds --device cuda --dtype fp32 --json
	step bench-tf32 40 ./ablate bench train --preset $net --batch $middle --seconds $seconds --device cuda --dtype tf32 --json
	step bench-bf16 60 ./ablate bench train --preset $net --batch $large --seconds $seconds --device cuda --dtype bf16 --json
	step bench-features-fp32 40 ./ablate bench features --batch $pictures --seconds $seconds --device cuda --dtype fp32 --json
	step bench-features-bf16 40 ./ablate bench features --batch $pictures --seconds $seconds --device cuda --dtype bf16 --json
	step bench-pictures 20 ./ablate bench pictures --seconds 2 --json
	step profile 40 env ABLATE_PROFILE=1 ./ablate bench train --preset $net --batch $large --seconds $own_seconds --device cuda --dtype bf16
	# the plugin's own products and convolutions, beside the libraries'
	step bench-own-fp32 30 bash -c "own ./ablate bench train --preset $net --batch $small --seconds $own_seconds --device cuda --dtype fp32 --json"
	step bench-own-bf16 40 bash -c "own ./ablate bench train --preset $net --batch $large --seconds $own_seconds --device cuda --dtype bf16 --json"
	[ -n "$rehearsal" ] || # minutes on fibers
		step bench-own-features-bf16 30 bash -c "own ./ablate bench features --batch $pictures --seconds $own_seconds --device cuda --dtype bf16 --json"
	step bench-beside-pytorch 150 bash -c "peer train $net --batch $large --seconds $seconds"
	step bench-features-beside-pytorch 100 bash -c "peer features --batch $pictures --seconds $seconds"
fi

# Images per second of a bench by its route: with the libraries as found, by own kernels alone.
speed_of() { [ ! -f "$out/$1.txt" ] || ! passed "$1" || sed -n 's/.*"images_per_s": \([0-9.e+-]*\).*/\1/p' "$out/$1.txt" | head -1; }
for bench in fp32 bf16 features-bf16; do
	by_library=$(speed_of bench-$bench) by_own=$(speed_of bench-own-$bench)
	[ -z "$by_library$by_own" ] || printf '%s\t%s\t%s\n' "$bench" "${by_library:-null}" "${by_own:-null}"
done >"$out/routes.tsv"

# ---- the reports, from the same lines

quote() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/[[:cntrl:]]/ /g'; }
text_list() { # the lines of a file as JSON strings
	local first= line
	while IFS= read -r line; do
		printf '%s"%s"' "$first" "$(printf %s "$line" | quote)"
		first=', '
	done <"$1"
}
gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1)
[ -z "$rehearsal" ] || gpu="no GPU: a rehearsal with $(basename "$rehearsal")"
grep 'cuda' "$out/device.txt" >"$out/devices.txt" || true
{
	printf '{"commit": "%s", "gpu": "%s", "rehearsal": %s, "date": "%s",\n "libraries": [%s],\n "devices": [%s],\n "steps": [' "$(quote <COMMIT)" \
		"$(printf %s "$gpu" | quote)" "$([ -n "$rehearsal" ] && echo true || echo false)" "$(date -u +%FT%TZ)" "$(text_list "$out/libraries.txt")" "$(text_list "$out/devices.txt")"
	first=
	while IFS=$'\t' read -r name verdict took last; do
		printf '%s\n  {"step": "%s", "verdict": "%s", "seconds": %s, "last": "%s"' "$first" "$name" "$verdict" "$took" "$(printf %s "$last" | quote)"
		case $name:$verdict in bench-*:passed) printf ', "result": %s' "$(cat "$out/$name.txt")" ;; esac
		printf '}'
		first=,
	done <"$out/steps.tsv"
	printf '\n],\n "images_per_s_by_route": ['
	first=
	while IFS=$'\t' read -r bench by_library by_own; do
		printf '%s\n  {"bench": "%s", "as_found": %s, "own_kernels": %s}' "$first" "$bench" "$by_library" "$by_own"
		first=,
	done <"$out/routes.tsv"
	printf '\n]}\n'
} >"$out/report.json"
fenced() { printf '\n## %s\n\n```\n' "$1"; cat "$2"; printf '```\n'; }
{
	printf '# GPU check of %s\n\n%s, %s\n\n' "$(cat COMMIT)" "${gpu:-no GPU}" "$(date -u +%F)"
	printf '| step | verdict | seconds | last line |\n|---|---|---:|---|\n'
	while IFS=$'\t' read -r name verdict took last; do printf '| %s | %s | %s | %s |\n' "$name" "$verdict" "$took" "${last//|/ }"; done <"$out/steps.tsv"
	if [ -s "$out/routes.tsv" ]; then
		printf '\n## Images per second by route\n\nWith cuBLASLt and cuDNN as far as they were found (Libraries, below), and by the own kernels alone.\n\n'
		printf '| bench | as found | own kernels |\n|---|---:|---:|\n'
		while IFS=$'\t' read -r bench by_library by_own; do printf '| %s | %s | %s |\n' "$bench" "${by_library/null/not measured}" "${by_own/null/not measured}"; done <"$out/routes.tsv"
	fi
	[ ! -f "$out/dtypes.txt" ] || { printf '\n## Deviation by precision\n\n'; cat "$out/dtypes.txt"; }
	[ ! -f "$out/profile.txt" ] || fenced "Where a step's time goes" "$out/profile.txt"
	for f in "$out"/bench-*.txt; do [ ! -f "$f" ] || fenced "$(basename "$f" .txt)" "$f"; done
	fenced Libraries "$out/libraries.txt"
	fenced Device "$out/device.txt"
} >"$out/report.md"
echo "$out/report.md, $out/report.json"
awk -F'\t' '$2 == "failed" { bad = 1 } END { exit bad }' "$out/steps.tsv" # by the verdict: a last line may well say "0 failed"
