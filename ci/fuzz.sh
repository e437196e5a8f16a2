#!/bin/bash
# fuzz.sh - libFuzzer over every parser of foreign bytes, each for some seconds, from the corpora in tests/fuzz/corpus.
#   ci/fuzz.sh [SECONDS [TARGET...]]     SECONDS per target (20)
# SECONDS times the number of targets (19: 20 s each are 6 and a half minutes), after a build with clang (minutes when new).
# Formats in layers are changed by their structure, too (tests/fuzz/mutate.h). A crashing input is kept in build-fuzz/crashes: minimise it,
# put it into the corpus, fix the parser.
. "$(dirname "$0")/lib.sh"
seconds=${1:-20}
[[ $seconds =~ ^[0-9]+$ ]] || die "usage: ci/fuzz.sh [SECONDS [TARGET...]]"
shift || true
targets=("$@")
[ $# -gt 0 ] || for f in tests/fuzz/fuzz_*.c; do f=${f##*/fuzz_}; targets+=("${f%.c}"); done
ci/setup.sh build test fuzz
build_preset fuzz "${targets[@]/#/fuzz_}"
mkdir -p build-fuzz/crashes
passed=0 failed=0
TIMEFORMAT=%0U
for t in "${targets[@]}"; do
	work=build-fuzz/corpus/$t        # grows from run to run; the committed corpus is only read
	mkdir -p "$work"
	seeds=()
	[ -d "tests/fuzz/corpus/$t" ] && seeds=("tests/fuzz/corpus/$t")
	log=build-fuzz/$t.log
	# what takes 25 s hangs, also on a machine that does much else
	if cpu=$({ time "build-fuzz/tests/fuzz/fuzz_$t" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -max_len=65536 \
		-print_final_stats=1 -artifact_prefix="build-fuzz/crashes/$t-" "$work" "${seeds[@]}" >"$log" 2>&1; } 2>&1); then
		passed=$((passed + 1))
		echo "PASS $t: $(sed -nE 's/^stat::number_of_executed_units: *//p' "$log") inputs in $cpu s of a processor, $(find "$work" -type f | wc -l) in the corpus"
	else
		failed=$((failed + 1))
		echo "FAIL $t: see $log; again: build-fuzz/tests/fuzz/fuzz_$t $(sed -nE 's/.*Test unit written to //p' "$log" | head -1)"
		grep -E 'ERROR|SUMMARY|runtime error' "$log" | head -5
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
