#!/bin/bash
# json.sh - with --json every command that a script would read prints one JSON object on stdout, also when it fails; and each key of it
# is documented: `run` (lib.sh) holds what is printed against the tables of keys, and here every row of these tables is seen.
# ctest: slow, every command in all its cases, and benchmarks of seconds each
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

studies_results_and_records() {
	study
	one_object 0 plan t.toml; one_object 0 run t.toml --dry-run
	one_object 0 explain train.steps t.toml; one_object 0 status; one_object 0 watch; one_object 0 note "$cell" -m seen --tag good; one_object 0 note "$cell" -m "by me" --identity; one_object 0 note; one_object 0 show
	one_object 0 resume; one_object 0 cancel; one_object 0 prune; one_object 0 prune --yes; one_object 0 cancel "$id"
	one_object 0 show "$id"; one_object 0 show "$cell"
	one_object 0 table t.toml; one_object 0 figure t.toml curves -o f.svg; one_object 0 report t -o r.html
	one_object 0 export; one_object 0 export --table attempt; one_object 0 export --csv -o x.csv; one_object 0 export --tensorboard tb; one_object 0 export --ro-crate crate
	one_object 5 gate t.toml; one_object 0 baseline propose t.toml; one_object 0 baseline accept t.toml --reason "the first"
	one_object 0 gate t.toml; one_object 0 baseline list; one_object 0 verify "$id"
	one_object 0 key new --file k.pem --name K; ABLATE_KEY=k.pem one_object 0 attest --all; one_object 0 attest --check; one_object 0 attest --export s.jsonl; one_object 0 show "$id"
	one_object 0 attest --import s.jsonl; one_object 2 key show
	one_object 0 sample "$id" -n 4 -o s.png
	sqlite3 ablate.db "DROP TRIGGER metric_no_update; UPDATE metric SET hex = '0x1p+0', value = 1"
	one_object 5 attest --check; one_object 0 sigma "$id" -n 10 --points 5; one_object 0 merge --rebuild; one_object 0 merge --check
	one_object 0 schema; one_object 0 schema --json-output; one_object 0 schema --json-output run
}

# Adds pictures to a file of statistics, as guided-diffusion's reference batches hold both.
beside_pictures() { # FILE
	python3 - "$1" <<-'PY'
	import sys, zipfile
	head = b"\x93NUMPY\x01\x00\x76\x00%-117s\n" % b"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 8, 3), }"
	zipfile.ZipFile(sys.argv[1], "a").writestr("arr_0.npy", head + bytes(range(256)) * 3)
	PY
}

scores_and_settings() {
	mkdir pics
	for i in 1 2 3; do cp "$SOURCE"/tests/fixtures/png_modes/rgb.png pics/$i.png; done
	one_object 0 fid -e pixels pics pics; one_object 0 kid -e pixels pics pics --subsets 1 --subset-size 2
	one_object 0 prdc -e pixels -k 1 pics pics; one_object 0 fid --per-class -e pixels shapes8-test shapes8
	one_object 0 features pics -e pixels -o f.npz; one_object 0 features pics -e pixels --stats-only -o s.npz; beside_pictures s.npz
	one_object 0 fid -e pixels pics s.npz
	one_object 0 config ict-cifar10; one_object 0 diff-paper ict-cifar10; one_object 0 explain loss.c; one_object 0 explain
	one_object 0 diff-paper "$SOURCE/ablations/quickstart.toml"; one_object 0 data list; one_object 0 weights list; one_object 0 stats list; one_object 0 doctor; one_object 0 version; one_object 0 --version
}

failures() {
	one_object 2 nosuch; one_object 2 table nosuch.toml; one_object 5 show nope; one_object 2 export --sql; one_object 2 run; one_object 2 --nosuch
	one_object 1 fid -e pixels nowhere nowhere; one_object 5 status --db nowhere.db; one_object 2 schema --json-output help
}

# Rows of two axes, one of sampling alone; tables with tests, gates of both margins, limits of a run.
rows_tables_and_gates() {
	study
	cat >many.toml <<-END
	schema = 1
	[grid]
	name = "many"
	seeds = { train = [1, 2, 3], eval = [101], paired = true }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = 4
	train.batch = 4
	[[axis]]
	key = "optim.lr"
	values = [0.001, 0.004]
	[[axis]]
	key = "ema.decay"
	values = [0.9, 0.5]
	[[metric]]
	name = "fid"
	samples = 60
	nfe = [1]
	ci = "jackknife"
	allow_leak = true
	[[table]]
	name = "a"
	cols = ["fid@1", "delta", "paired", "verdict"]
	reference = "optim.lr=0.001"
	[[gate]]
	name = "x"
	metric = "fid@1"
	arm = "optim.lr=0.004, ema.decay=0.9"
	against = "optim.lr=0.001, ema.decay=0.9"
	margin = { absolute = 1000 }
	[[gate]]
	name = "y"
	metric = "fid@1"
	arm = "optim.lr=0.004, ema.decay=0.9"
	against = "base"
	against_grid = "t.toml"
	margin = { relative = 0.9 }
	[budget]
	cell = { checkpoint = "1m" }
	on_failure = "stop-after:2"
	END
	one_object 0 plan many.toml --rate 100; one_object 0 plan many.toml --engine slurm; one_object 2 plan many.toml --engine command
	"$BUILD/tests/ablate-other-build" run t.toml --db others.db -q >/dev/null || fail "the other build"
	one_object 0 plan t.toml --db others.db; one_object 0 run many.toml --microbatch 2; one_object 0 table many.toml; one_object 0 export
	one_object 5 gate many.toml --power # the other grid has no score of 60 samples
	one_object 0 show "$(sql ablate.db "SELECT id FROM attempt WHERE resumed_from IS NOT NULL LIMIT 1")"
	sed 's/^preset = .*/preset = "ict-cifar10"/' t.toml >blocked.toml
	sed 's/train = \[1, 2\]/train = [1, 2, 3]/' t.toml >further.toml
	one_object 0 plan further.toml; one_object 0 plan blocked.toml; one_object 1 run blocked.toml --db blocked.db
}

# A scheduler that takes what it gets and says what is in ./says; tasks are never run.
a_scheduler() {
	cat >engine.sh <<-'END'
	#!/bin/sh
	cat >request
	case $1 in
	submit) echo '{"jobs": [{"index": 0, "id": "1"}, {"index": 1, "id": "2"}]}' ;;
	query) state=$(cat says) && echo "{\"jobs\": [{\"id\": \"1\", \"state\": \"$state\", \"reason\": \"r\"}, {\"id\": \"2\", \"state\": \"$state\"}]}" ;;
	esac
	END
	chmod +x engine.sh
	echo pending >says
	small_grid 4
	printf '[command]\nsubmit = ["./engine.sh", "submit"]\nquery = ["./engine.sh", "query"]\ncancel = ["./engine.sh", "cancel"]\n' >>g.toml
}

tasks_of_a_scheduler() {
	a_scheduler
	one_object 0 plan g.toml --engine command; one_object 0 run g.toml --engine command; one_object 0 status
	mv says gone; one_object 0 status; mv gone says
	echo failed >says; one_object 1 run g.toml --engine command --wait
}

# A run that is stopped goes on; meanwhile it is seen, and afterwards what it superseded can go.
a_run_that_is_stopped() {
	local pid
	small_grid 20000
	"$ABLATE" run g.toml -q >/dev/null 2>&1 & pid=$!
	await 120 'grep -qs "\"checkpoint\"" ablate.db-runs/*/*/journal.jsonl'
	one_object 0 status
	(await 120 'grep -q eta_s lines && grep -q "\"rate\"" lines && grep -q "\"loss\"" lines' && ablate cancel -q) &
	"$ABLATE" watch --json >lines 2>err # its objects, a line each, until nothing runs any more
	cp lines out; json_as_documented watch --json
	wait $pid || true
	one_object 0 watch; one_object 0 cancel
	(await 120 'ablate status --json | grep -q "\"life\": \"alive\""' && kill -TERM "$(ablate status --json | sed -n 's/^    "pid": \(.*\),/\1/p')") &
	one_object 143 run g.toml
	one_object 0 show "$(sql ablate.db "SELECT id FROM attempt WHERE state = 'stopped' LIMIT 1")"
	one_object 0 run g.toml --set train.steps=4 --db short.db; one_object 0 prune final logs --db short.db; one_object 0 prune final --yes --db short.db
	one_object 0 show "$(sql short.db "SELECT min(id) FROM attempt")" --db short.db
}

# The same cell twice with other bits: compared, verified, merged, and looked for in records that were edited.
results_that_differ() {
	local a b
	small_grid 4
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
	one_object 0 run g.toml --db a.db; one_object 0 run g.toml --db b.db
	a=$(sql a.db "SELECT id FROM attempt") b=$(sql b.db "SELECT id FROM attempt")
	other_bits b.db-runs/*/*/journal.jsonl
	one_object 0 merge --db a.db b.db-runs; one_object 0 show "$a" --db a.db; one_object 0 merge --check --db a.db
	run ablate verify "$a" --db a.db --json; run ablate verify "$a" --with "$b" --db a.db --json; one_object 0 show "$a" --db a.db
	sqlite3 a.db "DROP TRIGGER curve_no_update; UPDATE curve SET value = 7 WHERE step = 1"
	one_object 5 merge --check --db a.db
}
# A journal whose curves and scores are others, without checkpoints, sealed again.
other_bits() {
	python3 - "$1" <<-'PY'
	import hashlib, json, sys
	lines = open(sys.argv[1]).read().splitlines()[:-1]
	for i, line in enumerate(lines):
	    row = json.loads(line)
	    if row["t"] == "curve":
	        lines[i] = json.dumps({**row, "values": {**row["values"], "loss": 7.5}})
	    if row["t"] == "metric":
	        lines[i] = json.dumps({**row, "value": 7.25, "hex": "0x1.dp+2"})
	lines = [line for line in lines if json.loads(line)["t"] != "checkpoint"]
	text = "\n".join(lines) + "\n"
	seal = {"t": "seal", "lines": len(lines), "sha256": hashlib.sha256(text.encode()).hexdigest()}
	open(sys.argv[1], "w").write(text + json.dumps(seal, separators=(",", ":")) + "\n")
	PY
}

# The emulated device (tests/cuda_emu), with and without memory enough.
on_a_device() {
	export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so
	small_grid 2
	one_object 0 run g.toml --device cuda; one_object 0 show "$(sql ablate.db "SELECT min(id) FROM attempt")"; one_object 0 export
	one_object 0 bench train --preset ict-shapes8-ci --batch 1 --seconds 0.01 --device cuda
	ABLATE_EMU_MEMORY=90000000 one_object 0 plan g.toml --set train.batch=512 --device cuda
}

images_data_and_speeds() {
	mkdir -p pics/train pics/test
	for i in 1 2 3; do cp "$SOURCE"/tests/fixtures/png_modes/rgb.png pics/train/$i.png; cp pics/train/$i.png pics/test; done
	one_object 0 memory shapes8-test --train shapes8 --test shapes8-test -e pixels --only authpct --nearest 3
	one_object 0 data import mine pics; one_object 0 data check shapes8; one_object 1 data check cifar10
	one_object 0 classifier shapes8 --epochs 1
	one_object 0 bench train --preset a --batch 2 --seconds 0.01 --profile; one_object 0 bench pictures --seconds 0.01; one_object 0 bench-steps --seconds 0.01
	one_object 0 bench crowd --beside 1 --seconds 0.02; ABLATE_SCALING=scaling one_object 0 bench scaling --seconds 0.01; one_object 0 bench fid
	one_object 0 bench lpips --batch 1 --seconds 0.01; one_object 0 bench features --batch 1 --rounds 1 --seconds 0.01; one_object 0 bench tangent --preset ict-shapes8-ci --batch 1 --seconds 0.01
}

# Every key of every command is documented, and every documented key is seen here, or its row says what that would take.
test_every_key_is_documented_and_seen() {
	command -v python3 >/dev/null || skip "no python3 here"
	export JSON_SEEN=$PWD/seen
	for part in studies_results_and_records rows_tables_and_gates tasks_of_a_scheduler a_run_that_is_stopped results_that_differ on_a_device scores_and_settings images_data_and_speeds failures; do
		mkdir $part
		(cd $part && $part) || fail "in $part"
	done
	local unseen
	unseen=$("$SHIM/json_check" --unseen seen) || fail "$unseen"
}

test_the_keys_of_a_command_can_be_looked_up() {
	run ablate schema --json-output prune; exits 0
	check grep -qE '^  files\[\]\.bytes +integer +its size \(bytes\)$' out
	check grep -qE "^  files\\[\\]\\.cell +string +.*; absent: " out
	run ablate schema --json-output; exits 0
	says out "ablate run --json"; says out "ablate version --json"; says_not out bench-steps
	run ablate schema --json-output prun; exits 2; says err "unknown command 'prun'"
	run ablate schema --json-output man; exits 2; says err "man prints no JSON"
	run ablate schema prune; exits 2; says err "belongs to --json-output"
	run ablate man 5-json; exits 0; says out ".B files[].bytes"
}

# The schema is for any validator: another one takes what is printed, and refuses it with a key too many, too few or of another type.
test_another_validator_agrees() {
	python3 -c 'import jsonschema; jsonschema.Draft202012Validator' 2>/dev/null || skip "no jsonschema of Python here"
	study
	ablate plan t.toml --json >plan.json; ablate export --json >export.json; ablate nosuch --json >nosuch.json 2>err
	ablate schema --json-output --json >all.json
	ablate schema --json-output plan --json >schema.json
	run python3 - <<-'PY'
	import json, jsonschema
	load = lambda f: json.load(open(f))
	every, plan = load("all.json"), load("plan.json")
	of = lambda name: jsonschema.Draft202012Validator(every["$defs"][name])
	for name, schema in {**every["$defs"], "one": load("schema.json"), "all": every}.items():
	    jsonschema.Draft202012Validator.check_schema(schema)
	one = jsonschema.Draft202012Validator(load("schema.json"))
	assert one.is_valid(plan) and of("plan").is_valid(plan) and of("export").is_valid(load("export.json"))
	assert one.is_valid(load("nosuch.json")) and not one.is_valid(load("export.json"))
	less = {k: v for k, v in plan.items() if k != "totals"}
	assert not one.is_valid(less) and not one.is_valid({**plan, "more": 1}) and not one.is_valid({**plan, "cells": "none"})
	PY
	exits 0
}

run_tests
