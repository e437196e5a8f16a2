#!/bin/bash
# action.sh - the steps of ci/action.yml as a hosted CI runs them: scripts that get inputs and files of GitHub's names by environment.
# ctest: slow, trains six small cells
. "$(dirname "$0")/lib.sh"

steps() { # GRID [SETTINGS]: key, judge and conclude; the code is conclude's
	mkdir -p bin && ln -sf "$ABLATE" bin/ablate
	rm -f o s
	export PATH=$PWD/bin:$PATH GITHUB_OUTPUT=$PWD/o GITHUB_STEP_SUMMARY=$PWD/s GRID=$1 SETTINGS=${2-} BASELINES=b DEVICE=cpu DB=ablate.db
	bash "$SOURCE/ci/action/key.sh" >log 2>&1 || fail "key.sh: $(cat log)"
	bash "$SOURCE/ci/action/judge.sh" >log 2>&1 || fail "judge.sh: $(cat log)"
	CODE=$(sed -n 's/^exit-code=//p' o)
	export CODE
	run bash "$SOURCE/ci/action/conclude.sh"
}

gated() { # LINES of the gate
	small_grid 2
	printf '[variants]\nl2 = { label = "l2", set = { "loss.kind" = "l2" } }\n[[chain]]\nname = "c"\nmode = "one-at-a-time"\nsteps = ["l2"]\n' >>g.toml
	printf '\n[[gate]]\nname = "same"\nmetric = "fid@1"\narm = "base"\n%b\n' "$1" >>g.toml
}

test_without_a_gate_the_job_fails() {
	small_grid 2
	steps g.toml; exits 2; says o verdict=error; says s 'nothing was judged'; says o fingerprint=
}
test_an_unknown_grid_fails() { steps 'no $(touch hacked) g.toml'; check [ $code -ne 0 ]; check [ ! -e hacked ]; says o verdict=error; }
test_an_unknown_baseline_is_an_error() {
	gated 'against = "baseline"\nmargin = { absolute = 1 }'
	steps g.toml; exits 5; says o verdict=error; says s '**cannot be judged**'; check [ -s gates.xml ]
}
test_pass_and_cannot_tell() {
	gated 'against = "l2"\nmargin = { absolute = 1e9 }'
	steps g.toml 'train.batch=2'; exits 0; says o verdict=pass; says s '| same | pass |'; says s '4 of 4 cells are done.'; says gates.xml 'name="cells"'
	gated 'against = "l2"\nmargin = { absolute = 1e-9 }\non_inconclusive = "fail"'
	steps g.toml 'train.batch=2'; exits 4; says o verdict=cannot-tell; says s '| cannot tell (fails the job) |'; says out 'too few seeds'
}
test_a_setting_that_is_none_is_no_pass() {
	gated 'against = "l2"\nmargin = { absolute = 1e9 }'
	steps g.toml 'no.such = 1'; check [ $code -ne 0 ]; says o verdict=error; check [ -s gates.md ]
}
test_conclusions() {
	for c in 0 3 4 5; do run env CODE=$c bash "$SOURCE/ci/action/conclude.sh"; exits $c; done
	run env CODE=4 FAIL_ON_INCONCLUSIVE=false bash "$SOURCE/ci/action/conclude.sh"; exits 0; says out '::warning::too few seeds'
	run env CODE=3 FAIL_ON_INCONCLUSIVE=false bash "$SOURCE/ci/action/conclude.sh"; exits 3
	run env CODE= bash "$SOURCE/ci/action/conclude.sh"; exits 1
}
# An undeclared input is an empty text to a hosted CI, and no error.
test_inputs_are_declared_and_used() {
	grep -o 'inputs\.[a-z0-9-]*' "$SOURCE/ci/action.yml" | sed 's/inputs\.//' | sort -u >used
	sed -n '/^inputs:/,/^outputs:/s/^  \([a-z0-9-]*\):$/\1/p' "$SOURCE/ci/action.yml" | sort >declared
	check [ -s used ]; same used declared
}
test_a_deb_is_checked() {
	echo x >a.deb
	run env DEB=a.deb SHA256=$(printf '%064d' 0) bash "$SOURCE/ci/action/install.sh"; exits 2; says out 'another SHA-256'
	run env DEB=https://example.org/a.deb bash "$SOURCE/ci/action/install.sh"; exits 2; says out 'needs its SHA-256'
}
run_tests
