#!/bin/bash
# results.sh - every committed study is what its records say: a database is made from the journals alone, and the tables and
# figures that come out of it are the committed ones, byte for byte.
. "$(dirname "$0")/lib.sh"

checked() { # STUDY
	[ -d "$SOURCE/results/$1/records" ] || skip "results/$1 has no records yet: ci/results.sh make $1"
	run env ABLATE="$ABLATE" "$SOURCE/ci/results.sh" check "$1"
	exits 0
	says out "is what its records say"
}

test_quickstart() { checked quickstart; }
test_four_axes() { checked four-axes; }
test_after_ict() { checked after-ict; }
test_budgets() { checked budgets; }
test_pictures() { checked pictures; }
test_ci_gate() { checked ci-gate; }

# The table in README is the one of the records, row by row.
test_readme_shows_the_table_of_four_axes() {
	local row
	[ "$(grep -c '^|' "$SOURCE/results/four-axes/reversions.md")" -eq 9 ] || fail "rows of reversions.md"
	while IFS= read -r row; do
		grep -qxF -- "$row" "$SOURCE/README.md" || fail "README.md does not have: $row"
	done < <(grep '^|' "$SOURCE/results/four-axes/reversions.md")
}

# The verdicts that results/four-axes/README.md lists are those of the gates, which judge the records as they are.
test_the_gates_of_four_axes_say_what_is_written() {
	cp -r "$SOURCE/results/four-axes/records" four-axes.db-runs
	run ablate merge --rebuild --db four-axes.db; exits 0
	run ablate gate four-axes --db four-axes.db --accept-builds; exits 3
	grep -oE '^[a-z0-9-]+-(features|pixels) +(pass|fail|inconclusive)' out | tr -s ' ' >said
	grep -oE '^    [a-z0-9-]+-(features|pixels) +(pass|fail|inconclusive)$' "$SOURCE/results/four-axes/README.md" | sed 's/^ *//' | tr -s ' ' >written
	lines_of written 12
	same said written
}

# A number that was changed by hand, in the table or in the journals, is found.
test_a_changed_number_is_found() {
	[ -d "$SOURCE/results/ci-gate/records" ] || skip "no records"
	mkdir -p tree/results
	cp -r "$SOURCE/ci" "$SOURCE/ablations" tree/
	cp -r "$SOURCE/results/ci-gate" tree/results/
	table=$(ls tree/results/ci-gate/*.md | grep -v README | head -1)
	sed -i '0,/[0-9]\.[0-9]/s/\([0-9]\)\.\([0-9]\)/\1.\2\2/' "$table"
	run env ABLATE="$ABLATE" tree/ci/results.sh check ci-gate
	check test "$code" -ne 0
	says err "no longer matches the database"
	cp "$SOURCE/results/ci-gate/${table##*/}" "$table"
	run env ABLATE="$ABLATE" tree/ci/results.sh check ci-gate
	exits 0
	journal=$(ls tree/results/ci-gate/records/*/*/journal.jsonl | head -1)
	sed -i 's/"t":"curve","step":4,/"t":"curve","step":5,/' "$journal"
	check test "$(cmp "$journal" "$SOURCE/results/ci-gate/${journal#tree/results/ci-gate/}" | wc -l)" = 1
	run env ABLATE="$ABLATE" tree/ci/results.sh check ci-gate
	check test "$code" -ne 0
}

run_tests
