#!/bin/bash
# stats.sh - published reference statistics at the terminal: what is listed, what is missing, and how the user is told. The
# files themselves are another suite's (tests/metrics/features/test_published_stats.c).
. "$(dirname "$0")/lib.sh"

test_a_list_says_what_is_missing() {
	export ABLATE_CACHE=$PWD/cache
	run ablate stats list; exits 0
	says out "cifar10-clean-train        missing"; says out "protocol inception-2015:clean:u8, 50000 images"; says out "none is published"
	run ablate stats list cifar10-edm; exits 0; lines_of out 5; says out "inception-2015:tf-bilinear:u8"
	run ablate stats check; exits 0; lines_of out 0; says err "no statistics found"
}

test_statistics_that_are_not_here_are_told_before_the_work() {
	export ABLATE_CACHE=$PWD/cache
	mkdir a; for i in 1 2; do cp "$SOURCE/tests/fixtures/png_modes/rgb.png" a/$i.png; done
	run ablate fid -e pixels a stats:cifar10-edm; exits 1; lines_of out 0; says err "ablate stats fetch cifar10-edm"
	run ablate fid -e pixels a stats:cifar10; exits 2; says err "no statistics 'cifar10'; known are"
	run ablate stats import cifar10-edm a/1.png; exits 1; says err a/1.png; check test ! -e cache/stats/cifar10-edm.npz
	run ablate stats import cifar10-edm; exits 2
	run ablate stats fetch; exits 2
}

# A download that fails leaves nothing, and says which address it was.
test_a_failed_download_leaves_nothing() {
	export ABLATE_CACHE=$PWD/cache
	mkdir bin; printf '#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\necho half >"$2"\nexit 22\n' >bin/curl; chmod +x bin/curl
	run env PATH="$PWD/bin:$PATH" "$ABLATE" -q stats fetch cifar10-edm; exits 1; says err "edm/fid-refs/cifar10-32x32.npz: curl failed (exit 22)"
	check test -z "$(ls -A cache/stats)"
	printf '#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\necho half >"$2"\n' >bin/curl
	run env PATH="$PWD/bin:$PATH" "$ABLATE" -q stats fetch cifar10-edm; exits 1; check test -z "$(ls -A cache/stats)"
}

# What a signal ends leaves nothing, whichever command fetched: `data fetch` left its archive, of 170 MB.
test_a_killed_download_leaves_nothing() {
	export ABLATE_CACHE=$PWD/cache
	mkdir bin; printf '#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\necho half >"$2"; echo $$ >"$CURL"\nexec sleep 60\n' >bin/curl; chmod +x bin/curl
	for what in "stats fetch cifar10-edm" "weights fetch lpips-alex" "data fetch cifar10"; do
		# shellcheck disable=SC2086
		CURL=$PWD/pid PATH="$PWD/bin:$PATH" "$ABLATE" -q $what >out 2>err & local ours=$!
		await 20 '[ -s pid ]'
		check test -n "$(find cache -type f)"
		kill -TERM $ours; wait $ours; code=$?
		exits 143; check test -z "$(find cache -type f)"; check test -z "$(find cache -name 'fetch*')"
		kill "$(cat pid)"; rm pid
	done
}

run_tests
