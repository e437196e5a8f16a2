#!/bin/bash
# attest.sh - who says so: a run that is signed, what a second machine adds, how statements travel, and every forgery that
# is easy to think of: none may ever be shown as valid.
. "$(dirname "$0")/lib.sh"

signed() { # a run of two cells, signed by key a
	small_grid 4
	export ABLATE_KEY=$PWD/a.pem
	run ablate key new --name "A. Lice"
	exits 0
	run ablate run g.toml
	exits 0
	id=$(sql ablate.db "SELECT min(id) FROM attempt")
	other=$(sql ablate.db "SELECT max(id) FROM attempt")
}
key_of() { ablate key show --file "$1" --json | sed -n 's/.*"key": "\(.*\)",/\1/p'; }
check_says() { # VALID NOT TEXT
	run ablate attest --check
	exits $(($2 ? 5 : 0))
	says out "$1 valid, $2 not"
	[ -z "${3:-}" ] || says out "$3"
}
forge() { sqlite3 ablate.db "DROP TRIGGER IF EXISTS statement_no_update; DROP TRIGGER IF EXISTS metric_no_update; $1" || fail "sqlite3: $1"; }

test_signed_by_the_run() {
	signed
	check test "$(sql ablate.db "SELECT count(*) FROM statement WHERE kind = 'seal' AND name = 'A. Lice' AND key = '$(key_of a.pem)'")" -eq 2
	check_says 2 0 'valid  attempt'
	run ablate show "$id"
	exits 0
	says out 'state=valid kind=seal says=sealed with 1 score'
	run ablate table g.toml
	exits 0
	says out "2 of 2 attempts are signed by key $(key_of a.pem | cut -c1-12)."
	run ablate report g.toml -o r.html
	exits 0
	says r.html "\"signed\":\"1 of 1 attempt is signed by key $(key_of a.pem | cut -c1-12)\""
	says_not r.html 'A. Lice'
	run ablate attest --all
	exits 0
	says out '0 signed'
	says out '2 had been already'
	# it is in the ledger: a rebuilt database has it, and so has one made anew
	run ablate merge --rebuild
	exits 0
	check_says 2 0
	# the subject of the statement is what anybody can compute of the journal
	seal=$(head -n -1 ablate.db-runs/*/"$id"/journal.jsonl | sha256sum | cut -d' ' -f1)
	run ablate attest --export s.jsonl "$id"
	exits 0
	lines_of s.jsonl 1
	sed 's/.*"payload":"\([^"]*\)".*/\1/' s.jsonl | base64 -d >payload
	says payload "\"sha256\":\"$seal\""
	says_not payload "$(hostname)"
}

# Without a key nothing is signed, and a key that cannot sign stops a run before it begins.
test_keys() {
	small_grid 2
	export ABLATE_KEY=none
	run ablate run g.toml
	exits 0
	check test "$(sql ablate.db "SELECT count(*) FROM statement")" -eq 0
	run ablate attest --all
	exits 2
	says err 'ablate key new'
	run ablate verify --attest --sample 100%
	exits 2
	says err 'ablate key new'
	export ABLATE_KEY=$PWD/missing.pem
	run ablate run g.toml
	exits 2
	says err 'missing.pem: cannot read the signing key'
	unset ABLATE_KEY XDG_CONFIG_HOME
	export HOME=$PWD/home
	run ablate key show
	exits 2
	says err 'home/.config/ablate/key.pem: no signing key'
	run ablate key new
	exits 0
	says out '(none)'
	check test "$(stat -c %a home/.config/ablate/key.pem)" = 600
	run ablate key new
	exits 2
	says err 'is there already'
	run ablate attest --all
	exits 0
	says out '2 signed'
	chmod 644 home/.config/ablate/key.pem
	run ablate run g.toml
	exits 2
	says err 'chmod 600'
	lines_of err 1
}

# A second machine repeats an attempt and adds its word, which comes back by a file or by a merge.
test_a_second_machine() {
	signed
	export ABLATE_KEY=$PWD/b.pem
	ablate key new >out
	mkdir there
	cp ablate.db there/x.db
	cp -r ablate.db-runs there/x.db-runs
	run ablate verify --db there/x.db "$id" --attest
	exits 0
	run ablate attest --db there/x.db --check
	exits 0
	says out '3 valid, 0 not'
	says out 'yours  repeated: equal'
	run ablate attest --db there/x.db --export s.jsonl "$id"
	exits 0
	lines_of s.jsonl 2
	run ablate attest --import s.jsonl
	exits 0
	says out '1 statement taken in, 1 known'
	check_says 3 0 'repeated: equal'
	run ablate table g.toml
	says out "; 1 repeated by key $(key_of b.pem | cut -c1-12) (1 equal)."
	run ablate merge there/x.db
	exits 0
	check_says 3 0
	# a database without its folder carries them, too
	cp there/x.db alone.db
	run ablate merge --db third.db alone.db
	exits 0
	run ablate attest --db third.db --check
	exits 0
	says out '3 valid, 0 not'
	# statements about what is not here, and lines that are none
	run ablate attest --db empty.db --import s.jsonl
	exits 5
	says err 's.jsonl:1: statement'
	echo '{"payloadType":"text/plain"}' >no.jsonl
	run ablate attest --import no.jsonl
	exits 5
	says err 'no.jsonl:1: '
}

test_forged() {
	signed
	ablate key new --file b.pem --name "A. Lice" >out
	mkdir good
	cp -r ablate.db ablate.db-runs good
	again() { rm -rf ablate.db*; cp -r good/* .; }

	# a better score in the signed text; and bytes that are no text of ours any more
	payload=$(sql ablate.db "SELECT json_extract(envelope, '$.payload') FROM statement WHERE attempt = '$id'")
	better=$(base64 -d <<<"$payload" | sed -E 's/"hex":"[^"]*"/"hex":"0x1p+0"/' | base64 -w0)
	[ "$payload" != "$better" ] || fail "nothing was forged"
	forge "UPDATE statement SET envelope = replace(envelope, '$payload', '$better') WHERE attempt = '$id'"
	check_says 1 1 'signature wrong'
	says out 'is not of its text by key'
	run ablate table g.toml
	says out '1 of 2 attempts is signed by key'
	says out '1 statement about them does not hold'
	again
	forge "UPDATE statement SET envelope = replace(envelope, '\"payload\":\"eyJfdHl', '\"payload\":\"eyJfdHk') WHERE attempt = '$id'"
	check_says 1 1 'not an in-toto statement'
	# one byte of the signature
	again
	forge "UPDATE statement SET envelope = replace(envelope, '\"sig\":\"' || substr(envelope, instr(envelope, '\"sig\":\"') + 7, 1), '\"sig\":\"' || CASE substr(envelope, instr(envelope, '\"sig\":\"') + 7, 1) WHEN 'A' THEN 'B' ELSE 'A' END) WHERE attempt = '$id'"
	check_says 1 1 'signature wrong'
	# signed by b, but under the id of a
	again
	ABLATE_KEY=$PWD/b.pem run ablate attest "$id"
	exits 0
	check_says 3 0 'yours'
	forge "UPDATE statement SET envelope = replace(envelope, '$(key_of b.pem)', '$(key_of a.pem)'), key = '$(key_of a.pem)' WHERE key = '$(key_of b.pem)'"
	check_says 2 1 'signature wrong'
	# the row alone says that it is a's
	again
	ABLATE_KEY=$PWD/b.pem run ablate attest "$id"
	forge "UPDATE statement SET key = '$(key_of a.pem)' WHERE key = '$(key_of b.pem)'"
	check_says 2 1 'signature wrong'
	# a good statement, hung on another attempt
	again
	forge "UPDATE statement SET attempt = '$other' WHERE attempt = '$id'"
	check_says 1 1 'signature wrong'
	# the journal that it is about is not the one that is recorded
	again
	forge "DROP TRIGGER IF EXISTS attempt_sealed; UPDATE attempt SET journal = '$(printf %064d 0)' WHERE id = '$id'"
	check_says 1 1 'about another seal'
	run ablate show "$id"
	says out 'state=about another seal'
	# a better score than was signed
	again
	forge "UPDATE metric SET value = 1.0, hex = '0x1p+0' WHERE attempt = '$id'"
	check_says 1 1 'the record says otherwise'
	says out "fid@1 of seed 101 is not what was signed"
	# a score more, and one less
	again
	forge "INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex) VALUES('$id', 'kid', 1, 'ema', 4, 101, 'p', 1.0, '0x1p+0')"
	check_says 1 1 'the record says otherwise'
	again
	forge "DROP TRIGGER IF EXISTS metric_no_delete; DELETE FROM metric WHERE attempt = '$id'"
	check_says 1 1 'the record has 0 scores of the 1'
	# nobody's statement is taken along or taken in
	again
	forge "UPDATE statement SET envelope = replace(envelope, '$payload', '$better') WHERE attempt = '$id'"
	sql ablate.db "SELECT envelope FROM statement WHERE attempt = '$id'" >forged.jsonl
	run ablate attest --export s.jsonl
	exits 0
	lines_of s.jsonl 1
	again
	run ablate attest --import forged.jsonl
	exits 5
	says err 'forged.jsonl:1: statement'
	check_says 2 0
}

run_tests
