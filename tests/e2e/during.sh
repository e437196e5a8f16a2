#!/bin/bash
# during.sh - eval.every: pictures and scores of a training on its way, which change nothing of it.
. "$(dirname "$0")/lib.sh"

grid() { # EVERY [EXTRA]
	cat >g.toml <<-END
	schema = 1
	[grid]
	name = "g"
	seeds = { train = [1], eval = [101, 102] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = ${steps:-100}
	train.batch = 4
	eval.every = $1
	$(printf '%b' "${2-}")
	[[metric]]
	name = "fid"
	samples = 100
	nfe = [1, 2]
	END
}
curve() { sql "$1" "SELECT c.step || ' ' || printf('%!.17g', value) FROM v_curve c JOIN v_attempt a ON a.attempt = c.attempt WHERE c.name = 'fid/pixels@1 n100' ORDER BY c.step"; }
scores() { sql "$1" "SELECT name || nfe || ' ' || eval_seed || ' ' || hex FROM v_result ORDER BY 1"; }
losses() { sql "$1" "SELECT c.step || ' ' || printf('%!.17g', value) FROM v_curve c JOIN v_attempt a ON a.attempt = c.attempt WHERE c.name = 'loss' ORDER BY c.step"; }

test_what_is_looked_at_changes_nothing() {
	grid 0; run ablate run g.toml --db plain.db --threads 1; exits 0
	grid 20; run ablate run g.toml --db looked.db --threads 1; exits 0; says_not out eval.every
	scores plain.db >a; scores looked.db >b; same a b
	losses plain.db >a; losses looked.db >b; same a b
	curve looked.db >c; check test "$(cut -d' ' -f1 c | tr '\n' ' ')" = '20 40 60 80 '
	check test "$(sql looked.db "SELECT count(*) FROM output WHERE role LIKE 'during@%'")" = 8
	run ablate verify --sample 100% --db looked.db; exits 0; says out 'bit-identical'
	run ablate report g.toml --db looked.db -o r.html; exits 0 # a slider over them: report_samples.js
	check test "$(grep -o 'data-nfe="2" data-seed="1" data-step="[0-9]*" hidden' r.html | wc -l)" = 4
}

# Four looks and the end are five times the samples.
test_a_plan_counts_the_looks() {
	grid 0; run ablate plan g.toml --json; exits 0; one=$(jq .totals.cost.pending.sampling_gflop out)
	grid 20; run ablate plan g.toml --json; exits 0; check jq -e "(.totals.cost.pending.sampling_gflop / $one - 5) | fabs < 1e-9" out >/dev/null
}

# A point is the score that the weights of that step have: a training that ends there, with the same curriculum, has it as its own.
test_a_point_is_the_score_of_that_step() {
	local constant='disc = { kind = "constant", s0 = 10 }\n'
	grid 50 "$constant"; run ablate run g.toml --db long.db --threads 1; exits 0
	steps=50 grid 0 "$constant"; run ablate run g.toml --db short.db --threads 1; exits 0
	check test "$(curve long.db)" = "50 $(sql short.db "SELECT printf('%!.17g', avg(value)) FROM v_result WHERE nfe = 1")"
}

# Stopped wherever, also while it is looked at: every point is there, once, with the same bits.
test_a_stop_loses_no_point() {
	steps=400 grid 40; run ablate run g.toml --db whole.db --threads 1; exits 0
	for after in 0.2 0.4 0.6 0.8; do
		rm -rf cut.db*
		"$ABLATE" run g.toml --db cut.db --threads 1 -q >out 2>err &
		sleep $after; kill -TERM $!; wait $! || true
		run ablate run g.toml --db cut.db --threads 1 -q; exits 0
		curve whole.db >a; curve cut.db >b; same a b
		scores whole.db >a; scores cut.db >b; same a b
	done
	run ablate verify --sample 100% --db cut.db; exits 0
}

# Arms that sample otherwise share a training; its points would be those of the arm that happened to train.
test_arms_that_are_looked_at_train_by_themselves() {
	grid 0; sed -i '/^\[\[metric/i [[axis]]\nkey = "ema.decay"\nvalues = [0.5, 0.99]' g.toml
	run ablate plan g.toml --json; exits 0; check test "$(jq .totals.trainings.all out)" = 1
	run ablate run g.toml --set eval.every=50 --threads 1 -q; exits 0
	check test "$(sql ablate.db "SELECT count(DISTINCT training) || ' ' || count(DISTINCT c.value) FROM v_curve c JOIN v_attempt a ON a.attempt = c.attempt JOIN cell l ON l.hash = a.cell WHERE c.name LIKE 'fid/pixels@1%'")" = '2 2'
}

# A score that cannot be had leaves a gap and a note; the training goes on to its end, where it is missing for good.
test_what_cannot_be_scored_stops_no_training() {
	grid 50; sed -i "s|^nfe.*|nfe = [1]\nextractor = \"command:$BUILD/tests/features_command nan 8\"|" g.toml
	run ablate run g.toml --threads 1; exits 1
	says err 'step 50: not scored: '; says err 'failed: samples[0]: the network gives a value that is not finite'
	check test "$(sql ablate.db "SELECT count(*) FROM curve WHERE name LIKE 'fid%'")" = 0
	check test "$(sql ablate.db "SELECT max(step) FROM checkpoint")" = 100
}

run_tests
