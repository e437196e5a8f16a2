#!/bin/bash
# peers.sh - are the scores those of the published packages? tests/peers/metrics_peer.py in a virtual environment of its own with
# tests/peers/metrics_requirements.txt (PyTorch among them, 3 GB). Takes minutes; meant for a night, or for whoever touched metrics/.
#   ci/peers.sh [BUILD [--pictures N] [--only PEER]...]
# Exit 77: no index answers.
. "$(dirname "$0")/lib.sh"
build=$(cd "${1:-build}" && pwd) || die "${1:-build} is not there: build first"
[ $# -eq 0 ] || shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
peers_venv "$work" tests/peers/metrics_requirements.txt
"$work/venv/bin/python" tests/peers/metrics_peer.py --ablate "$build/ablate" "$@"
