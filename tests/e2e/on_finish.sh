#!/bin/bash
# on_finish.sh - a command at the end of a run: what it is told, that nothing it does changes the run, and that a grid from elsewhere
# starts nothing that its user has not named.
. "$(dirname "$0")/lib.sh"
command -v jq >/dev/null || { echo "    jq is missing, by which objects are looked into (ci/setup.sh test)"; echo "0 passed, 0 failed, 1 skipped"; exit 77; }

# A study of two cells, and a command that keeps what it is told.
study() { # [STEPS]
	export ABLATE_CACHE=$PWD/cache
	small_grid "${1:-4}"
	cat >keep.sh <<-'END'
	#!/bin/bash
	cat >told.json
	echo "$*" >words
	echo "was told"
	END
	chmod +x keep.sh
}
names() { sed -i "/^name = \"small\"/a on_finish = $1" g.toml; } # TOML
told() { check [ "$(jq -c "$1" told.json)" = "$2" ]; } # FILTER JSON

test_it_is_told_how_the_run_ended() {
	study
	run ablate run g.toml --threads 1 --on-finish "./keep.sh a  b"
	exits 0
	check [ "$(<words)" = "a b" ]
	says err "on-finish: was told"
	says_not out "was told"
	told '[.schema, .event, .grid, .database, .command, .engine, .exit_code, .cells, .states, .failures, .tables, .signal, .error]' \
		'[1,"finish","small","ablate.db","ablate run g.toml","local",0,2,{"done":2},[],[],null,null]'
	told '[.plan]' "[\"$(sql ablate.db "SELECT hash FROM grid")\"]"
	rm told.json
	run ablate resume --threads 1 --on-finish ./keep.sh --json
	exits 0
	told .command '"ablate resume small"'
	check [ "$(jq .done out)" = 0 ] # one object on stdout, ours
}

test_failures_have_their_reason() {
	study
	sed -i 's/^preset = .*/&\ndata.name = "cifar10"/' g.toml # which is not on this machine
	run ablate run g.toml --threads 1 --on-finish ./keep.sh
	exits 1
	told '[.exit_code, .states]' '[1,{"blocked":2}]'
	told '.failures | map([.label, .seed, .state])' '[["base",1,"blocked"],["base",2,"blocked"]]'
	jq -r '.failures[0].reason' told.json >reason; says reason "data set cifar10 not found"
}

test_a_stop_by_a_signal_is_told() {
	study 100000
	"$ABLATE" run g.toml --threads 1 --on-finish ./keep.sh >out 2>err & local run=$!
	await 60 'grep -qs curve ablate.db-runs/*/*/journal.jsonl'
	kill -TERM $run
	code=0; wait $run || code=$?
	exits 143
	told '[.exit_code, .signal, .states]' '[143,15,{"stopped":1,"pending":1}]'
}

# Whatever it does, the run has ended as it has.
test_its_failure_changes_nothing() {
	study
	printf '#!/bin/sh\necho "no mail here" >&2\nexit 3\n' >bad.sh; chmod +x bad.sh
	run ablate run g.toml --threads 1 --on-finish ./bad.sh
	exits 0
	says err "warning: on-finish: ./bad.sh failed with exit code 3: no mail here"
	run ablate run g.toml --threads 1 --on-finish true # reads nothing of its input
	exits 0
	run ablate run g.toml --threads 1 --on-finish "sh -c kill\$IFS-9\$IFS\$\$" # a shell only where it is asked for
	exits 0
	says err "ended by signal 9"
}

test_what_cannot_be_started_is_said_before_anything_runs() {
	study
	local bad
	for bad in ./nosuch.sh nosuch-program "" " " ./g.toml .; do
		run ablate run g.toml --threads 1 --on-finish "$bad"
		exits 2
		[ ! -e ablate.db ] || fail "'$bad': the run has begun"
	done
	run ablate run g.toml --on-finish grid
	exits 2
	says err "the grid has no on_finish"
	run ablate run g.toml --engine command --on-finish true
	exits 2
	says err "needs --wait"
	names '"true"'; run ablate plan g.toml; exits 2
	sed -i /on_finish/d g.toml; names '[3]'; run ablate plan g.toml; exits 2
	sed -i /on_finish/d g.toml; names '["a\\u0007"]'; run ablate plan g.toml; exits 2
}

# A grid is a text from anywhere.
test_a_grid_starts_nothing_that_its_user_has_not_allowed() {
	study
	local plain
	plain=$(ablate plan g.toml --json | jq -r .grid.hash)
	names '["./keep.sh", "from the grid"]'
	check [ "$(ablate plan g.toml --json | jq -r .grid.hash)" = "$plain" ] # no other study
	run ablate run g.toml --threads 1
	exits 0
	[ ! -e told.json ] || fail "it was started"
	says err "--on-finish grid does"
	run ablate run g.toml --threads 1 --on-finish grid
	exits 0
	check [ "$(<words)" = "from the grid" ]
	rm told.json
	run ablate run g.toml --threads 1; exits 0
	[ -e told.json ] || fail "it was allowed, and not started"
	rm told.json
	run ablate run g.toml --threads 1 --on-finish none; exits 0
	run ablate run g.toml --dry-run; exits 0
	[ ! -e told.json ] || fail "it was started"
	run ablate resume --threads 1; exits 0
	[ -e told.json ] || fail "resume does not start it"
	rm told.json
	sed -i 's/from the grid/another word/' g.toml # another command
	run ablate run g.toml --threads 1; exits 0
	[ ! -e told.json ] || fail "another command was started"
	sed -i 's/another word/from the grid/' g.toml
	mkdir other; cp g.toml keep.sh other; cd other || fail "no folder" # the same words, where they are another program
	run ablate run g.toml --threads 1; exits 0
	[ ! -e told.json ] || fail "the program of another folder was started"
	ABLATE_CACHE=$PWD/cache2 run ablate run g.toml --threads 1
	says err "--on-finish grid does"
}

# The run of an engine is over when its tasks are.
test_an_engine_that_is_waited_for() {
	study
	cat >engine.sh <<-'END'
	#!/bin/bash
	cat >"$1.json"
	case $1 in
	submit) jq -c '.tasks[].command' submit.json | while read -r words; do mapfile -t w < <(jq -r '.[]' <<<"$words"); "${w[@]}" </dev/null >&2; done
		jq -c '{jobs: [.tasks[] | {index, id: "\(.index)"}]}' submit.json ;;
	query) echo '{"jobs": []}' ;;
	esac
	END
	chmod +x engine.sh
	printf '[command]\nsubmit = ["./engine.sh", "submit"]\nquery = ["./engine.sh", "query"]\ncancel = ["./engine.sh", "cancel"]\n' >>g.toml
	run ablate run g.toml --engine command --wait --threads 1 --on-finish ./keep.sh
	exits 0
	told '[.engine, .exit_code, .states]' '["command",0,{"done":2}]'
	rm told.json
	names '["./keep.sh"]'
	run ablate run g.toml --engine command --threads 1 --db other.db
	says err "that needs --wait"
	[ ! -e told.json ] || fail "it was started"
}

run_tests "$@"
