#!/bin/bash
# gpu-check.sh - on a machine with a GPU, in the unpacked folder of ci/gpu-bundle.sh: check the CUDA back end and measure it.
#   ci/gpu-check.sh correctness|speed|study|all [OUT_FOLDER]     default: all gpu-report; exit 0 only when every check passed
# Each part takes at most nine minutes, and its steps (ci/gpu-steps.sh) are ordered so that what is cut off matters least. OUT_FOLDER gets
# report.md and report.json, steps.tsv, OUT_FOLDER/env.sh, which prepares a shell for work by hand, and report.tar.gz with every step's output. They
# are written anew after each step, so a part that is stopped or killed leaves what it had found; TERM and INT also end the step that runs.
# A step that cannot be done here (no compute-sanitizer, say) is reported as skipped, never as passed.
# Needs nothing of the environment but PATH: not HOME, no network, no package. NVIDIA's libraries are found as the program finds them.
# GPU_CHECK_ONLY=PATTERN runs the steps whose names match (bash's patterns; `device` and `libraries` always): a part that has to be run again.
# GPU_CHECK_LIMIT=SECONDS is another limit for each part. FASHION_MNIST=FOLDER holds that data set if the bundle does not.
# GPU_CHECK_PLUGIN=FILE rehearses with another plugin, the emulated one of tests/cuda_emu: the same steps at small sizes, and a report
# that says so. It shows that these scripts work, and nothing about a GPU.
set -uo pipefail
mkdir -p "${2:-gpu-report}" && out=$(cd "${2:-gpu-report}" && pwd) || exit 1
cd "$(dirname "$0")/.." || exit 1
export PATH="${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/local/cuda/bin:/usr/sbin:/sbin" LC_ALL=C.UTF-8
case ${1:-all} in
correctness | speed | study) parts=${1:-} ;;
all) parts="correctness speed study" ;;
*) echo "ci/gpu-check.sh correctness|speed|study|all [OUT_FOLDER]" >&2; exit 2 ;;
esac
work=$(mktemp -d) || exit 1 # every step's output; only its archive goes to $out
trap 'rm -rf "$work"' EXIT
LIMIT=${GPU_CHECK_LIMIT:-540}
rehearsal=${GPU_CHECK_PLUGIN:-}
plugin=${rehearsal:-$PWD/libablate_cuda.so}
unset ABLATE_CUDA_PLUGIN
[ -n "$rehearsal" ] || export ABLATE_TEST_PLUGIN=$plugin
[ ! -e "$plugin" ] || export ABLATE_CUDA_PLUGIN=$plugin # a program looks beside itself alone, and most are in tests/
export ABLATE_CACHE=${ABLATE_CACHE:-$PWD/cache} # also where there is no HOME; kept from part to part
: >"$work/steps.tsv"
: >"$work/libraries.txt"
: >"$work/doctor.txt"
start=$SECONDS state=running child='' stopped=''
. ci/gpu-report.sh

# TERM, as `timeout` sends it: the step ends, its process group with it, then the report is written.
stop() {
	stopped=$1
	[ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}
trap 'stop TERM' TERM
trap 'stop INT' INT
trap 'stop HUP' HUP

# What expands $(..) runs in a subshell: bash 5.2 takes a trap that comes while it reads one for the rest of it, and gives up.

# step NAME SECONDS COMMAND...: its output in NAME.txt, its verdict in steps.tsv. Exit 77 is skipped.
step() {
	local name=$1 seconds=$2 left=$((LIMIT - SECONDS + start)) before=$SECONDS rc verdict said
	shift 2
	# shellcheck disable=SC2053 # a pattern
	[[ $name == device || $name == libraries || $name == ${GPU_CHECK_ONLY:-*} ]] || return 0
	[ -z "$stopped" ] || finish "stopped by $stopped before $name" 143
	[ -z "$rehearsal" ] || seconds=$((4 * seconds)) # an emulated kernel takes its time, more so beside other work
	[ "$seconds" -lt "$left" ] || seconds=$left
	if [ "$seconds" -le 1 ]; then
		printf '%s\tskipped\t0\tno time left\n' "$name" >>"$work/steps.tsv"
		return
	fi
	case $name in
	bench-*) timeout -k 10 "$seconds" "$@" >"$work/$name.txt" 2>"$work/$name.err" & ;; # the result alone, it goes into the report as it is
	*) timeout -k 10 "$seconds" "$@" >"$work/$name.txt" 2>&1 & ;;
	esac
	child=$!
	wait "$child"
	rc=$?
	while kill -0 "$child" 2>/dev/null; do # a trapped signal ended the wait
		wait "$child"
		rc=$?
	done
	child=
	case $rc in 0) verdict=passed ;; 77) verdict=skipped ;; *) verdict=failed ;; esac
	[ $rc -ne 124 ] && [ $rc -ne 137 ] || printf '\ntimed out after %d s\n' "$seconds" >>"$work/$name.txt"
	[ -z "$stopped" ] || { verdict=failed; printf '\nstopped by %s\n' "$stopped" >>"$work/$name.txt"; }
	said=$work/$name.txt
	[ $verdict = passed ] || [ -s "$said" ] || said=$work/$name.err # of a bench that failed
	(printf '%s\t%s\t%d\t%s\n' "$name" "$verdict" $((SECONDS - before)) "$(tail -1 "$said" | tr '\t' ' ' | cut -c1-150)" >>"$work/steps.tsv")
	echo "$verdict $name"
	[ -n "$stopped" ] || (write_reports)
	[ -z "$stopped" ] || finish "stopped by $stopped in $name" 143
}
passed() { grep -q "^$1.passed" "$work/steps.tsv"; }

# Ends the report and this script: by the verdicts (a last line may well say "0 failed"), or with the given status.
finish() { # STATE [STATUS]
	state=$1
	[ -z "${clocks:-}" ] || kill "$clocks" 2>/dev/null
	(write_reports)
	echo "$out/report.md, $out/report.json"
	[ -z "${2:-}" ] || exit "$2"
	awk -F'\t' '$2 == "failed" { bad = 1 } END { exit bad }' "$work/steps.tsv"
	exit
}

. ci/gpu-steps.sh
(write_reports)
read_ahead
step device 90 bash -c device
step libraries 10 bash -c libraries
write_env
if ! passed device; then
	cat "$work/libraries.txt" "$work/doctor.txt"
	echo "no CUDA device that the plugin can use: nothing was measured" >&2
	finish "no device"
fi
step one-op 30 tests/op_runner --device cuda --types float silu # alone: "no kernel runs" shows in seconds
if grep -q '^one-op.failed' "$work/steps.tsv"; then
	echo "no kernel runs on this card: $(tail -1 "$work/one-op.txt")" >&2
	finish "no kernel runs"
fi
for part in $parts; do
	"part_$part"
	start=$SECONDS
done
finish whole
