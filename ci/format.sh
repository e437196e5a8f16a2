#!/bin/bash
# format.sh - the sources as .clang-format says, by version 14 of clang-format, since every version formats differently.
#   ci/format.sh             formats them
#   ci/format.sh --check     names the files that would change; exit 1 when there are any, 77 without that version
. "$(dirname "$0")/lib.sh"
format=$(command -v clang-format-14 || command -v clang-format || true)
if [ -z "$format" ] || ! "$format" --version | grep -q 'version 14\.'; then
	echo "format: clang-format 14 is missing (Debian 12: ci/setup.sh lint); nothing was looked at"
	exit 77
fi
mapfile -t files < <(find model metrics harness tests -regex '.*\.\(c\|h\|cu\|cuh\|cc\)' ! -path 'tests/fixtures/*' | sort)
case ${1-} in
'') printf '%s\0' "${files[@]}" | xargs -0 -n 40 -P "$(nproc)" "$format" -i ;;
--check)
	changed=$(printf '%s\0' "${files[@]}" | xargs -0 -n 40 -P "$(nproc)" "$format" --dry-run 2>&1 | sed -nE 's/^([^:]+:[0-9]+):.*-Wclang-format-violations.*/\1/p')
	[ -z "$changed" ] || { sed 's/$/: not as ci\/format.sh leaves it/' <<<"$changed"; exit 1; } ;;
*) die "unknown option $1; there is --check" ;;
esac
