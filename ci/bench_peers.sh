#!/bin/bash
# bench_peers.sh - scoring beside its peers, each in turn with it: Inception features beside pytorch-fid's and torch-fidelity's, `ablate
# fid` of 300 + 300 PNG beside pytorch-fid's command (wall time and memory), DINOv2 features beside PyTorch's; then density and coverage
# beside a matrix product. The packages come as for ci/peers.sh. Takes some 20 minutes of a machine that does nothing else.
#   ci/bench_peers.sh [BUILD [VENV]]      VENV: a virtual environment with tests/peers/metrics_requirements.txt
# Prints one JSON object per benchmark. Exit 77: no index answers.
. "$(dirname "$0")/lib.sh"
build=$(cd "${1:-build}" && pwd) || die "${1:-build} is not there: build first"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ $# -gt 1 ]; then
	ln -s "$(cd "$2" && pwd)" "$work/venv"
else
	peers_venv "$work" tests/peers/metrics_requirements.txt
fi
export PYTHONDONTWRITEBYTECODE=1
beside() { # WHAT PEER
	step "$1 beside $2"
	"$build/ablate" bench "$1" --peer "$work/venv/bin/python tests/peers/bench_peer.py $2" --json
}
beside features pytorch-fid
beside features torch-fidelity
beside fid pytorch-fid
beside dinov2 pytorch
step 'prdc'
"$build/ablate" bench prdc --json
