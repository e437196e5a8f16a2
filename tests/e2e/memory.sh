#!/bin/bash
# memory.sh - ablate memory as a script meets it: copies are told from fresh pictures, each with its protocol and both names, and
# what cannot be scored is refused in one line with nothing left behind. The pictures are the program's own shapes8.
. "$(dirname "$0")/lib.sh"

memory() { run ablate memory -e pixels -n 300 "$@"; }
refused() { # CODE TEXT
	exits "$1"; lines_of out 0
	[ "$(grep -c '^ablate: ' err)" -eq 1 ] || fail "not one line"
	says err "$2"
}
value() { awk -v name="$1" '$1 == name { print $2 + 0 }' out; }
between() { awk -v v="$(value "$1")" -v a="$2" -v b="$3" 'BEGIN { exit !(a <= v && v <= b) }' || fail "$1 is $(value "$1")"; }
BOTH=(--train shapes8-train --test shapes8-test)

test_copies_and_fresh_pictures_are_told_apart() {
	memory shapes8-train "${BOTH[@]}"; exits 0
	between authpct 0 0; between ct -99 -5; between fls_overfit 4 50
	says err "most of these are exact copies"
	check grep -qE '^authpct +0 ± [0-9.]+ \(95 %, Wilson[^)]*\), n 300, of the test images (4[0-9]|5[0-9])\.[0-9]+ ± ' out
	[ "$(grep -c ' ± .*95 %' out)" -eq 6 ] || fail "a score without an interval"
	memory shapes8-test "${BOTH[@]}"; exits 0
	between authpct 40 60; between ct -3 3
	says_not err copies
}

test_a_score_names_its_sets_seed_and_draws() {
	memory shapes8-test "${BOTH[@]}" --only ct --only fls --seed 4; exits 0
	check grep -qE '^ +ct\(seed4\):pixels:none:u8:n300of1024-seed4:train=[0-9a-f]{12}:test=[0-9a-f]{12}$' out
	check grep -qE '^ +fls\(300,seed4\):pixels:none:u8:n300of1024-seed4:train=[0-9a-f]{12}:test=[0-9a-f]{12}$' out
	cp out first; memory shapes8-test "${BOTH[@]}" --only ct --only fls --seed 4; same out first
	memory shapes8-test --train shapes8-train --only authpct; exits 0
	check grep -qE '^ +authpct:pixels:none:u8:n300of1024-seed0:train=[0-9a-f]{12}$' out
	says_not out "of the test images"; sed 1d out >protocol
	memory shapes8-test "${BOTH[@]}" --only authpct; exits 0; says out "of the test images 44.6"; says out "$(cat protocol)"
}

# The subset of -n is drawn twice, for features and for names: a copy must be paired with itself.
test_nearest_lists_copies_first_by_both_names() {
	memory shapes8-train --train shapes8-train --only authpct --nearest 5; exits 0
	[ "$(awk '$1 == 0 && $3 == $4' out | wc -l)" -eq 5 ] || fail "not five copies: $(cat out)"
	memory shapes8-test --train shapes8-train --only authpct --nearest 300 --json; exits 0
	[ "$(grep -c '"train": "shapes8-train\[' out)" -eq 300 ] || fail "not all pairs"
	check awk '/"distance"/ { v = $2 + 0; if (v < last) bad = 1; last = v } END { exit bad || last == 0 }' out
}

test_features_give_the_same_scores_as_the_pictures() {
	for s in train test; do check ablate -q features -e pixels shapes8-$s -o $s.npz >/dev/null; done
	run ablate memory -e pixels shapes8-test --train shapes8-train --only authpct; exits 0; cp out direct
	run ablate memory test.npz --train train.npz --only authpct --nearest 1; exits 0
	says out "$(head -1 direct)"; says out "$(sed -n 2p direct)"; check grep -qE 'test.npz\[[0-9]+\]  train.npz\[' out
}

test_a_sheet_shows_pairs() {
	memory shapes8-train --train shapes8-train --only authpct --nearest 7 -o sheet.png; exits 0
	# Two rows of five pairs: 10 tiles of 8 and 11 margins of 2 wide, 2 tiles and 3 margins high.
	[ "$(od -An -tu1 -j16 -N8 sheet.png | tr -s ' ')" = " 0 0 0 102 0 0 0 22" ] || fail "$(od -An -tu1 -j16 -N8 sheet.png)"
	memory shapes8-train --train shapes8-train --only authpct --mixed-sizes -o none.png; refused 2 "pictures of one size"
	check ablate -q features -e pixels shapes8-train -o f.npz >/dev/null
	run ablate memory f.npz --train shapes8-train --only authpct -o none.png
	refused 2 "f.npz holds features; the sheet shows pictures"; check test ! -e none.png
}

test_what_cannot_be_scored_is_refused() {
	memory shapes8-test --train shapes8-train; refused 2 "--test SOURCE is missing"
	memory shapes8-test --test shapes8-test; refused 2 "--train SOURCE is missing"
	memory shapes8-test "${BOTH[@]}" --only flt; refused 2 "--only flt: no such score"
	memory shapes8-test --train shapes8-test --test shapes8-test; refused 1 "hold the same pictures"
	run ablate memory -e pixels -n 20 shapes8-test "${BOTH[@]}"; refused 1 "more than 20 generated pictures; give more of them"
	check ablate -q features -e pixels shapes8-train --stats-only -o s.npz >/dev/null
	memory shapes8-test --train s.npz --only authpct; refused 1 "statistics alone"
	check ablate -q features -e all-pixels shapes8-train -o other.npz >/dev/null
	memory shapes8-test --train other.npz --only authpct; refused 5 "protocol"
}

run_tests
