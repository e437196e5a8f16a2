#!/bin/bash
# analyse.sh - clang's static analyser and gcc's (-fanalyzer) over the program's sources: paths to a null pointer, to memory
# that is freed, lost or was never written.
#   ci/analyse.sh [FILE...]     all of model, metrics and harness: some 40 minutes of one core
# Neither knows this program's rules, so each report is either mended or judged once, in ci/analyse.known:
#   @ FILE CHECK        - LINE, the reported line of FILE without its indent        = WHY it is no fault
# Exit 1: a report that nobody judged, or a judgement of something that is no longer reported.
. "$(dirname "$0")/lib.sh"
ci/setup.sh build run test lint
[ -f build/compile_commands.json ] || cmake --preset default >/dev/null || die "cmake --preset default failed"
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(program_sources)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export ROOT WORK CCACHE_DISABLE=1
# Version 14's valist checks do not see that va_start() begins a list; the other one is against memcpy and snprintf as such.
export CHECKS='-*,clang-analyzer-*,-clang-analyzer-valist.*,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling'

# What these always return, which an analyser that sees one file at a time cannot know.
cat >"$WORK/known.h" <<'C'
#define _GNU_SOURCE
#include "model/base/err.h"
#define err_set(...)  ((void)(err_set)(__VA_ARGS__), -1)
#define err_code(...) ((void)(err_code)(__VA_ARGS__), -1)
#define err_in(...)   ((void)(err_in)(__VA_ARGS__), -1)
C

# As "warning: ... [CHECK]" with the place before it; a source is known by the command that the build compiles it with.
one() {
	local out=$WORK/${1//\//+} command known=(-include "$WORK/known.h")
	[ "$1" != model/base/err.c ] || known=()
	command=$(sed -nE 's/^ *"command": "(.*)",?$/\1/p' build/compile_commands.json | grep -F -- " -c $ROOT/$1" | head -1)
	[ -n "$command" ] || { echo "$1: the build does not compile it" >>"$WORK/failed"; return; }
	clang-tidy -p build --quiet --checks="$CHECKS" --warnings-as-errors='-*' --extra-arg=-Wno-everything \
		"${known[@]/#/--extra-arg=}" "$1" >"$out" 2>"$out.err" || cat "$out.err" >>"$WORK/failed"
	command=${command//\\\"/\"} command=${command//\\\\/\\}
	(cd build && eval "${command%% -o *} -Wno-error -fanalyzer ${known[*]} -o /dev/null -c '$ROOT/$1'") 2>"$out.err" ||
		cat "$out.err" >>"$WORK/failed"
	cat "$out.err" >>"$out"
}
export -f one
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -c 'one "$1"' one

# FILE, CHECK, the line's text, and how it is said; one for each place and check.
reports() {
	local file line rest check
	local said='^([^ :]+):([0-9]+):[0-9]+: (warning|error): (.*) \[(-W|clang-)analyzer-([A-Za-z.-]+)(,.*)?\]$'
	cat "$WORK"/*+* | sed -nE "s/$said/\\1\t\\2\t\\6\t\\4/p" | sort -u |
		while IFS=$'\t' read -r file line check rest; do
			[[ $file == /* ]] || file=$(cd build && realpath "$file")
			file=${file#"$ROOT"/}
			printf '%s\t%s\t%s\t%s: %s\n' "$file" "$check" "$(sed -nE "${line}s/^[[:space:]]*//p" "$file")" "$line" "$rest"
		done
}
reports >"$WORK/reports"
awk '/^@ / { file = $2; check = $3 } /^- / { print file "\t" check "\t" substr($0, 3) }' ci/analyse.known >"$WORK/known"

: >>"$WORK/failed"
cat "$WORK/failed"
awk -F '\t' -v OFS='\t' -v files="${files[*]}" -v broken="$(wc -l <"$WORK/failed")" '
	FILENAME == ARGV[1] { known[$1 OFS $2 OFS $3] = 0; next }
	{ key = $1 OFS $2 OFS $3
	  if (key in known) { judged += !known[key]++; next }
	  if (!(($1, $4, $2) in said)) { said[$1, $4, $2]; unjudged++; printf "%s:%s [%s]\n    %s\n", $1, $4, $2, $3 } }
	END {
		n = split(files, list, " ")
		for (i = 1; i <= n; i++) asked[list[i]]
		for (key in known) { split(key, part, OFS); if (!known[key] && part[1] in asked) { stale++; print "no longer reported: " part[1] " [" part[2] "] " part[3] } }
		printf "%d files, %d reports judged before; %d not judged, %d no longer reported\n", n, judged, unjudged, stale
		exit unjudged + stale + broken > 0
	}' "$WORK/known" "$WORK/reports"
