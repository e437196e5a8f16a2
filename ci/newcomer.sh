#!/bin/bash
# newcomer.sh - the ways in which a newcomer meets this program, each tried in a bare Debian (ci/bare.sh): the README's two commands
# in a clone, the packages built there, and each package installed in another bare Debian and used with no source tree around.
#   ci/newcomer.sh [bookworm|trixie]     leaves the packages in build/packages; ends with "N passed, N failed, N skipped"
. "$(dirname "$0")/lib.sh"
suite=${1:-bookworm}
mkdir -p build/packages
rm -f build/packages/*
log=build/newcomer-$suite.log
: >"$log"

# Each step says how it ended; a step after a failed one is still tried.
steps='try() { local s=$SECONDS code=0; "$@" || code=$?
	case $code in
	0) echo "newcomer: passed: $* ($((SECONDS - s)) s)" ;;
	77) echo "newcomer: skipped: $*" ;;
	*) echo "newcomer: FAILED: $* (exit $code)" ;;
	esac
}'
walk() { # WHAT OPTION... COMMAND
	local what=$1 code=0
	shift
	step "$what, $suite"
	ci/bare.sh "${@:1:$#-1}" "$suite" "$steps
${*: -1}" 2>&1 | tee -a "$log" || code=${PIPESTATUS[0]}
	case $code in
	0) ;;
	77) echo "newcomer: skipped: $what" | tee -a "$log" ;;
	*) echo "newcomer: FAILED: $what (exit $code)" | tee -a "$log" ;;
	esac
}
package() { ls build/packages/$1 2>/dev/null | head -1; } # PATTERN

walk "README's commands and the packages" --take build/packages build \
	'try ci/quickstart.sh --set seeds.train=[1] --only base; try ci/test.sh --fast; try ci/package.sh; try ci/wheel.sh'
deb=$(package '*.deb')
action=()
for f in ci/action/*.sh ablations/ci-gate.toml results/baselines/*.toml; do action+=(--copy "$f"); done
[ -z "$deb" ] || walk "the .deb, installed by the action's steps" --no-clone --copy "$deb" "${action[@]}" --copy ci/installed.sh \
	'try bash walk.sh; try bash installed.sh'
wheel=$(package '*.whl')
[ -z "$wheel" ] || walk "the wheel" --no-clone --install python3-venv --copy "$wheel" --copy ci/installed.sh \
	'python3 -m venv v && v/bin/pip install -q --no-index ablate-*.whl; PATH=$PWD/v/bin:$PATH; try bash installed.sh'
awk '/^newcomer: passed/ { p++ } /^newcomer: FAILED/ { f++ } /^newcomer: skipped/ { s++ }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }' "$log"
