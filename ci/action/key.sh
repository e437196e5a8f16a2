#!/bin/bash
# key.sh - the fingerprint of the numerics of this build, by which results are cached: output "fingerprint".
set -euo pipefail
fingerprint=$(ablate --version --json | sed -n 's/^ *"fingerprint": "\([0-9a-f]*\)",*$/\1/p')
[ -n "$fingerprint" ] || { echo "::error::ablate says no fingerprint"; exit 1; }
echo "fingerprint=$fingerprint" >>"$GITHUB_OUTPUT"
