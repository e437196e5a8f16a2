#!/bin/bash
# valgrind.sh - memcheck over test programs that hold parsers and records: needs no special build, sees uninitialised reads.
#   ci/valgrind.sh [TEST...]
# About 4 minutes of one core, most of them in the simulations of test_gate, after a build of the debug preset.
. "$(dirname "$0")/lib.sh"
tests=("${@:-}")
[ -n "${tests[0]}" ] || tests=(test_base test_toml test_cmd test_escape test_gate test_stats)
ci/setup.sh build test valgrind
build_preset debug "${tests[@]}"
passed=0 failed=0
for t in "${tests[@]}"; do
	# Test functions run in one process each; a memcheck error ends that process with 99.
	if valgrind --quiet --error-exitcode=99 --trace-children=yes --leak-check=no --child-silent-after-fork=no \
		"build-debug/tests/$t" -j1 >build-debug/valgrind.log 2>&1; then
		passed=$((passed + 1)); echo "PASS $t"
	else
		failed=$((failed + 1)); echo "FAIL $t"; grep -E '^==|\[FAIL\]|\[----\]' build-debug/valgrind.log | head -40
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
