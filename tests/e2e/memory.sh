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

# grid NAMES: a study of one cell, scored by these metrics
grid() {
	local name
	printf 'schema = 1\n[grid]\nname = "memory"\nseeds = { train = [1], eval = [101] }\n[base]\n'
	printf 'preset = "ict-shapes8-ci"\ntrain.steps = 30\ntrain.batch = 4\n'
	for name in "$@"; do printf '[[metric]]\nname = "%s"\nsamples = 100\n' "$name"; done
}

# In a study the sets are the cell's own: training is what trained, the held-out pictures are the test split unless `ref` says otherwise,
# so another ref is another score. A grid that asks for one more score makes that one alone.
test_a_study_scores_against_its_own_sets() {
	local name
	grid authpct ct fls >g.toml
	run ablate run g.toml --db a.db --threads 1 -q; exits 0
	sql a.db "SELECT protocol FROM metric ORDER BY name" >protocols
	check grep -qE '^authpct:pixels:none:u8-round:n100:train=[0-9a-f]{12}$' protocols
	for name in 'ct\(seed0\)' 'fls\(100,seed0\)'; do
		check grep -qE "^$name:pixels:none:u8-round:n100:train=[0-9a-f]{12}:test=[0-9a-f]{12}\$" protocols
	done
	check [ "$(sql a.db "SELECT count(*) FROM metric WHERE lo < value AND value < hi")" = 3 ]
	grid authpct ct fls fld_gap >h.toml
	run ablate run h.toml --db a.db --threads 1 -q; exits 0
	check [ "$(sql a.db "SELECT group_concat(name) FROM metric WHERE taken_from IS NULL AND attempt = (SELECT id FROM attempt ORDER BY started DESC LIMIT 1)")" = fld_gap ]
	{ grid ct; echo 'ref = "shapes8-train"'; } >same.toml
	run ablate run same.toml --db a.db --threads 1 -q; exits 1; says err "hold the same pictures"
	run ablate metrics -e pixels --only ct shapes8-test shapes8-train; refused 2 'it takes training and held-out images, too: see `ablate memory`'
}

# The sheet is drawn by the attempt that computes the scores, since it has the features; one that takes them has none. What is shown
# has to be what was drawn.
test_a_report_shows_the_nearest_of_training() {
	local sheet
	grid authpct ct >g.toml
	run ablate run g.toml --db a.db --threads 1 -q; exits 0
	run ablate report g.toml --db a.db; exits 0
	sheet=$(ls a.db-runs/*/*/nearest@1.png)
	says report.html '<h2>Nearest training images</h2>'
	says report.html '<a href="#nearest-0">nearest training images</a>'
	says report.html '<figure id="nearest-0">'
	says report.html "$(base64 -w0 "$sheet")"
	check grep -qE '15 of 100 samples, those nearest to training, each left of its nearest of shapes8 \(4096 images, [0-9a-f]{12}\); features pixels:none:u8-round\. Distances' report.html
	says_not report.html "No sheet of"
	printf x >>"$sheet"
	run ablate report g.toml --db a.db; exits 0
	says report.html "No sheet of base: "
	grid authpct ct fid >h.toml
	run ablate run h.toml --db a.db --threads 1 -q; exits 0
	run ablate report h.toml --db a.db; exits 0
	says report.html "No sheet of base: "
	grid fid >f.toml
	run ablate report f.toml --db a.db; exits 0
	says_not report.html "Nearest training images"
}

run_tests
