#!/bin/bash
# tidy.sh - clang-tidy over the program's sources, with the checks of .clang-tidy, after a build that wrote compile_commands.json.
#   ci/tidy.sh [FILE...]     all of model, metrics and harness
# The last line is "N passed, N failed, N skipped", in files.
. "$(dirname "$0")/lib.sh"
if ! clang-tidy --version 2>/dev/null | grep -q 'version 14\.'; then # each version has checks of its own
	echo "tidy: clang-tidy 14 is missing (Debian 12: ci/setup.sh lint)"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
fi
[ -f build/compile_commands.json ] || die "build/compile_commands.json is missing: cmake --preset default && cmake --build build"
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(program_sources)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
one() {
	local out=$WORK/${1//\//+}
	clang-tidy -p build --quiet --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-sign-conversion "$1" >"$out" 2>"$out.err" || echo "$1" >>"$WORK/failed"
}
export -f one
export WORK=$work
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'one "$1"' one
failed=0
[ ! -f "$work/failed" ] || while read -r f; do
	failed=$((failed + 1))
	grep -hE 'warning:|error:' "$work/${f//\//+}" "$work/${f//\//+}.err" || cat "$work/${f//\//+}.err"
done <"$work/failed"
echo "$((${#files[@]} - failed)) passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
