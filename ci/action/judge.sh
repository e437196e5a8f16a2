#!/bin/bash
# judge.sh - trains what GRID still needs and judges its gates. Leaves gates.xml and, as Markdown, the verdicts that it also appends to the
# step's summary; writes the outputs verdict, exit-code, junit and markdown. Ends with 0 whatever the verdict: conclude.sh decides the job.
# From the environment: GRID, BASELINES, DEVICE, DB, SETTINGS (one a line, as --set takes them).
set -euo pipefail
rm -f gates.xml gates.md
options=()
while IFS= read -r line; do [ -z "$line" ] || options+=(--set "$line"); done <<<"${SETTINGS:-}"
code=0 ran=0
ablate run "$GRID" --db "$DB" --device "$DEVICE" "${options[@]}" || ran=$?
[ $ran -eq 0 ] || echo "::warning::ablate run ended with $ran: some cells are not done"
ablate gate "$GRID" --db "$DB" --baselines "$BASELINES" "${options[@]}" --junit gates.xml --markdown gates.md || code=$?
case $code in 0) verdict=pass ;; 3) verdict=fail ;; 4) verdict=cannot-tell ;; *) verdict=error ;; esac
[ -f gates.md ] || printf '**nothing was judged**: `ablate gate` ended with %d; the log says why.\n' "$code" >gates.md
{ printf '## ablate: %s\n\n' "$verdict"; cat gates.md; } >>"$GITHUB_STEP_SUMMARY"
printf 'verdict=%s\nexit-code=%d\njunit=gates.xml\nmarkdown=gates.md\n' "$verdict" "$code" >>"$GITHUB_OUTPUT"
