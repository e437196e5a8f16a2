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

# 2. Includes point one way: harness -> metrics -> model -> model/base. Tests see everything.
awk '
	function layer(path) {
		return path ~ /^model\/base\// ? 1 : path ~ /^model\// ? 2 : path ~ /^metrics\// ? 3 : path ~ /^harness\// ? 4 : 9
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		match($0, /"[^"]*"/)
		target = substr($0, RSTART + 1, RLENGTH - 2)
		if (target ~ /\.\.\//)
			print FILENAME ":" FNR ": include from the root, not through ../"
		else if (target ~ /\// && layer(target) < 9 && layer(target) > layer(FILENAME))
			print FILENAME ":" FNR ": " target " lies above " FILENAME
		else if (target ~ /^tests\// && FILENAME !~ /^tests\//)
			print FILENAME ":" FNR ": includes a test"
	}' "${sources[@]}" | complain

# 3. Functions that overflow, keep hidden state or cannot fail properly.
grep -nE '(^|[^A-Za-z0-9_.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|atof|system|rand|srand|tmpnam|mktemp)[ ]?\(' \
	"${sources[@]}" | sed -E 's/^([^:]*:[0-9]+):.*[^A-Za-z0-9_]([a-z]+)[ ]?\(.*/\1: banned function/' | complain || true

# 4. One name, one file.
printf '%s\n' "${sources[@]}" | awk -F/ '{ if ($NF in seen) print $0 ":1: another file has this name: " seen[$NF]; seen[$NF] = $0 }' | complain

# 5. No trailing blanks, a newline at the end, no file that wants to be two.
grep -nE '[ 	]+$' "${texts[@]}" | sed -E 's/^([^:]*:[0-9]+):.*/\1: blanks at the end of the line/' | complain || true
for f in "${texts[@]}"; do
	[ -s "$f" ] && [ -n "$(tail -c1 "$f")" ] && echo "$f: no newline at the end"
done | complain || true
wc -l "${sources[@]}" | awk -v max=$LONGEST '$2 != "total" && $1 > max { print $2 ": " $1 " lines: make it two files" }' | complain

# 6. Nothing that lies outside the repository, nothing left for later.
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

n=$(wc -l <"$report")
cat "$report"
echo "style: ${#sources[@]} sources, $n complaints"
[ "$n" -eq 0 ]
