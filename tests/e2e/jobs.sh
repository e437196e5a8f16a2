#!/bin/bash
# jobs.sh - cells at once and threads by what was measured of the machine: plan says them, run uses and records them; a measurement that is damaged or missing.
# ctest: slow, networks are timed, which takes what it takes
. "$(dirname "$0")/lib.sh"

unset OMP_NUM_THREADS
PROCESSORS=$("$ABLATE" doctor --json | sed -n 's/^ *"usable": \([0-9]*\),$/\1/p')
FINGERPRINT=$("$ABLATE" --version --json | sed -n 's/^ *"fingerprint": "\([0-9a-f]*\)",\{0,1\}$/\1/p' | head -1)
CPU=$("$ABLATE" --version --json | sed -n 's/^ *"cpu": "\(.*\)",\{0,1\}$/\1/p' | head -1)
two() { [ "$PROCESSORS" -gt 1 ] || skip "needs two processors"; }
# A measurement by which all cells at once with a thread each are GAIN times as fast as one cell with all processors.
measured() { # GAIN [FINGERPRINT]
	export ABLATE_SCALING=$PWD/scaling.json
	cat >scaling.json <<-END
	{"schema": 1, "machines": [{"cpu": "$CPU", "processors": $PROCESSORS, "fingerprint": "${2:-$FINGERPRINT}", "gflop": [0.5, 40],
	 "rates": [{"jobs": 1, "threads": $PROCESSORS, "steps_per_s": [100, 10]},
	           {"jobs": $PROCESSORS, "threads": 1, "steps_per_s": [$((100 * $1)), $((10 * $1))]}]}]}
	END
}
# As many cells as processors.
grid() { small_grid 3; sed -i "s/train = \[1, 2\]/train = [$(seq -s, "$PROCESSORS")]/; /metric/,\$d" g.toml; }
threads_of() { sql ablate.db "SELECT group_concat(DISTINCT json_extract(v.json, '\$.threads')) FROM attempt a JOIN env v ON v.hash = a.env"; }

test_plan_says_it_and_run_does_it() {
	two; measured 2; grid
	local line="$PROCESSORS jobs of 1 thread each: measured on this machine, 2 times one job of $PROCESSORS threads"
	run ablate plan g.toml; exits 0; says out "$line"
	run ablate plan g.toml --json; exits 0; says out "\"jobs\":{\"jobs\":$PROCESSORS,\"threads\":1,\"why\":\"measured\",\"gain\":"
	run ablate run g.toml --dry-run; exits 0; says out "$line"
	run ablate run g.toml --json; exits 0; says err "$line"; says out '"why": "measured"'
	check [ "$(threads_of)" = 1 ]
	run ablate plan g.toml; exits 0; says_not out "measured on this machine" # nothing to run
}
test_where_one_cell_is_faster_it_has_all_processors() {
	two; measured 1; sed -i "s/\[100, 10\]}]/[80, 8]}]/" scaling.json; grid
	run ablate run g.toml; exits 0
	says err "1 job of $PROCESSORS threads: measured on this machine, several at once would be slower"
	check [ "$(threads_of)" = "$PROCESSORS" ]
}
test_options_win() {
	two; measured 2; grid
	run ablate plan g.toml --jobs 1; exits 0; says out "1 job of $PROCESSORS threads: as asked for"
	run ablate plan g.toml --threads 1; exits 0; says out "$PROCESSORS jobs of 1 thread each: as asked for"
	OMP_NUM_THREADS=1 run ablate plan g.toml; exits 0; says out "$PROCESSORS jobs of 1 thread each: as asked for"
	run ablate run g.toml --jobs 1; exits 0; says_not err "measur"
	check [ "$(threads_of)" = "$PROCESSORS" ]
}
# Neither plan nor --dry-run measures; a file that is not believed is as none; none measures nothing.
test_what_is_not_measured_is_said() {
	two; grid; export ABLATE_SCALING=$PWD/scaling.json
	run ablate plan g.toml; exits 0; says out "not measured yet"
	run ablate plan g.toml --json; exits 0; says out '"jobs":{"jobs":null,"threads":null,"why":"not measured yet"}'
	run ablate run g.toml --dry-run; exits 0; says out "not measured yet"
	check [ ! -e scaling.json ]
	measured 2 0000; run ablate plan g.toml; exits 0; says out "not measured yet" # another build's
	measured 2; echo x >>scaling.json; run ablate plan g.toml; exits 0; says out "not measured yet"
	export ABLATE_SCALING=none
	run ablate run g.toml --json; exits 0; says_not err measur; says out '"why": "off"'
	check [ "$(threads_of)" = "$PROCESSORS" ]
}
test_the_first_run_measures_and_remembers() {
	two; grid; export ABLATE_SCALING=$PWD/new/scaling.json
	run ablate run g.toml; exits 0; says err "measuring once"
	run ablate plan g.toml --db other.db; exits 0; says out "measured on this machine"
	cp new/scaling.json before
	run ablate run g.toml --db other.db; exits 0; says_not err "measuring once"; same before new/scaling.json
	run ablate bench scaling --seconds 0.01 --json; exits 0; says out '"of_one_job"'
	run cmp -s before new/scaling.json; exits 1 # measured anew
	run ablate plan g.toml --db third.db; exits 0; says out "measured on this machine"
}
run_tests
