#!/bin/bash
# installed.sh - does the installed program work? From /, with nothing of the source tree: help, plan, run, table, report, fid; and
# with its data folder gone, one clear line. Needs the program only; copy this file where you like.
#   installed.sh [PROGRAM]      default: ablate; ends with "N passed, N failed"
set -u
ABLATE=${1:-ablate}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd / || exit 1
export ABLATE_CACHE=$work/cache LC_ALL=C.UTF-8
unset ABLATE_DATA ABLATE_DB
passed=0 failed=0
check() { # WHAT COMMAND...
	local what=$1
	shift
	if "$@" >"$work/out" 2>"$work/err"; then
		echo "ok      $what"
		passed=$((passed + 1))
	else
		echo "FAILED  $what: $*"
		cat "$work/out" "$work/err" | tail -8
		failed=$((failed + 1))
	fi
}
db=$work/t.db
samples() { "$ABLATE" sample "$(cell)" -n 64 -o "$work/samples/" --db "$db"; }
cell() { "$ABLATE" plan ci-gate --set seeds=1 --db "$db" --json | sed -nE 's/.*"cell": ?"([0-9a-f]+)".*/\1/p' | head -1; }
has() { "${@:2}" >"$work/has" 2>&1; grep -qF -- "$1" "$work/has"; } # TEXT COMMAND...
# A missing data folder: exit 1 and one line that names the folder and the remedy.
without_data() {
	local code=0
	ABLATE_DATA=$work/gone "$ABLATE" table ci-gate --db "$db" >"$work/has" 2>&1 || code=$?
	[ $code -ne 0 ] && [ "$(grep -c . "$work/has")" -eq 1 ] && grep -q "$work/gone/.* is missing: .*ABLATE_DATA" "$work/has"
}
check "version" "$ABLATE" --version
check "help" "$ABLATE" --help
check "doctor" "$ABLATE" doctor
check "plan" has "base" "$ABLATE" plan quickstart --db "$db"
check "run" "$ABLATE" run ci-gate --set seeds=1 --db "$db" --quiet
check "run again: everything is there" has "2 cached" "$ABLATE" run ci-gate --set seeds=1 --db "$db"
check "table" has "squared L2" "$ABLATE" table ci-gate --db "$db"
check "report" "$ABLATE" report ci-gate --db "$db" -o "$work/report.html"
check "figure" "$ABLATE" figure ci-gate curves --db "$db" -o "$work/curves.png"
check "sample" samples
check "fid" has "fid" "$ABLATE" fid "$work/samples" "$work/samples" --extractor pixels
check "fid by a classifier that comes with it" has "classifier-b@" "$ABLATE" fid "$work/samples" "$work/samples" --extractor classifier:b
check "verify" "$ABLATE" verify "$(cell)" --db "$db"
check "its data folder gone" without_data
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
