#!/bin/bash
# man.sh - the manual as a reader uses it: its grids are copied from the page, planned and run, and it lists what the
# program reads of the environment.
. "$(dirname "$0")/lib.sh"

# The grid that the printed page shows under FILE, to stdout: the last lines of that part which are shown as they are.
example() { # FILE
	awk -v title=".SS $1:" '
		/^\.S[SH] / { inside = index($0, title) == 1 }
		inside && /^\.nf/ { text = ""; kept = 1; next }
		/^\.fi/ { kept = 0 }
		inside && kept { text = text $0 "\n" }
		END { printf "%s", text }' page | sed -e 's/\\-/-/g' -e 's/|\\:/|/g' -e 's/^\\&//' -e 's/\\e/\\/g'
}

examples() { sed -nE 's/^\.SS ([a-z]+\.toml):.*/\1/p' page; }

copy_examples() {
	ablate man 5-grid >page
	for f in $(examples); do example "$f" >"$f"; check test -s "$f"; done
}

test_every_grid_of_the_page_can_be_planned() {
	copy_examples
	[ "$(examples | wc -l)" -ge 5 ] || fail "only $(examples | wc -l) examples"
	for f in $(examples); do run ablate plan "$f"; exits 0; says out "cells"; done
	run ablate plan first.toml; says out "12 cells"
}

# What the page says to type after the first grid, with fewer steps.
test_the_first_grid_runs_is_scored_shown_and_judged() {
	local small="--set train.steps=4 --set metric.samples=40"
	copy_examples
	run ablate run first.toml $small; exits 0; says err "12 done"; says out "optim.lr=0.001, Huber"
	run ablate table first.toml $small -f csv; exits 0; lines_of out 5
	run ablate gate first.toml $small; check test "$code" -eq 0 -o "$code" -eq 3 -o "$code" -eq 4
	says out "faster-is-no-worse"
	# a metric that comes later trains nothing again
	sed 's/nfe     = \[1, 2\]/nfe = [1, 2, 3]/' first.toml >more.toml
	run ablate run more.toml $small; exits 0
	check test "$(sql ablate.db "SELECT count(*) FROM attempt WHERE resumed_from IS NULL")" = 12
	local scored="SELECT count(DISTINCT cell) FROM metric JOIN attempt ON attempt.id = metric.attempt WHERE nfe = 3"
	check test "$(sql ablate.db "$scored")" = 12
}

test_the_environment_is_listed() {
	run ablate man; exits 0
	local variables
	variables=$(sed -nE 's/^ENV\(([A-Z_]+),.*/\1/p' "$SOURCE/model/base/env.def")
	[ "$(wc -w <<<"$variables")" -gt 30 ] || fail "no table of variables"
	for v in $variables; do check grep -qxF ".B $v" out; done
}

run_tests
