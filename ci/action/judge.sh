#!/bin/bash
# judge.sh - trains what GRID still needs and judges its gates. Leaves gates.xml and, as Markdown, the verdicts that it also appends to the
# step's summary; unless REPORT is "false", report.html; writes the outputs verdict, exit-code, junit, markdown and report. Ends with 0 whatever
# the verdict: conclude.sh decides the job. From the environment: GRID, BASELINES, DEVICE, DB, SETTINGS (one a line, as --set takes them), REPORT.
set -euo pipefail
rm -f gates.xml gates.md report.html
options=()
while IFS= read -r line; do [ -z "$line" ] || options+=(--set "$line"); done <<<"${SETTINGS:-}"
code=0 ran=0
ablate run "$GRID" --db "$DB" --device "$DEVICE" "${options[@]}" || ran=$?
[ $ran -eq 0 ] || echo "::warning::ablate run ended with $ran: some cells are not done"
ablate gate "$GRID" --db "$DB" --baselines "$BASELINES" "${options[@]}" --junit gates.xml --markdown gates.md || code=$?
case $code in 0) verdict=pass ;; 3) verdict=fail ;; 4) verdict=cannot-tell ;; *) verdict=error ;; esac
[ -f gates.md ] || printf '**nothing was judged**: `ablate gate` ended with %d; the log says why.\n' "$code" >gates.md
{ printf '## ablate: %s\n\n' "$verdict"; cat gates.md; } >>"$GITHUB_STEP_SUMMARY"
report=
if [ "${REPORT:-true}" != false ]; then
	ablate report "$GRID" --db "$DB" --baselines "$BASELINES" "${options[@]}" -o report.html && report=report.html || echo "::warning::no report was written"
fi
printf 'verdict=%s\nexit-code=%d\njunit=gates.xml\nmarkdown=gates.md\nreport=%s\n' "$verdict" "$code" "$report" >>"$GITHUB_OUTPUT"
