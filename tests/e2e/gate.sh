#!/bin/bash
# gate.sh - gates, baselines, tables and figures as a script meets them: over values, over a database, in CI.
. "$(dirname "$0")/lib.sh"

values() { # CANDIDATE BASELINE GATE-LINES
	printf '[candidate]\nvalues = [%s]\nseeds = [1, 2, 3, 4, 5]\n[baseline]\nvalues = [%s]\nseeds = [1, 2, 3, 4, 5]\n[gate]\n%b\n' "$1" "$2" "$3" >v.toml
}
BASE='10.0, 10.4, 9.7, 10.1, 9.9'

test_values_pass() {
	values '10.1, 10.4, 9.8, 10.0, 9.9' "$BASE" 'margin = { relative = 0.05 }'
	run ablate gate --values v.toml; exits 0
	check [ "$(tail -1 out)" = '1 passed, 0 failed, 0 inconclusive' ]
	run ablate gate --values v.toml --json; exits 0
	python_json out 'd["verdict"] == "pass" and d["test"] == "paired t" and d["n"] == 5 and abs(d["diff"] - 0.02) < 1e-12 and
		d["lo"] < d["diff"] < d["hi"] and abs(d["margin"] - 0.501) < 1e-12 and d["alpha"] == 0.05'
}

# EXPRESSION of `d`, the object in FILE. Without Python the numbers are checked by the unit tests alone.
python_json() { command -v python3 >/dev/null || return 0; python3 -c "import json; d = json.load(open('$1')); assert ($2), d" 2>err || fail "$2"; }

test_exit_codes() {
	values '12.0, 12.5, 11.6, 12.2, 12.1' "$BASE" 'margin = 0.5'; run ablate gate --values v.toml; exits 3; says out '0 passed, 1 failed, 0 inconclusive'
	values '10.4, 10.9, 9.5, 10.9, 9.9' "$BASE" 'margin = 0.1'; run ablate gate --values v.toml; exits 4; says out 'inconclusive (unclear)'
	values '10.4, 10.9, 9.5, 10.9, 9.9' "$BASE" 'margin = 0.1\non_inconclusive = "warn"'; run ablate gate --values v.toml; exits 0
	values '10.4, nan, 9.5, 10.9, 9.9' "$BASE" 'margin = 0.1'; run ablate gate --values v.toml; exits 5; says out 'not a number'
	values '1, 2, 3, 4' "$BASE" ''; run ablate gate --values v.toml; exits 2; says err 'v.toml:3:'
	values "$BASE" "$BASE" 'test = "superiority"'; run ablate gate --values v.toml; exits 4; says out 'are the same in every seed'
	run ablate gate; exits 2
	run ablate gate --values missing.toml; check [ $code -ne 0 ]; says err missing.toml
}

test_junit() {
	values '12.0, 12.5, 11.6, 12.2, 12.1' "$BASE" 'name = "a<b>&\\"c\\""\nmargin = 0.5'
	run ablate gate --values v.toml --junit j.xml; exits 3
	says j.xml '<failure type="regression"'; says j.xml 'a&lt;b&gt;&amp;&quot;c&quot;'; says j.xml 'tests="1" failures="1" errors="0" skipped="0"'
}

# The table is what a CI job shows: a name of a gate must not break it, and "cannot tell" must not read as a pass.
test_markdown() {
	values '12.0, 12.5, 11.6, 12.2, 12.1' "$BASE" 'name = "a|b<i>"\nmargin = 0.5'
	run ablate gate --values v.toml --markdown m.md; exits 3
	says m.md '**0 passed, 1 failed, 0 inconclusive**'; says m.md '| **fail** | +'; says m.md ' | 0.5 | 5 against '; says m.md 'non-inferiority, '
	check [ "$(grep -c '^|' m.md)" -eq 3 ]; says_not m.md '<i>'; says_not m.md 'a|b'
	values '10.4, 10.9, 9.5, 10.9, 9.9' "$BASE" 'margin = 0.1'
	run ablate gate --values v.toml --markdown m.md; exits 4; says m.md '| cannot tell (fails the job) |'; says_not m.md '| pass'
	run ablate gate --values v.toml --markdown no/such/m.md; check [ $code -ne 4 ]; says err no/such
}

grid() {
	cat >g.toml <<'TOML'
schema = 1
[grid]
name = "g"
seeds = { train = [1, 2], eval = [101], paired = true }
[base]
preset = "ict-cifar10-tiny"
[variants]
l2 = { label = "L2 & 50%", set = { "loss.kind" = "l2" } }
[[chain]]
name = "one"
mode = "one-at-a-time"
steps = ["l2"]
[[metric]]
name = "fid"
samples = 2000
[[gate]]
name = "no-regression"
metric = "fid@1"
arm = "base"
against = "baseline"
margin = { relative = 0.05 }
TOML
}

# A database as a run would leave it, without the run: FID 10, 10.5 for the base, 12, 12.6 for l2. $1: a text that went
# into all hashes, as of a program that has other settings than this one.
filled() {
	grid
	ablate plan g.toml --json >plan.json || fail "no plan"
	ablate schema --sql >schema.sql || fail "no schema"
	command -v sqlite3 >/dev/null || skip "no sqlite3"
	command -v python3 >/dev/null || skip "no python3"
	HERE=$("$ABLATE" --version --json | sed -n 's/^ *"fingerprint": "\([0-9a-f]*\)",*$/\1/p') OTHER=${1-} python3 - <<'PY' | sqlite3 ablate.db
import hashlib, json, os
other = os.environ["OTHER"]
name = lambda h: hashlib.sha256((other + h).encode()).hexdigest() if other else h
plan = json.load(open("plan.json"))
print(open("schema.sql").read())
print("INSERT INTO grid(hash, name, toml, created) VALUES('%s', 'e2e', '%s', '2026');" % (plan["grid"]["hash"], open("g.toml").read().replace("'", "''")))
arms = [a["arm"] for a in plan["arms"]]
for a in plan["arms"]:
    print("INSERT INTO arm VALUES('%s', '%s');" % (name(a["arm"]), json.dumps(a["config"]).replace("'", "''")))
fid = {0: [10.0, 10.5], 1: [12.0, 12.6]}
for c in plan["cells"]:
    k = arms.index(c["arm"])
    print("INSERT INTO cell(hash, arm, seed, numerics, dataset) VALUES('%s', '%s', %d, 1, 'd');" % (name(c["cell"]), name(c["arm"]), c["seed"]))
    for r in plan["rows"]:
        if r["arm"] == c["arm"]:
            print("INSERT INTO grid_cell(grid, cell, chain, ordinal, label) VALUES('%s', '%s', '%s', 0, '%s');" % (plan["grid"]["hash"], name(c["cell"]), r["chain"], r["label"]))
    t = c["cell"][:30]
    print("INSERT INTO attempt(id, cell, n, state, started, fingerprint) VALUES('%s', '%s', 1, 'done', '2026-01-01T00:00:00.000Z', '%s');" % (t, name(c["cell"]), os.environ["HERE"]))
    v = fid[k][c["seed"] - 1]
    print("INSERT INTO metric(attempt, name, nfe, weights, step, eval_seed, protocol, value, hex, n) VALUES('%s', 'fid', 1, 'ema', 10, 101, 'p:n2000', %r, '%s', 2000);"
          % (t, v, v.hex()))
PY
	ablate table g.toml >out 2>err || fail "the made-up database is not accepted"
}

test_baseline_from_proposal_to_verdict() {
	filled
	run ablate gate g.toml; exits 5; says out 'ablate baseline propose'
	run ablate baseline propose g.toml; exits 0; says out results/baselines/g.no-regression.proposed.toml
	run ablate baseline accept g.toml; exits 2; says err '--reason'
	run ablate baseline accept g.toml --reason 'the first one'; exits 0
	run ablate baseline list; exits 0; lines_of out 1; says out accepted; says out 'the first one'
	run ablate gate g.toml --junit j.xml --markdown m.md; exits 0; says out '1 passed, 0 failed, 0 inconclusive'; says j.xml 'name="cells"'
	says m.md '| no-regression | pass | '; says m.md '4 of 4 cells are done.'
	sed -i 's/^values = \[10/values = [9/' results/baselines/g.no-regression.toml
	run ablate gate g.toml; exits 5; says out 'was edited'
}

# Whoever reads the table of a job that cannot be judged must see which cell is to blame.
test_markdown_names_cells_that_are_not_done() {
	filled
	run ablate gate g.toml --set 'seeds.train=[1, 2, 3]' --markdown m.md --no-record; exits 5
	says m.md '| **cannot be judged** |  |  |  |'; says m.md '4 of 6 cells are done; these are not:'; says m.md '- one/base seed 3: pending'
}

# The gate of a change request: the recipe is another one on purpose, so its baseline is no longer of the same arm.
test_a_change_of_recipe_is_judged_when_asked_for() {
	filled
	run ablate baseline propose g.toml; exits 0
	run ablate baseline accept g.toml --reason 'the first one'; exits 0
	sed -i 's/^arm = ".*"/arm = "0123456789ab"/' results/baselines/g.no-regression.toml
	run ablate gate g.toml; exits 5; says out 'of another configuration of this arm (0123456789ab, now base '; says out '--allow-config-change'
	run ablate gate g.toml --allow-config-change; exits 0; says out 'as --allow-config-change allows'
	sed -i 's/^label = ".*"/label = "l2"/' results/baselines/g.no-regression.toml
	run ablate gate g.toml; exits 5; says out 'of another arm, l2'
}

test_a_row_of_another_grid() {
	filled
	mkdir before && sed 's/name = "g"/name = "before"/; /\[\[gate\]\]/,$d' g.toml >before/recipe.toml
	sed -i 's/^against = .*/against = "l2"\nagainst_grid = "before\/recipe.toml"/' g.toml
	run ablate gate g.toml; exits 0; says out 'base is better than l2 of before/recipe.toml, by about 2.05'
	run ablate gate g.toml --only base; exits 0 # --only and --set are for the own grid alone: l2 is not asked for in it
	run ablate gate g.toml --json; exits 0; says out '"against": "l2 of before/recipe.toml"'
	run ablate report g.toml -o r.html; exits 0; says r.html 'l2 of before/recipe.toml'
	mv ablate.db then.db; cp then.db now.db
	run ablate gate g.toml --db now.db --against-db then.db; exits 0
	run ablate gate g.toml --db now.db --against-db none.db; exits 5; says out 'there is no database none.db'
	sed -i 's/^against = .*/against = "l3"/' g.toml
	run ablate gate g.toml --db now.db; exits 5; says out "before/recipe.toml: "
	rm before/recipe.toml
	run ablate gate g.toml --db now.db; exits 5; says out 'before/recipe.toml'
	sed -i 's/^against = .*/against = "baseline"/' g.toml
	run ablate gate g.toml --db now.db; exits 2; says err 'a stored baseline is of no grid'
	grid
	run ablate gate g.toml --db now.db --against-db then.db; exits 2; says err 'against_grid'
}

test_power_is_of_the_test_that_judges() {
	values '10.1, 10.4, 9.8, 10.0, 9.9' "$BASE" 'margin = 0.5\npaired = false'
	run ablate gate --values v.toml --power; exits 0
	says out 'the seeds are the same but not paired: paired = false'; says out '%  welch t'; says_not out '%  paired t'
	values '10.1, 10.4, 9.8, 10.0, 9.9' "$BASE" 'test = "superiority"'
	run ablate gate --values v.toml --power; exits 4
	says out 'chance of a clear pass when the arm is truly better'; says_not out 'nothing changed'
}

test_tables_to_files_and_their_check() {
	filled
	run ablate table g.toml; exits 0; says out '10.25 ± 0.35*'; says out '+2.05'
	for f in md tex csv json txt; do
		run ablate table g.toml -o "t.$f"; exits 0
		run ablate table g.toml --check "t.$f"; exits 0
	done
	sed -i 's/12.30/11.30/' t.md
	run ablate table g.toml --check t.md; exits 5; says err t.md:
	if command -v pdflatex >/dev/null && kpsewhich booktabs.sty >/dev/null; then
		{ printf '\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n'; cat t.tex; printf '\\end{document}\n'; } >doc.tex
		run pdflatex -interaction=nonstopmode -halt-on-error doc.tex; exits 0
		says_not doc.log 'Overfull' # within the text of class article
		says doc.aux 'newlabel{tab:'
	fi
	run ablate table g.toml --cols fid@1 --cols delta -f csv; exits 0; says out 'delta lo'; says_not out seeds; says out '--cols delta'
	run ablate table g.toml --cols nosuch; exits 2; says err "'nosuch' is not a column"
	run ablate table g.toml --cols fid@1 --cols delta --width 60; exits 0; says out '10.25 ± 0.35*'
	run ablate table g.toml --table none; exits 2
	run ablate table nosuch --json; check [ $code -eq 2 ] # no grid of that name ran here, and none is shipped
	run ablate table quickstart --db none.db; exits 0; says out pending # a study that comes with the program
}

# A program that has learnt a setting hashes the same arms otherwise. Opened by its name, a grid still has its results.
test_results_of_an_older_program() {
	filled "another program"
	run ablate table g.toml; exits 0; says out pending; says_not out 10.25
	run ablate table e2e; exits 0; says out '10.25 ± 0.35*'; says out '+2.05'
	run ablate table e2e --only base; exits 0; says out 10.25
	run ablate figure e2e bars -o b.svg; exits 0
	run ablate report e2e -o r.html; exits 0
	run ablate table e2e --set train.steps=9; exits 0; says_not out 10.25
}

test_figures() {
	filled
	for kind in curves metric; do run ablate figure g.toml $kind -o "$kind.svg"; exits 1; done # the records have none
	for kind in bars sigma steps; do
		run ablate figure g.toml $kind -o "$kind.svg"; exits 0; check test -s "$kind.svg"
	done
	run ablate figure g.toml bars -o b.pdf; exits 0
	run ablate figure g.toml bars -o b.png; exits 0
	run ablate figure g.toml sweep; exits 2; says err '--knob'
	run ablate figure g.toml samples; exits 1
	run ablate figure g.toml bars -o b.gif; exits 2
	run ablate report g.toml -o r.html; exits 0; says r.html 'L2 &amp; 50%'
}

run_tests
