#!/bin/bash
# python.sh - do pandas and tensorboard read what ablate writes? A small study, its database by the code of
# harness/README.md ("Reading from Python") and its event files by tensorboard's package, in a virtual environment
# (tests/peers/python.txt).
#   ci/python.sh [pandas|tensorboard|all] [BUILD]
# Exit 77: no index answers.
. "$(dirname "$0")/lib.sh"
what=${1:-all}
case $what in
all) parts="pandas tensorboard" ;;
pandas | tensorboard) parts=$what ;;
*) die "$what: no such part; there are pandas, tensorboard and all" ;;
esac
build=$(cd "${2:-build}" 2>/dev/null && pwd) || die "${2:-build} is not there: build first"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
peers_venv "$work" tests/peers/python.txt
cat >"$work/g.toml" <<-END
schema = 1
[grid]
name = "python"
seeds = { train = [1, 2], eval = [101, 102] }
[base]
preset = "ict-shapes8-ci"
train.steps = 20
train.batch = 4
[variants]
squared = { set = { "loss.kind" = "l2", "teacher.ema" = "schedule" } }
[[chain]]
name = "arms"
mode = "one-at-a-time"
steps = ["squared"]
[[metric]]
name = "fid"
samples = 100
nfe = [1, 2]
[[metric]]
name = "kid"
samples = 100
END
export ABLATE_CACHE=$work/cache
cd "$work"
"$build/ablate" run g.toml -q >/dev/null
for part in $parts; do
	step "$part"
	case $part in
	pandas)
		"$build/ablate" table g.toml --json >table.json
		"$build/ablate" export --jsonl >scores.jsonl
		venv/bin/python "$ROOT/tests/peers/pandas_peer.py" "$ROOT/harness/README.md" table.json scores.jsonl
		;;
	tensorboard)
		"$build/ablate" export --tensorboard events -q
		venv/bin/python "$ROOT/tests/peers/tensorboard_peer.py" ablate.db events
		;;
	esac
done
