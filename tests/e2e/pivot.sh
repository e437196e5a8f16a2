#!/bin/bash
# pivot.sh - tables of two settings: each cell is an arm's own value, never a mean over arms.
. "$(dirname "$0")/lib.sh"

study() {
	cat >g.toml <<-'END'
	schema = 1
	[grid]
	name = "g"
	seeds = { train = [1, 2], eval = [101] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = 4
	train.batch = 4
	[[axis]]
	key = "optim.lr"
	values = [0.001, 0.02, 0.003]
	[[axis]]
	key = "sample.weights"
	values = ["ema", "student"]
	[[axis]]
	key = "loss.kind"
	values = ["l2", "l1"]
	[[exclude]]
	when = { "optim.lr" = 0.02, "sample.weights" = "student" }
	[[metric]]
	name = "fid"
	samples = 30
	nfe = [1, 2]
	[[table]]
	name = "two"
	cols = ["fid@2"]
	pivot = ["optim.lr", "sample.weights"]
	END
	run ablate run g.toml -q; exits 0
}

test_each_cell_is_an_arm() {
	study
	run ablate table g.toml --json; exits 0; cp out two.json
	check test "$(jq -r '[.columns[].key] | join(" ")' two.json)" = 'sample.weights=ema sample.weights=student'
	# parts by the third setting; numbers ascend, though the grid has them in another order
	check test "$(jq -r '[.rows[] | .chain + "/" + .label] | join(" ")' two.json)" = 'loss.kind=l2/optim.lr=0.001 loss.kind=l2/optim.lr=0.003 loss.kind=l2/optim.lr=0.02 loss.kind=l1/optim.lr=0.001 loss.kind=l1/optim.lr=0.003 loss.kind=l1/optim.lr=0.02'
	jq -r '.rows[] | (.chain | sub("loss.kind="; "")) as $k | .label as $l | .cells | to_entries[] | select(.value.value != null) | $l + ", " + .key + ", loss.kind=" + $k + " " + (.value.value | tostring)' two.json | sort >got
	sed -i '/^\[\[table\]\]/,$d' g.toml
	run ablate table g.toml --cols fid@2 --json; exits 0; jq -r '.rows[] | .label + " " + (.cells["fid@2"].value | tostring)' out | sort >wanted
	lines_of got 10; same wanted got
	check test "$(jq -r '.rows[2].cells["sample.weights=student"].text' two.json)" = '–'
	says two.json 'the grid has no such arm'
}

test_every_form_has_it() {
	study
	run ablate table g.toml; exits 0; says out 'sample.weights = student'; says out '  optim.lr=0.003'
	for form in md tex csv; do
		run ablate table g.toml -o "two.$form"; exits 0; says "two.$form" 'optim.lr=0.003'
		run ablate table g.toml --check "two.$form"; exits 0
	done
	run ablate table g.toml --pivot loss.kind,optim.lr --cols fid@1; exits 0; says out 'FID-30, 1 step by loss.kind (rows) and optim.lr (columns)'; says out 'sample.weights=student'
	check test "$(grep -c '^sample.weights=' out)" = 2 # parts
}

test_what_is_no_pivot_is_refused() {
	study
	run ablate table g.toml --pivot optim.lr; exits 2; says err "--pivot ROWS,COLUMNS: 'optim.lr' is not two settings"
	run ablate table g.toml --pivot optim.lr,optim.lr; exits 2; says err 'both are optim.lr'
	run ablate table g.toml --pivot optim.lrr,loss.kind; exits 2; says err "unknown key 'optim.lrr'; did you mean optim.lr, tcm.lr?"
	sed -i 's/^pivot.*/pivot = ["optim.lr"]/' g.toml
	run ablate table g.toml; exits 2; says err 'pivot names two settings'
	sed -i 's/^pivot.*/pivot = ["optim.lr", "loss.knd"]/' g.toml
	run ablate table g.toml; exits 2; says err "unknown key 'loss.knd'"
}

run_tests
