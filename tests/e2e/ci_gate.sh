#!/bin/bash
# ci_gate.sh - the project's own gate: this build trains the study ablations/ci-gate.toml and is judged against the
# committed baseline, as a hosted CI would do it.
# ctest: slow, the study that guards this repository, trained anew
. "$(dirname "$0")/lib.sh"

test_this_build_is_no_worse_than_the_baseline() {
	run ablate run "$SOURCE/ablations/ci-gate.toml" --jobs "$(nproc)"; exits 0
	run ablate gate "$SOURCE/ablations/ci-gate.toml" --baselines "$SOURCE/results/baselines" --junit gates.xml
	cat out
	exits 0
	says gates.xml '<testsuite'
}

run_tests "$@"
