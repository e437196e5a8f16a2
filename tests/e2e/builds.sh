#!/bin/bash
# builds.sh - results that another build made: run reuses them and says so, table and figure mark them, gate refuses them until they are
# made again. ablate-other-build is the program under the fingerprint of another build; it computes the same.
# ctest: slow, the same cells by three builds
. "$(dirname "$0")/lib.sh"

OTHER=$BUILD/tests/ablate-other-build
HERE=$("$ABLATE" --version --json | sed -n 's/^ *"fingerprint": "\([0-9a-f]*\)",*$/\1/p')
THERE=$("$OTHER" --version --json | sed -n 's/^ *"fingerprint": "\([0-9a-f]*\)",*$/\1/p')
DB="--db a.db"

grid() {
	small_grid 2
	sed -i 's/\[base\]/[variants]\nl2 = { set = { "loss.kind" = "l2" } }\n[[chain]]\nname = "one"\nmode = "one-at-a-time"\nsteps = ["l2"]\n[base]/' g.toml
	cat >>g.toml <<-END
	[[gate]]
	name = "l2"
	metric = "fid@1"
	arm = "l2"
	against = "base"
	margin = { absolute = 1000 }
	END
}
other() { "$OTHER" "$@"; }
fingerprints() { sql a.db "SELECT group_concat(DISTINCT substr(fingerprint, 1, 12)) FROM v_result"; }

# The story: the RAdam step times 0.1 was rebuilt into the program; run said "4 cached" and gate passed.
test_stale_results_are_not_judged() {
	grid
	check [ ${#HERE} -eq 64 -a ${#THERE} -eq 64 -a "$HERE" != "$THERE" ]
	run other run g.toml $DB; exits 0
	check [ "$(sql a.db 'SELECT count(DISTINCT fingerprint) || max(fingerprint) FROM attempt')" = "1$THERE" ]
	run other gate g.toml $DB; exits 0

	run ablate run g.toml $DB; exits 0; says err '4 cached'
	says err "4 of 4 cached cells were made by another build (fingerprint ${THERE:0:12}; now ${HERE:0:12})"
	says err '`ablate run g.toml --db a.db --rebuild stale` makes them again'
	run ablate run g.toml $DB --json; exits 0; says out '"of_another_build": 4'
	run ablate plan g.toml $DB; exits 0; says out '4 of the cached cells were made by another build'
	run ablate status $DB; exits 0; says out '4 made by another build'
	run ablate gate g.toml $DB; exits 5
	says out '4 of 4 cells were made by another build'; says out '`ablate run g.toml --db a.db --rebuild stale`'; says out "${THERE:0:12}"; says out seed
	run ablate gate g.toml $DB --junit j.xml; exits 5; says j.xml '<error type="error"'

	run ablate gate g.toml $DB --accept-builds; exits 0; says out "4 of 4 cells are of another build than this program's, which was accepted"
	check [ "$(sql a.db "SELECT group_concat(verdict, ' ') FROM verdict WHERE why LIKE '%4 of 4 cells are of another build%accepted'")" = pass ]

	run ablate run g.toml $DB --rebuild stale; exits 0; says err '4 done'; says_not err 'another build'
	check [ "$(fingerprints)" = "${HERE:0:12}" ]
	check [ "$(sql a.db 'SELECT count(*) FROM attempt WHERE resumed_from IS NOT NULL')" = 0 ]
	check [ "$(sql a.db 'SELECT count(*) FROM attempt')" = 8 ] # nothing is deleted
	run ablate gate g.toml $DB; exits 0
	run ablate run g.toml $DB --rebuild stale; exits 0; says err '4 cached'; says_not err 'another build'

	# the database is only a reading of the records: what replaces what is in these
	rm -f a.db a.db-wal a.db-shm; run ablate merge --rebuild $DB; exits 0
	check [ "$(fingerprints)" = "${HERE:0:12}" ]
	run ablate gate g.toml $DB; exits 0
	# and the first program finds them to be somebody else's, although its own are still there
	run other run g.toml $DB; exits 0; says err '4 of 4 cached cells'
}

test_mixed_numbers_are_marked() {
	grid
	run other run g.toml $DB --only base; exits 0
	run ablate run g.toml $DB; exits 0; says err '2 of 2 cached cells were made by another build'
	run ablate table g.toml $DB; exits 0
	says out ' [1]'; says out ' [2]'; says out "[1]: numerics fingerprint ${THERE:0:12}."; says out "[2]: numerics fingerprint ${HERE:0:12}."
	run ablate table g.toml $DB --format json; exits 0; says out "\"$THERE\""; says out "\"$HERE\""
	run ablate table g.toml $DB --format csv; exits 0; says out 'fid@1 fingerprint'; says out ",$THERE,"
	run ablate figure g.toml bars $DB -o f.svg; exits 0
	run ablate report g.toml $DB -o r.html; exits 0; says r.html "numerics fingerprint ${THERE:0:12}"; says r.html "\"fingerprint\":\"$THERE\""
	run ablate gate g.toml $DB; exits 5; says out 'not all by the same'; says out '2 of 4 cells'
	run ablate run g.toml $DB --rebuild stale; exits 0; says err '2 cached, 2 done'
	run ablate table g.toml $DB; exits 0; says_not out '[1]'
	run ablate figure g.toml bars $DB -o g.svg; exits 0
	check [ "$(wc -c <f.svg)" -gt "$(wc -c <g.svg)" ]
	run ablate gate g.toml $DB; exits 0
}

# What goes on from somebody else's checkpoint is of both.
test_a_life_of_another_build() {
	grid
	run other run g.toml $DB --set train.steps=2 --only base; exits 0
	sed -i 's/samples = 100/samples = 90/' g.toml
	run ablate run g.toml $DB --only base; exits 0 # one more score: from the checkpoint
	check [ "$(sql a.db 'SELECT count(*) FROM attempt WHERE resumed_from IS NOT NULL')" = 2 ]
	run ablate gate g.toml $DB; exits 5
	run ablate table g.toml $DB --only base; exits 0; says out "${THERE:0:12}"; says out "${HERE:0:12}"
	run ablate run g.toml $DB --only base; exits 0; says err '2 of 2 cached cells were made by another build'
	run ablate run g.toml $DB --only base --rebuild stale; exits 0; says err '2 done'
	check [ "$(sql a.db "SELECT group_concat(DISTINCT ifnull(resumed_from, '-')) FROM attempt WHERE generation = 1")" = - ]
	run ablate table g.toml $DB --only base; exits 0; says_not out '[1]'
}

# Records of before there were fingerprints count as another build's; one that nobody knows, of the future, likewise.
test_records_without_a_fingerprint() {
	grid
	run ablate run g.toml $DB; exits 0
	for journal in a.db-runs/*/*/journal.jsonl; do
		sed -i -E '/"t":"seal"/d; s/,"fingerprint":"[0-9a-f]*"//' "$journal"
		printf '{"lines":%d,"sha256":"%s","t":"seal"}\n' "$(wc -l <"$journal")" "$(sha256sum <"$journal" | cut -d' ' -f1)" >>"$journal"
	done
	rm -f a.db a.db-wal a.db-shm; run ablate merge --rebuild $DB; exits 0
	check [ "$(sql a.db 'SELECT count(*) FROM attempt WHERE fingerprint IS NULL')" = 4 ]
	run ablate run g.toml $DB; exits 0; says err '(fingerprint not recorded; now'
	run ablate table g.toml $DB; exits 0; says_not out '[1]' # all of one kind
	run ablate gate g.toml $DB; exits 5; says out 'not recorded'
	run ablate run g.toml $DB --rebuild stale; exits 0; says err '4 done'
	run ablate gate g.toml $DB; exits 0
}

# A rebuild that is stopped changes nothing yet, and goes on from its own checkpoint.
test_an_interrupted_rebuild() {
	grid
	sed -i 's/train.steps = 2/train.steps = 900/' g.toml # long enough that a loaded machine stops it in time
	run other run g.toml $DB --only base --threads 1; exits 0
	rm err # the run before wrote it, too, and "started" there is no sign of this one
	"$ABLATE" run g.toml $DB --only base --threads 1 --rebuild stale --jobs 1 >out 2>err &
	await 60 'grep -qs started err' # the first of two cells
	kill -INT $!; wait $! || true
	check [ "$(sql a.db "SELECT count(*) > 0 FROM v_result WHERE fingerprint = '$THERE'")" = 1 ]
	run ablate run g.toml $DB --only base --threads 1; exits 0; says err 'made by another build'
	run ablate run g.toml $DB --only base --threads 1 --rebuild stale; exits 0
	check [ "$(fingerprints)" = "${HERE:0:12}" ]
	check [ "$(sql a.db 'SELECT count(*) FROM attempt a JOIN attempt b ON b.id = a.resumed_from WHERE a.fingerprint <> b.fingerprint')" = 0 ]
}

test_baseline_says_what_made_it() {
	grid
	sed -i 's/against = "base"/against = "baseline"/' g.toml
	run other run g.toml $DB; exits 0
	run ablate baseline propose g.toml $DB -d b; exits 0
	says "$(echo b/*.proposed.toml)" "fingerprint = \"$THERE\""
	run ablate baseline accept g.toml $DB -d b -m 'the first'; exits 0
	run ablate baseline list -d b; exits 0; says out "fingerprint ${THERE:0:12}"
	check [ "$(sql a.db 'SELECT fingerprint FROM baseline')" = "$THERE" ]
	run ablate run g.toml $DB --rebuild stale; exits 0
	run ablate gate g.toml $DB --baselines b; exits 0 # a new build against an older baseline: what a baseline is for
	sed -i '/^fingerprint/d' b/*.toml
	run ablate gate g.toml $DB --baselines b; exits 0
}

test_usage() {
	grid
	run ablate run g.toml $DB --rebuild all; exits 2; says err '--rebuild takes "stale"'
	run ablate run g.toml $DB --rebuild stale --engine slurm; exits 2
	check [ ! -e a.db ]
}

# A command without the --set of the one that was typed would make other cells.
test_the_command_that_is_named_makes_the_same_cells() {
	local command
	grid
	run other run g.toml $DB --set train.steps=3 --set 'grid.name=it is'; exits 0
	run ablate gate g.toml $DB --set train.steps=3 --set 'grid.name=it is'; exits 5
	command=$(grep -o '`ablate run [^`]*`' out | tr -d '`')
	eval "$command" >out 2>err || fail "$command: $(tail -1 err)"
	says err '4 done'
	run ablate gate g.toml $DB --set train.steps=3 --set 'grid.name=it is'; exits 0
}

run_tests
