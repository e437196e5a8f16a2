#!/bin/bash
# style.sh - the rules that no compiler checks. Prints FILE:LINE: what is wrong; ends with the number of complaints.
. "$(dirname "$0")/lib.sh"
LONGEST=600          # lines of a source file
work=$(mktemp -d)
report=$work/report
: >"$report"
trap 'rm -rf "$work"' EXIT
complain() { cat >>"$report"; }

# What .gitignore leaves, by an empty repository: the same files in a clone, in somebody else's, and in a tarball without one.
git init -q --bare "$work/empty" || die "git is missing: ci/setup.sh build"
mapfile -t files < <(git --git-dir="$work/empty" --work-tree=. ls-files -o --exclude-standard)
sources=() texts=()
for f in "${files[@]}"; do
	case $f in
	tests/fixtures/*|tests/fuzz/corpus/*|results/*) continue ;;
	*.c|*.h|*.cu|*.cuh) sources+=("$f"); texts+=("$f") ;;
	*.sh|*.def|*.sql|*.toml|*.md|*.txt|*.json|*.yml|*.cff|*.cmake|.ci/run) texts+=("$f") ;;
	esac
done

# 1. A source begins with a paragraph that says its name and what it is for.
for f in "${sources[@]}"; do
	head -1 "$f" | grep -qF "/* ${f##*/} - " || echo "$f:1: does not begin with '/* ${f##*/} - what it is for'"
done | complain

# 2. One form of an include, the path from the root; and includes point one way, by the order of ci/rooms.txt (who calls whom: ci/rooms.sh).
# A table (.def) may be included by whoever fills a column of it. Tests see everything.
awk '
	FNR == NR {
		if ($0 !~ /^#/)
			for (i = 2; i <= NF; i++)
				rank[substr($1, 1, length($1) - 1) "/" $i] = ++n
		next
	}
	function room(path, part) { split(path, part, "/"); return part[1] "/" part[2] }
	function place(path) { return path ~ /^harness\/[^\/]*$/ ? 999 : room(path) in rank ? rank[room(path)] : path ~ /^tests\// ? 1000 : 0 }
	FNR == 1 && !place(FILENAME) { print FILENAME ":1: is in no room of ci/rooms.txt" }
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		match($0, /"[^"]*"/)
		target = substr($0, RSTART + 1, RLENGTH - 2)
		if (target ~ /^generated\//)
			next
		if (target !~ /\// || target ~ /\.\.\// || (getline line <target) < 0)
			print FILENAME ":" FNR ": include \"" target "\": not a path from the root"
		else if (target !~ /\.def$/ && place(target) > place(FILENAME))
			print FILENAME ":" FNR ": " target " lies above " FILENAME
		close(target)
	}' ci/rooms.txt "${sources[@]}" | complain

# 2b. Each room is named, in this order, by the table of its layer's page.
grep -v '^#' ci/rooms.txt | while IFS=: read -r layer rooms; do
	told=$(sed -nE "s|^[|] \`$layer/([a-z]+)/\` .*|\1|p" "$layer/README.md" | tr '\n' ' ')
	[ "$told" = "${rooms# } " ] || echo "$layer/README.md: its table of rooms is '$told', ci/rooms.txt has '${rooms# }'"
done | complain

# 3. Functions that overflow, keep hidden state or cannot fail properly.
grep -nE '(^|[^A-Za-z0-9_.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|system|rand|srand|tmpnam|mktemp)[ ]?\(' \
	"${sources[@]}" | sed -E 's/^([^:]*:[0-9]+):.*[^A-Za-z0-9_]([a-z]+)[ ]?\(.*/\1: banned function/' | complain || true

# SQL is written in one room; the others ask harness/record/query*.h.
for f in "${sources[@]}"; do
	case $f in harness/record/*|tests/*) continue ;; esac
	grep -nHE '"[ (]*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|DROP|ALTER|PRAGMA|BEGIN|COMMIT) ' "$f" || true
done | sed -E 's/^([^:]*:[0-9]+):.*/\1: SQL outside harness\/record: ask query*.h there/' | complain

# 3b. JSON leaves harness/ through its one writer: what it prints by json_out, what records keep by json_record.
grep -nE '\bjson_dump' "${sources[@]}" | grep '^harness/' | grep -v '^harness/text/json_out\.c:' |
	sed -E 's/^([^:]*:[0-9]+):.*/\1: JSON is written by harness\/text\/json_out.h or json_writer.h/' | complain || true

# 4. One name, one file.
printf '%s\n' "${sources[@]}" | awk -F/ '{ if ($NF in seen) print $0 ":1: another file has this name: " seen[$NF]; seen[$NF] = $0 }' | complain

# 5. No trailing blanks, a newline at the end, no file that wants to be two.
grep -nE '[ 	]+$' "${texts[@]}" | sed -E 's/^([^:]*:[0-9]+):.*/\1: blanks at the end of the line/' | complain || true
for f in "${texts[@]}"; do
	[ -s "$f" ] && [ -n "$(tail -c1 "$f")" ] && echo "$f: no newline at the end"
done | complain || true
wc -l "${sources[@]}" | awk -v max=$LONGEST '$2 != "total" && $1 > max { print $2 ": " $1 " lines: make it two files" }' | complain

# 6. Nothing outside the repository, nothing left for later.
grep -nE '\.\.\/shared|\/work\/[a-z]' "${texts[@]}" | sed -E 's/^([^:]*:[0-9]+):.*/\1: a path outside the repository/' | complain || true
grep -nE '\b(TO''DO|FIX''ME|XX''X)\b' "${sources[@]}" | sed -E 's/^([^:]*:[0-9]+):.*/\1: a note for later/' | complain || true

# 7. Scripts parse.
for f in "${files[@]}"; do
	case $f in *.sh|.ci/run) bash -n "$f" 2>&1 || echo "$f: bash cannot parse it" ;; esac
done | complain

# 8. One version and one day: the build's, the citation's, and those of the newest release in the change log.
built=$(sed -nE 's/^project\(ablate VERSION ([0-9.]+) .*/\1/p' CMakeLists.txt)
cited=$(sed -nE 's/^version: (.*)/\1/p; s/^date-released: (.*)/\1/p' CITATION.cff | xargs)
changed=$(sed -nE 's/^## \[([0-9.]+)\] - (.*)/\1 \2/p' CHANGELOG.md | head -1)
[ -n "$built" ] && [ "${changed% *}" = "$built" ] || echo "CHANGELOG.md: its newest release is '${changed% *}', CMakeLists.txt has '$built'" | complain
[ -n "$cited" ] && [ "$changed" = "$cited" ] || echo "CITATION.cff: version and date are '$cited', CHANGELOG.md has '$changed'" | complain

# 9. What a comment or a page names is there: paths from the root, and names of sources. A placeholder has a word in capitals (NAME).
# What only looks like a source of ours: the setting loss.c, files that a run writes, a script of a peer.
printf '%s\n' "${files[@]}" >"$work/files"
printf '%s\n' "${texts[@]}" | grep -E '\.(c|h|cu|cuh|def|sql|sh|cmake|md)$|CMakeLists\.txt$' | grep -v '^CHANGELOG\.md$' | xargs awk '
	FNR == NR {
		there[$0]
		for (path = $0; match(path, /\/[^\/]*$/); path = substr(path, 1, RSTART - 1)) {
			names[substr(path, RSTART + 1)]
			there[substr(path, 1, RSTART - 1)]
		}
		names[path]
		next
	}
	BEGIN { names["loss.c"]; names["report.md"]; names["merge.sh"]; names["losses.md"]; names["run_ecm.sh"] }
	FNR == 1 { inside = 0; page = FILENAME ~ /\.md$/; hash = FILENAME ~ /\.(sh|cmake|txt)$/; sql = FILENAME ~ /\.sql$/ }
	# the comments of a line; of a page all of it
	function comments(line, text, at) {
		if (page)
			return line
		if (hash || sql) {
			at = match(line, hash ? "(^|[ \t])# " : "-- ")
			return at ? substr(line, at) : ""
		}
		for (text = ""; line != "";) {
			if (inside) {
				at = index(line, "*/")
				text = text " " (at ? substr(line, 1, at - 1) : line)
				line = at ? substr(line, at + 2) : ""
				inside = !at
			} else if ((at = match(line, /\/[*\/]/))) {
				if (substr(line, at, 2) == "//")
					return text " " substr(line, at)
				line = substr(line, at + 2)
				inside = 1
			} else
				line = ""
		}
		return text
	}
	# each word of the form `pattern`, without what follows its end
	function check(text, pattern, path,   word) {
		for (; match(text, pattern); text = substr(text, RSTART + RLENGTH)) {
			word = substr(text, RSTART, RLENGTH)
			sub(/^[^A-Za-z0-9_.]+/, "", word)
			sub(/[^A-Za-z0-9]+$/, "", word)
			if (word ~ /[A-Z][A-Z][A-Z]|[*${}]/ && word !~ /README/)
				continue
			if (path ? !(word in there) : !(word in names))
				print FILENAME ":" FNR ": names " word ", which is not there"
		}
	}
	{
		text = comments($0)
		check(text, "(^|[^A-Za-z0-9_./$}*>-])(model|metrics|harness|tests|ci|ablations|results)/[A-Za-z0-9_./*@~-]+", 1)
		check(text, "(^|[^A-Za-z0-9_./$}*>-])[a-z0-9_-][a-z0-9_-]+\\.(c|h|cu|cuh|def|sql|md|sh)([^A-Za-z0-9_./-]|[.]? |[.]?$)", 0)
	}' "$work/files" | complain

# 10. Commits since this rule: a subject of at most 72 characters, "area: what". Where there is no history there is nothing to check.
if git merge-base --is-ancestor 0edddb0 HEAD 2>/dev/null; then
	git log --no-merges --format='%h %s' 0edddb0..HEAD | awk '{
		subject = substr($0, index($0, " ") + 1)
		if (length(subject) > 72)
			print "commit " $1 ": a subject of " length(subject) " characters (at most 72)"
		if (subject !~ /^[A-Za-z0-9_.,\/ -]+: [^ ]/)
			print "commit " $1 ": its subject is not \"area: what\": " subject
	}' | complain
fi

# 11. The environment is read through its table, so that the manual lists every variable; what tests read is theirs.
variables=$(sed -nE 's/^ENV\(([A-Z_]+), HERE,.*/\1/p' model/base/env.def) # those SENT are read for it
readers=()
for f in "${sources[@]}"; do
	case $f in tests/*|model/base/env.c) ;; *) readers+=("$f") ;; esac
done
grep -nE '(^|[^A-Za-z0-9_])(secure_)?getenv[ ]?\(' "${readers[@]}" |
	sed -E 's/^([^:]*:[0-9]+):.*/\1: getenv: a row in model\/base\/env.def, and env_get()/' | complain || true
for v in $variables; do
	grep -qE "ENV_$v\b" "${readers[@]}" || echo "model/base/env.def:1: nothing reads $v"
done | complain

# 12. Formatted as .clang-format says, where the version that decides is there.
ci/format.sh --check >"$work/format" || [ $? -eq 77 ] || complain <"$work/format"
grep '^format: ' "$work/format" || true

# 13. No line is longer than 120 columns (a tab counts as 4), but for a text that has no blank to break it at.
awk '{
	line = $0
	gsub(/\t/, "    ", line)
	if (length(line) > 120 && substr(line, 90) ~ / /)
		print FILENAME ":" FNR ": " length(line) " columns: at most 120"
}' "${sources[@]}" | complain

# 14. A mutant whose place is gone is tried by nobody.
ci/mutate.sh --check | complain || true

n=$(wc -l <"$report")
cat "$report"
echo "style: ${#sources[@]} sources, $n complaints"
[ "$n" -eq 0 ]
