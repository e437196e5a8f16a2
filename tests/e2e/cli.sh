#!/bin/bash
# cli.sh - the program as a script meets it: exit codes, what goes to stdout and stderr, JSON, a full stdout.
. "$(dirname "$0")/lib.sh"

test_no_command_is_a_usage_error() { run ablate; exits 2; lines_of out 0; says err "no command"; }

test_unknown_command_names_the_nearest() { run ablate vershon; exits 2; says err "did you mean version"; lines_of out 0; }

test_help_goes_to_stdout() {
	run ablate --help; exits 0; says out "usage: ablate"; lines_of err 0
	for c in $(ablate completion words commands); do
		run ablate "$c" --help; exits 0; says out "usage: ablate $c"; lines_of err 0
		run ablate help "$c"; exits 0; says out "usage: ablate $c"
	done
}

test_an_error_is_json_when_asked() {
	run ablate version --jsn --json; exits 2
	says out '"code": 2'; says out 'did you mean json'; says err "unknown option --jsn"
}

test_versions() {
	run ablate --version; exits 0; lines_of out 1
	run ablate --version --json; exits 0; says out '"numerics"'; says out '"commit"'
}

test_a_full_stdout_is_a_failure() { run bash -c "'$ABLATE' --help >/dev/full"; exits 1; says err "stdout"; }

test_a_closed_pipe_is_not_an_error_message() { run bash -c "'$ABLATE' man | head -1"; exits 0; lines_of err 0; }

test_the_log_keeps_what_was_said() {
	run ablate plan no-such-grid.toml --log said.log
	check test "$code" -ne 0
	says said.log no-such-grid.toml
	check grep -qE '^20[0-9]{2}-.*Z ablate: ' said.log
}

test_an_unwritable_log_is_told() { run ablate version --log "$PWD/no/such/folder/x"; exits 2; says err "cannot open"; }

test_completion_scripts_parse() {
	ablate completion bash >c.bash; check bash -n c.bash
	for shell in zsh fish; do
		run ablate completion $shell; exits 0; says out completion
		! command -v $shell >/dev/null || check $shell -n out
	done
}

test_bash_completes_commands_options_choices_and_keys() {
	ablate completion bash >c.bash
	complete_words() { # WORDS...: prints what the last one may become
		PATH=$(dirname "$ABLATE"):$PATH bash -c '. ./c.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _ablate; printf "%s\n" "${COMPREPLY[@]}"' _ "$@" >got
		sed -i 's/^_$//' got
	}
	PATH=$(dirname "$ABLATE"):$PATH
	complete_words ablate vers; check grep -qx version got
	complete_words ablate completion z; check grep -qx zsh got
	complete_words ablate version --js; check grep -qx -- --json got
	complete_words ablate --color al; check grep -qx always got
	complete_words ablate explain loss.k; check grep -qx loss.kind got
}

test_manual_pages() {
	for page in 1 5-grid 5-db; do
		run ablate man $page; exits 0; says out ".SH NAME"
		! command -v groff >/dev/null || { groff -man -ww -z -Tutf8 out >said 2>&1; check test ! -s said; }
	done
	for c in $(ablate completion words commands); do
		run ablate man; check grep -qF "ablate ${c//-/\\-}" out
	done
}

test_doctor() { run ablate doctor; exits 0; says out oneDNN; run ablate doctor --json; exits 0; says out '"checks"'; }

test_doctor_sees_a_damaged_database() {
	head -c 4096 /dev/urandom >x.db
	run ablate doctor --db x.db; exits 1; says out "bad"
}

run_tests
