#!/bin/bash
# rooms.sh - who calls whom, from the symbols of the built libraries, against the order of ci/rooms.txt: no call goes up, and no calls between the files of a
# room form a circle. Prints FILE calls FILE (NAMES) for what is wrong; ends with the number of arrows and of complaints.
#   ci/rooms.sh [BUILD]
# Two calls up are meant, and known here: a graph asks its ops by number (op_row).
. "$(dirname "$0")/lib.sh"
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for layer in model metrics harness; do
	[ -f "$build/lib$layer.a" ] || die "$build/lib$layer.a is not there: build first"
	find "$layer" -name '*.c' | sed -E 's|^(.*/)?([^/]*)$|file \2 &|'
	nm -A "$build/lib$layer.a"
done >"$work/symbols"

# "from to name" of every call between two of our files
awk '
	$1 == "file" { path[$2] = $3; next }
	{
		split($1, part, ":")
		sub(/\.o$/, "", part[2])
		from = path[part[2]]
	}
	$NF != "" && $(NF - 1) == "U" { n++; user[n] = from; used[n] = $NF; next }
	$(NF - 1) ~ /^[TDBRVW]$/ { home[$NF] = from }
	END {
		for (i = 1; i <= n; i++)
			if (used[i] != "op_row" && used[i] in home && home[used[i]] != user[i])
				print user[i], home[used[i]], used[i]
	}' "$work/symbols" | sort -u >"$work/calls"

awk '
	FNR == NR { if ($0 !~ /^#/) { layer = substr($1, 1, length($1) - 1); for (i = 2; i <= NF; i++) rank[layer "/" $i] = ++n } next }
	function place(file) { split(file, part, "/"); return part[1] "/" part[2] in rank ? rank[part[1] "/" part[2]] : 1000 }
	place($2) > place($1) { print $1 " calls " $2 " (" $3 ")" }' ci/rooms.txt "$work/calls" >"$work/report"

# tsort names the files of a circle on stderr
awk '{ print $1, $2 }' "$work/calls" | sort -u | { tsort 2>&1 >/dev/null || true; } | sed -E 's/^tsort: //; s/^-: .*/a circle:/' >>"$work/report"

n=$(wc -l <"$work/report")
cat "$work/report"
echo "rooms: $(cut -d' ' -f1,2 "$work/calls" | sort -u | wc -l) arrows, $n complaints"
[ "$n" -eq 0 ]
