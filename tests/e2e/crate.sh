#!/bin/bash
# crate.sh - `ablate export --ro-crate`: the folder is whole, says what is in the database, and is the same whenever it is
# made. What others' programs make of it: ci/crate.sh.
. "$(dirname "$0")/lib.sh"

study() {
	small_grid 4
	mv g.toml base.toml
	cat >g.toml <<-END
	schema = 1
	inherit = "base.toml"
	[grid]
	name = "a study"
	seeds = { train = [1, 2], eval = [101] }
	[[metric]]
	name = "fid"
	samples = 100
	nfe = [1, 2]
	END
	export ABLATE_KEY=$PWD/k.pem
	ablate key new --name "A. Lice" >out
	run ablate run "$PWD/g.toml"
	exits 0
}

cat_structure() { cat <<'END'
import json, os, sys, urllib.parse, hashlib
folder, cells, scores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
document = json.load(open(folder + "/ro-crate-metadata.json"))
assert document["@context"] == ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"]
graph = {e["@id"]: e for e in document["@graph"]}
assert len(graph) == len(document["@graph"]), "an id that two entities have"
outside = ("https://w3id.org/ro/crate/1.1", "http://schema.org/CompletedActionStatus", "http://schema.org/FailedActionStatus")
def references(v):
    if isinstance(v, dict):
        assert set(v) == {"@id"}, v
        yield v["@id"]
    elif isinstance(v, list):
        for x in v:
            yield from references(x)
for e in graph.values():
    for key, v in e.items():
        for r in references(v):
            assert r in graph or r in outside, (e["@id"], key, r)
about, root = graph["ro-crate-metadata.json"], graph["./"]
assert about["@type"] == "CreativeWork" and about["about"] == {"@id": "./"}
assert {"@id": outside[0]} in about["conformsTo"]
assert root["@type"] == "Dataset" and all(root[k] for k in ("name", "description", "datePublished", "license"))
profiles = [graph[p["@id"]] for p in root["conformsTo"]]
assert {"https://w3id.org/ro/wfrun/process/0.5", "https://w3id.org/ro/wfrun/workflow/0.5"} <= {p["@id"] for p in profiles}
assert all(p["@type"] == "CreativeWork" and p["version"] for p in profiles)
workflow = graph[root["mainEntity"]["@id"]]
assert workflow["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
assert graph[workflow["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
files = [e for e in graph.values() if "File" in e["@type"]]
assert {f["@id"] for f in files} == {p["@id"] for p in root["hasPart"]}
for f in files:
    content = open(os.path.join(folder, urllib.parse.unquote(f["@id"])), "rb").read()
    assert hashlib.sha256(content).hexdigest() == f["sha256"] and str(len(content)) == f["contentSize"], f
there = {os.path.relpath(os.path.join(d, n), folder) for d, _, names in os.walk(folder) for n in names}
assert there == {f["@id"] for f in files} | {"ro-crate-metadata.json"}, there
actions = [e for e in graph.values() if e["@type"] == "CreateAction"]
assert {a["@id"] for a in actions} == {m["@id"] for m in root["mentions"]}
whole = [a for a in actions if a["instrument"]["@id"] == workflow["@id"]]
assert len(whole) == 1 and len(actions) == cells + 1, len(actions)
assert len(whole[0]["result"]) == scores
for a in actions:
    assert a["startTime"] <= a["endTime"] and a["object"] and a["actionStatus"]["@id"] in outside
    if a is whole[0]:
        continue
    assert graph[a["instrument"]["@id"]]["@type"] == "SoftwareApplication" and graph[a["instrument"]["@id"]]["softwareVersion"]
    named = {graph[p["@id"]]["name"]: graph[p["@id"]]["value"] for p in a["additionalProperty"]}
    assert named["cpu"] and named["libraries.oneDNN"] and named["threads"] >= 1, named
    settings = [graph[o["@id"]] for o in a["object"] if graph[o["@id"]].get("name") == "settings"]
    assert len(settings) == 1 and json.loads(settings[0]["value"])["train.steps"] == 4
    assert [o for o in a["object"] if "sha256" in graph[o["@id"]]], "no data set"
    assert [r for r in a["result"] if "sha256" in graph[r["@id"]]], "no output"
    values = [graph[r["@id"]] for r in a["result"] if graph[r["@id"]]["@type"] == "PropertyValue"]
    assert sorted(v["name"] for v in values) == ["fid@1", "fid@2"], values
    for v in values:
        assert float.fromhex(v["description"].split()[1].rstrip(";")) == v["value"] and v["measurementTechnique"].startswith("fid:")
print(len(graph), "entities")
END
}

test_the_folder_is_whole() {
	command -v python3 >/dev/null || skip "python3 is not installed"
	study
	run ablate export --ro-crate crate
	exits 0
	cat_structure >structure.py
	run python3 structure.py crate 2 4
	exits 0
	# the same bytes whenever it is made, in the folder or by its file's name
	run ablate export --ro-crate again/ro-crate-metadata.json --grid "a study"
	exits 0
	check diff -r crate again
	lines_of crate/statements.intoto.jsonl 2
	same crate/a_study.toml g.toml
	same crate/inherited/1-base.toml base.toml
}

test_identity_only_when_asked() {
	study
	run ablate export --ro-crate crate
	exits 0
	grep -rF "$PWD" crate && fail "a path is in the crate"
	says_not crate/ro-crate-metadata.json '"host"'
	says_not crate/ro-crate-metadata.json '"agent"'
	says_not crate/ro-crate-metadata.json 'A. Lice'
	run ablate export --ro-crate named --identity
	exits 0
	says named/ro-crate-metadata.json '"agent"'
	says named/ro-crate-metadata.json '"name": "A. Lice"'
	says named/ro-crate-metadata.json '"name": "host"'
}

# A cell that failed is told with its reason, one that never began not at all; a forged statement is not passed on.
test_what_failed_and_what_is_forged() {
	study
	sqlite3 ablate.db "DROP TRIGGER attempt_final; DROP TRIGGER metric_no_update;
		UPDATE attempt SET state = 'failed', reason = 'out of luck in /some/where' WHERE id = (SELECT min(id) FROM attempt);
		UPDATE metric SET value = 1, hex = '0x1p+0' WHERE attempt = (SELECT max(id) FROM attempt)"
	run ablate export --ro-crate crate
	exits 0
	says crate/ro-crate-metadata.json '"error": "failed: out of luck in where"'
	says crate/ro-crate-metadata.json '1 of its 2 cells are done'
	says crate/ro-crate-metadata.json 'FailedActionStatus'
	check test ! -e crate/statements.intoto.jsonl
}

test_bad_input() {
	run ablate export --ro-crate crate
	exits 5
	study
	run ablate export --ro-crate crate --grid nosuch
	exits 2
	says err "no grid 'nosuch'"
	run ablate export --csv --ro-crate crate
	exits 2
	run ablate export --csv --grid x
	exits 2
	touch file
	run ablate export --ro-crate file
	check [ "$code" -ne 0 ]
	lines_of err 1
	says err file
}

run_tests
