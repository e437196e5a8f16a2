#!/bin/bash
# shims.sh - the preloaded libraries do what tests rely on: the n-th write fails, the process dies there, memory runs out.
. "$(dirname "$0")/lib.sh"

# Four writes of one byte each; a shell's own output does not go through write() as a library can see it.
printf 1234 >/tmp/four.$$
trap 'rm -f /tmp/four.$$' EXIT
four() { echo "dd if=/tmp/four.$$ of=data bs=1 status=none $*"; }

test_the_nth_write_fails() {
	run with_shim SHIM_FAIL_AT=3 SHIM_PATH=data $(four)
	check test "$(cat data)" = 12
	check test "$code" -ne 0
	says err "No space left"
}

test_another_error_for_some_time() {
	run with_shim SHIM_FAIL_AT=2 SHIM_FAIL_FOR=1 SHIM_ERRNO=EIO SHIM_PATH=data $(four)
	says err "Input/output error"
	run with_shim SHIM_FAIL_AT=1 SHIM_FAIL_FOR=1 SHIM_COUNTER="$PWD/count" SHIM_PATH=data $(four)
	check test "$code" -ne 0
	run with_shim SHIM_FAIL_AT=1 SHIM_FAIL_FOR=1 SHIM_COUNTER="$PWD/count" SHIM_PATH=data $(four)
	exits 0
	check test "$(cat data)" = 1234
}

test_half_of_the_failing_write_arrives() {
	run with_shim SHIM_FAIL_AT=1 SHIM_SHORT=1 SHIM_PATH=data dd if=/tmp/four.$$ of=data bs=4 status=none
	check test "$(cat data)" = 12
}

test_other_files_are_left_alone() {
	run with_shim SHIM_FAIL_AT=1 SHIM_PATH=/elsewhere/ $(four)
	exits 0
	check test "$(cat data)" = 1234
}

test_a_process_dies_at_the_nth_write() {
	run with_shim SHIM_KILL_AT=2 SHIM_PATH=data $(four)
	exits 137
	check test "$(cat data)" = 1
}

test_slow_writes_take_longer() {
	local before after
	before=$(date +%s%N)
	run with_shim SHIM_SLEEP_US=100000 SHIM_PATH=data $(four)
	after=$(date +%s%N)
	exits 0
	check test $((after - before)) -ge 400000000
}

test_a_log_on_a_full_disk_does_not_stop_the_command() {
	run with_shim SHIM_FAIL_AT=1 SHIM_PATH=said.log "$ABLATE" doctor --log "$PWD/said.log"
	exits 0
}

test_memory_that_runs_out_is_told() {
	no_sanitizers
	for at in 1 5 20 80; do
		run env LD_PRELOAD="$SHIM/libshim_alloc.so" SHIM_FAIL_AT=$at "$ABLATE" --help
		[ "$code" -ne 0 ] || continue
		check test "$code" -lt 139
		says err "memory"
	done
	run env LD_PRELOAD="$SHIM/libshim_alloc.so" SHIM_FAIL_AT=1 "$ABLATE" --help
	check test "$code" -ne 0
}

run_tests
