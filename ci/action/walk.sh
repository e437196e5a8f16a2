#!/bin/bash
# walk.sh - the steps of action.yml one after another, as a hosted CI starts them, on a machine that has the .deb, these scripts, a grid and
# its baseline in one folder and nothing else: installs, trains, judges twice. The first verdict must be a pass by the committed baseline; that
# of another recipe, which the baseline is not of, must not be one. Used by ci/newcomer.sh.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p baselines
mv ./*.no-regression.toml baselines/
DEB=$(ls ablate*.deb)
SHA256=$(sha256sum "$DEB" | cut -d' ' -f1)
export DEB SHA256 GITHUB_OUTPUT=$PWD/output GITHUB_STEP_SUMMARY=$PWD/summary.md
export GRID=ci-gate.toml BASELINES=baselines DEVICE=cpu DB=ablate.db SETTINGS= REPORT=true
output() { sed -n "s/^$1=//p" "$GITHUB_OUTPUT" | tail -1; }
! SHA256=0000 bash install.sh 2>/dev/null || { echo "another hash was taken"; exit 1; }
bash install.sh
bash key.sh
[ -n "$(output fingerprint)" ]
bash judge.sh
cat "$GITHUB_STEP_SUMMARY"
[ "$(output verdict)" = pass ] && [ -s gates.xml ] && [ -s "$(output report)" ]
CODE=$(output exit-code) bash conclude.sh
SETTINGS='train.steps=20' bash judge.sh >log 2>&1
[ "$(output verdict)" = error ] || { cat "$GITHUB_STEP_SUMMARY"; echo "another recipe was judged by this baseline"; exit 1; }
echo "the action's steps: verdicts pass, then $(output verdict)"
