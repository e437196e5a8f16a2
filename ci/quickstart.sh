#!/bin/bash
# quickstart.sh - from a bare Debian to the quickstart study: packages, build, grid, table. Run again: only what is missing.
. "$(dirname "$0")/lib.sh"
ci/setup.sh build run
step "building"
build_preset default ablate
step "ablate run ablations/quickstart.toml"
code=0
build/ablate run ablations/quickstart.toml --jobs "$(nproc)" "$@" || code=$?
db=${ABLATE_DB:-ablate.db}
runs=$db-runs
build/ablate figure ablations/quickstart.toml samples -o "$runs/samples.png"
build/ablate figure ablations/quickstart.toml curves -o "$runs/loss.png"
printf '\n%s\n' "Pictures: $runs/samples.png and $runs/loss.png    Database: $db    Journals and checkpoints: $runs" >&2
exit "$code"
