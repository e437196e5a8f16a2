#!/bin/bash
# crate.sh - do other people's programs read what ablate exports? A signed run of two small cells, its RO-Crate and its
# statements, read by rocrate, in-toto's package and securesystemslib (tests/peers/records.txt) in a virtual environment.
#   ci/crate.sh [BUILD]
# Exit 77: no index answers.
. "$(dirname "$0")/lib.sh"
build=$(cd "${1:-build}" && pwd) || die "${1:-build} is not there: build first"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
peers_venv "$work" tests/peers/records.txt
cat >"$work/g.toml" <<-END
schema = 1
[grid]
name = "crate"
seeds = { train = [1, 2], eval = [101] }
[base]
preset = "ict-shapes8-ci"
train.steps = 4
train.batch = 4
[[metric]]
name = "fid"
samples = 100
nfe = [1, 2]
END
export ABLATE_KEY=$work/key.pem ABLATE_CACHE=$work/cache
cd "$work"
"$build/ablate" key new --json >key.json
python3 -c 'import json; open("public.pem", "w").write(json.load(open("key.json"))["public"])'
"$build/ablate" run g.toml -q >/dev/null
"$build/ablate" export --ro-crate crate -q
"$work/venv/bin/python" "$ROOT/tests/peers/records_peer.py" crate public.pem
