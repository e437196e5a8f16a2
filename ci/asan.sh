#!/bin/bash
# asan.sh - the tests under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
#   ci/asan.sh [--all] [--count] [-R REGEX]     --all: the labels "slow" and "heavy" (minutes here), too; --count: say only what failed
. "$(dirname "$0")/lib.sh"
args=(-LE "slow|heavy") count=no
while [ $# -gt 0 ]; do
	case $1 in
	--all) args=() ;;
	--count) count=yes ;;
	-R) args+=(-R "$2"); shift ;;
	*) die "unknown option $1" ;;
	esac
	shift
done
build_preset asan
export ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export LSAN_OPTIONS=suppressions=$ROOT/ci/lsan.supp:print_suppressions=0
log=build-asan/ctest.log
if [ $count = no ]; then
	ctest --test-dir build-asan -j "$(nproc)" --no-tests=error "${args[@]}" -V | tee "$log" | grep -vE '^[0-9]+: ' || true
else
	ctest --test-dir build-asan -j "$(nproc)" --no-tests=error "${args[@]}" -V >"$log" 2>&1 || true
	grep -E '^[0-9]+: .*(ERROR: |runtime error|SUMMARY: )' "$log" || true
fi
awk -f ci/count.awk "$log"
