#!/bin/bash
# peers.sh - are the scores those of the published packages? tests/peers/metrics_peer.py in a virtual environment of its own with
# tests/peers/metrics_requirements.txt (PyTorch among them, 3 GB). Takes minutes; meant for a night, or for whoever touched metrics/.
#   ci/peers.sh [BUILD [--pictures N] [--only PEER]...]
# Exit 77: no index answers.
. "$(dirname "$0")/lib.sh"
build=$(cd "${1:-build}" && pwd) || die "${1:-build} is not there: build first"
[ $# -eq 0 ] || shift
python3 -c 'import venv, ensurepip' 2>/dev/null || die "no python3 that can make virtual environments; Debian's python3-venv can"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/peers/metrics_requirements.txt >"$work/log" 2>&1 ||
	{ echo "peers.sh: cannot get the packages from the Python index: $(tail -1 "$work/log" | cut -c1-300)" >&2; exit 77; }
"$work/venv/bin/python" tests/peers/metrics_peer.py --ablate "$build/ablate" "$@"
