#!/bin/bash
# tsan.sh - the program under ThreadSanitizer: readers ahead, workers with their sign of life, parallel regions, a bench.
#   ci/tsan.sh [SCRIPT [TEST...]]     one of tests/e2e, or the rows below
# Built by clang, whose OpenMP library tells the sanitizer (through Archer, beside it) what a parallel region orders; of libraries that are
# not instrumented (oneDNN, OpenBLAS, SQLite) it is told to believe nothing, which is why some processes end with its remark that the main
# thread has "ignores enabled": no race. Criterion's suites cannot run: their memory has to lie where the sanitizer keeps its own. Nor can
# the emulated device, whose blocks are fibers of one thread.
. "$(dirname "$0")/lib.sh"
rows() { cat <<'LIST'
scores   test_fid_of_two_folders test_a_folder_and_its_tar_are_one_set test_a_truncated_png test_per_class_of_folders
sample   test_a_folder_and_an_array_hold_the_same_images
bench    test_a_profile_names_where_a_step_goes
threads  test_the_bits_do_not_depend_on_it
signals  test_timeout_loses_nothing
ranks    test_two_processes_make_the_losses_of_one
microbatch test_micro_batches_are_on_record_and_repeat_their_bits
many     test_many_shards
LIST
}
ci/setup.sh build run test fuzz
build_preset tsan ablate ablate_mpi fake-shards
rm -rf build-tsan/reports
mkdir -p build-tsan/reports
export ABLATE=$ROOT/build-tsan/ablate ABLATE_BUILD=$ROOT/build-tsan
[ $# -eq 0 ] || export ABLATE_SANITIZED=ON # the rows were chosen
export TSAN_OPTIONS="ignore_noninstrumented_modules=1 second_deadlock_stack=1 log_path=$ROOT/build-tsan/reports/tsan"
if [ $# -gt 0 ]; then echo "$*"; else rows; fi | while read -r script tests; do
	echo "-- $script" # shellcheck disable=SC2086 # names without blanks
	bash "tests/e2e/$script.sh" $tests </dev/null || true
done | tee build-tsan/tests.txt
if grep -lqs 'WARNING: ThreadSanitizer' build-tsan/reports/*; then
	cat build-tsan/reports/*
	echo "0 passed, 1 failed" >>build-tsan/tests.txt
fi
awk '/^[0-9]+ passed, / { p += $1; f += $3; s += $5 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }' build-tsan/tests.txt
