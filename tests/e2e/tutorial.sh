#!/bin/bash
# tutorial.sh - ablations/README.md as a newcomer reads it: each block of commands is typed as it stands, in one shell
# and one folder, and each line that the page shows after it must be printed, all numbers and hashes taken as equal.
# ctest: slow, the tutorial, command by command
. "$(dirname "$0")/lib.sh"

PAGE=$SOURCE/ablations/README.md

# The blocks of the page, numbered: NN.sh and NN.text. A block of text belongs to the commands before it.
blocks() {
	awk '
		/^```(sh|text)$/ { kind = substr($0, 4); n += kind == "sh"; file = sprintf("%02d.%s", n, kind); next }
		/^```$/ { file = ""; next }
		file { print >file }' "$PAGE"
}

# Takes away what differs between two runs or two processors: hashes, numbers with their sign, the star of the best row,
# blanks.
alike() {
	sed -E 's/0x1\.[0-9a-f]+p[+-][0-9]+/#/g; s/\b[0-9a-f]{8,64}\b/#/g; s/[0-9]+([.,][0-9]+)*/#/g' |
		sed -E 's/(−|[+-])#/#/g; s/\*//g; s/[ 	]+/ /g; s/^ //; s/ $//'
}

# What is in $1 but not in $2. Any order will do; a line that ends in "..." is the beginning of one.
missing() {
	local line
	alike <"$2" >printed
	while IFS= read -r line; do
		case $line in
		*...) grep -qF -- "${line%...}" printed ;;
		*) grep -qxF -- "$line" printed ;;
		esac || echo "${1%.text}: $line"
	done < <(alike <"$1")
}

test_the_page_does_what_it_says() {
	local block
	mkdir bin && ln -s "$ABLATE" bin/ablate
	blocks
	check [ -s 10.sh ]
	for block in [0-9]*.sh; do
		printf 'exec >"%s/%s" 2>&1\n' "$PWD" "${block%.sh}.printed"
		cat "$block"
	done >all
	code=0
	PATH=$PWD/bin:$PATH bash -eu all || code=$?
	block=$(ls [0-9]*.printed | tail -1)
	[ "$code" -eq 0 ] || { cp "$block" err; fail "the commands of block ${block%.printed} end with $code"; }
	for block in [0-9]*.text; do
		missing "$block" "${block%.text}.printed"
	done >err
	[ ! -s err ] || fail "the page shows what its commands do not print (block: line, numbers as #):"
}

run_tests
