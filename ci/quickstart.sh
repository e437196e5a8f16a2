#!/bin/bash
# quickstart.sh - from a bare Debian to the quickstart study: packages, build, grid, table. Run again: only what is missing.
. "$(dirname "$0")/lib.sh"
ci/setup.sh build run
step "building"
build_preset default ablate
step "ablate run ablations/quickstart.toml"
code=0
build/ablate run ablations/quickstart.toml "$@" || code=$?
db=${ABLATE_DB:-ablate.db}
printf '\n%s\n' "Database: $ROOT/$db    Pictures, journals and checkpoints: $ROOT/${db%.db}-runs" >&2
exit "$code"
