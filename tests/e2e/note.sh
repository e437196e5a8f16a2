#!/bin/bash
# note.sh - what people say about cells is recorded as all else is: it survives the loss of the database, is merged, and is shown where cells
# are.
. "$(dirname "$0")/lib.sh"

study() {
	cat >g.toml <<-END
	schema = 1
	[grid]
	name = "small"
	seeds = { train = [1, 2], eval = [101] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = 2
	train.batch = 4
	[[axis]]
	key = "optim.lr"
	values = [0.001, 0.002]
	labels = ["slow", "fast"]
	[[metric]]
	name = "fid"
	samples = 20
	nfe = [1]
	END
	run ablate run g.toml --threads 1 -q; exits 0
	cell=$(sql ablate.db "SELECT cell FROM v_cell_status WHERE label = 'slow' AND seed = 1")
}
notes() { sql "$1" "SELECT cell, kind, text, who, created, id FROM cell_note ORDER BY id"; }

test_said_shown_and_rebuilt() {
	study
	run ablate note "${cell:0:8}" -m "the loss jumps at step 1" --tag good --tag rerun; exits 0
	says err "1 cell: 3 added"
	run ablate note "$cell" --tag good --untag rerun; exits 0
	says err "1 added; the rest was so already"
	run ablate note --only fast --tag bad; exits 0
	says err "2 cells: 2 added"
	run ablate note --only 'tag:ba*' --tag x; exits 2
	run ablate note --only tag:bad --only slow --untag bad -m "all four"; exits 0
	says err "4 cells: 6 added"
	run ablate note --only tag:bad; exits 2
	says err "means no cell"
	run ablate note --only tag:good; exits 0; lines_of out 3
	says out "${cell:0:12} slow seed 1: the loss jumps at step 1 (20"
	says out "tag good"
	says_not out rerun
	run ablate note; exits 0; lines_of out 6
	run ablate show "$cell"; exits 0; says out "tag=good"; says out "text=all four"
	run ablate status --cells; exits 0; says out "slow seed 1 [good]"
	run ablate status --cells --only tag:good small; exits 0
	check [ "$(grep -c seed out)" = 1 ]
	run ablate status --cells --only 'f*'; exits 0
	check [ "$(grep -c seed out)" = 2 ]
	run ablate export; exits 0
	says out ',good,"the loss jumps at step 1; all four"'
	for refused in "status --only slow" "status small --set train.steps=3" "watch --only slow" "status --watch --cells --only slow"; do
		run ablate $refused; exits 2; lines_of err 1 # what would be ignored is refused
	done
	notes ablate.db >before
	run ablate merge --rebuild; exits 0; says out "identical to before"
	notes ablate.db >after; same before after
	run ablate merge --check; exits 0
	mkdir other; cp -r ablate.db ablate.db-runs other/
	rm ablate.db-runs -r; mv ablate.db alone.db # a database without its records, too
	run ablate merge other/ablate.db --db whole.db; exits 0
	notes whole.db >after; same before after
	run ablate merge alone.db --db rows.db; exits 0
	notes rows.db >after; same before after
	run ablate merge alone.db --db rows.db; exits 0 # again
	notes rows.db >after; same before after
	run ablate status --cells --only tag:good --db rows.db; exits 0
	check [ "$(grep -c seed out)" = 1 ]
}

# Two people say something of the same cell, each in a copy.
test_two_copies_become_one() {
	study
	mkdir a; cp -r ablate.db ablate.db-runs a/
	run ablate note "$cell" --tag good -m "mine"; exits 0
	run ablate note "$cell" --db a/ablate.db --tag good --tag other -m "theirs"; exits 0
	run ablate merge a/ablate.db; exits 0
	check [ "$(sql ablate.db "SELECT group_concat(tag, ' ') FROM v_tag")" = "good other" ]
	check [ "$(sql ablate.db "SELECT count(*) FROM cell_note")" = 5 ]
	run ablate note "$cell" --untag good; exits 0 # whoever said it
	check [ "$(sql ablate.db "SELECT group_concat(tag, ' ') FROM v_tag")" = other ]
}

test_what_cannot_be_said() {
	study
	local text
	for text in "" "  " $'two\nlines' $'\e[31mred' $'\xff' $'\xe2\x80\xaex' "$(printf 'x%.0s' {1..4001})"; do
		run ablate note "$cell" -m "$text"; exits 2; lines_of err 1
	done
	for text in "" -x "a b" "tag:x" $'\xc3\xa9' "$(printf 'x%.0s' {1..65})"; do
		run ablate note "$cell" --tag="$text"; exits 2; lines_of err 1
	done
	run ablate note "$cell" --tag x --untag x; exits 2; says err "named twice"
	run ablate note --tag x; exits 2; says err "of which cells"
	run ablate note 123456 --tag x; exits 2
	run ablate note --only nosuch --tag x; exits 2
	run ablate note --only slow --grid nosuch --tag x; exits 2
	run ablate note "$cell" --tag x --db nosuch.db; exits 5
	[ ! -e nosuch.db ] || fail "a database was made"
	check [ "$(sql ablate.db "SELECT count(*) FROM cell_note")" = 0 ]
	check [ "$(grep -c cell_note ablate.db-runs/ledger.jsonl)" = 0 ]
}

# A ledger from elsewhere may say anything: it is shown, and does nothing to the terminal.
test_a_ledger_from_elsewhere() {
	study
	printf '%s\n' "{\"t\":\"cell_note\",\"cell\":\"$cell\",\"id\":\"n1\",\"ordinal\":1000000000,\"kind\":\"note\",\"text\":\"a\\u001b[2Jb\\u202e\",\"created\":\"2026-01-01T00:00:00.000Z\"}" \
		"{\"t\":\"cell_note\",\"cell\":\"$cell\",\"id\":\"n2\",\"ordinal\":1000000000,\"kind\":\"praise\",\"text\":\"x\",\"created\":\"c\"}" \
		"{\"t\":\"cell_note\",\"cell\":\"$(printf '0%.0s' {1..64})\",\"id\":\"n3\",\"ordinal\":1000000000,\"kind\":\"tag\",\"text\":\"x\",\"created\":\"c\"}" >>ablate.db-runs/ledger.jsonl
	run ablate merge --rebuild
	says err "CHECK constraint failed: kind"; says err "refers to a cell that no grid here has"
	run ablate note "$cell"; exits 0
	says out 'a\x1b[2Jb\u202e'
	run ablate show "$cell"; exits 0
	grep -q $'\e' out && fail "an escape sequence"
	check [ "$(sql ablate.db "SELECT count(*) FROM cell_note")" = 1 ]
	run ablate note "$cell" --tag x; exits 0 # behind the last number that there is
	run ablate note "$cell" --untag x; exits 0
	check [ "$(sql ablate.db "SELECT count(*) FROM v_tag")" = 0 ]
}

test_who_says_so_only_where_it_is_asked_for() {
	study
	ablate note "$cell" --tag a -q; ablate note "$cell" --tag b --identity -q
	check [ -z "$(sql ablate.db "SELECT who FROM cell_note WHERE text = 'a'")" ]
	check [ "$(sql ablate.db "SELECT who FROM cell_note WHERE text = 'b'")" = "$(id -un)@$(uname -n)" ]
	run ablate export --table cell_note; exits 0
	says_not out "@"
	run ablate export --table cell_note --identity; exits 0
	says out "$(id -un)@"
}

# Beside a runner, which holds the lock of the folder.
test_during_a_run() {
	small_grid 100000
	"$ABLATE" run g.toml --threads 1 >run.out 2>run.err & local run=$!
	await 60 'grep -qs curve ablate.db-runs/*/*/journal.jsonl'
	cell=$(sql ablate.db "SELECT min(hash) FROM cell")
	run ablate note "$cell" --tag seen; exits 0
	kill -TERM $run; wait $run
	run ablate status --cells; says out "[seen]"
	run ablate merge --rebuild; exits 0; says out "identical to before"
}

run_tests "$@"
