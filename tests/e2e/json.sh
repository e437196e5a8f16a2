#!/bin/bash
# json.sh - with --json every command that a script would read prints one JSON object on stdout, also when it fails.
. "$(dirname "$0")/lib.sh"

one_object() { # EXIT COMMAND...
	local want=$1; shift
	run ablate "$@" --json
	exits "$want"
	check test "$(sqlite3 :memory: "SELECT json_valid(t) AND json_type(t) = 'object' AND json_extract(t, '$.schema') = 1 FROM (SELECT CAST(readfile('out') AS TEXT) t)")" = 1
}

study() {
	cat >t.toml <<-END
	schema = 1
	[grid]
	name = "t"
	seeds = { train = [1, 2], eval = [101] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = 8
	train.batch = 4
	[[metric]]
	name = "fid"
	samples = 20
	nfe = [1]
	[[gate]]
	name = "g"
	metric = "fid@1"
	arm = "base"
	against = "baseline"
	margin = { relative = 0.5 }
	END
	one_object 0 run t.toml
	id=$(sql ablate.db "SELECT min(id) FROM attempt")
	cell=$(sql ablate.db "SELECT cell FROM attempt WHERE id = '$id'")
}

test_studies_results_and_records() {
	study
	one_object 0 plan t.toml; one_object 0 run t.toml --dry-run
	one_object 0 status; one_object 0 watch; one_object 0 note "$cell" -m seen --tag good; one_object 0 note; one_object 0 resume; one_object 0 cancel; one_object 0 prune; one_object 0 prune --yes; one_object 0 cancel "$id"
	one_object 0 show "$id"; one_object 0 show "$cell"
	one_object 0 table t.toml; one_object 0 figure t.toml curves -o f.svg; one_object 0 report t -o r.html
	one_object 0 export; one_object 0 export --table attempt; one_object 0 export --csv -o x.csv; one_object 0 export --tensorboard tb; one_object 0 export --ro-crate crate
	one_object 5 gate t.toml; one_object 0 baseline propose t.toml; one_object 0 baseline accept t.toml --reason "the first"
	one_object 0 gate t.toml; one_object 0 baseline list; one_object 0 verify "$id"
	one_object 0 key new --file k.pem; ABLATE_KEY=k.pem one_object 0 attest --all; one_object 0 attest --check; one_object 0 attest --export s.jsonl
	one_object 0 attest --import s.jsonl; one_object 2 key show
	one_object 0 sample "$id" -n 4 -o s.png
	one_object 0 merge --rebuild; one_object 0 schema
}

test_scores_and_settings() {
	mkdir pics
	for i in 1 2 3; do cp "$SOURCE"/tests/fixtures/png_modes/rgb.png pics/$i.png; done
	one_object 0 fid -e pixels pics pics; one_object 0 kid -e pixels pics pics --subsets 1 --subset-size 2
	one_object 0 prdc -e pixels -k 1 pics pics; one_object 0 fid --per-class -e pixels shapes8-test shapes8
	one_object 0 features pics -e pixels -o f.npz
	one_object 0 config ict-cifar10; one_object 0 diff-paper ict-cifar10; one_object 0 explain loss.c; one_object 0 explain
	one_object 0 data list; one_object 0 weights list; one_object 0 stats list; one_object 0 doctor; one_object 0 version; one_object 0 --version
}

test_failures() {
	one_object 2 nosuch; one_object 2 table nosuch.toml; one_object 5 show nope; one_object 2 export --sql; one_object 2 run; one_object 2 --nosuch
	one_object 1 fid -e pixels nowhere nowhere; one_object 5 status --db nowhere.db
}

run_tests
