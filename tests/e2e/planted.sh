#!/bin/bash
# planted.sh - work in a folder where somebody else may put files, too: links that wait under the names of our temporary files, and in the
# place of files that are locked or added to. What they lead to keeps its bytes, and the work is done or ends with a line.
. "$(dirname "$0")/lib.sh"

# run_with LINKS ARGUMENTS: the program as process N, with a link to ./victim at each of LINKS, in which PID stands for N. `exec` keeps N.
run_with() {
	# shellcheck disable=SC2016 # for the other shell
	run bash -c 'for l in $1; do ln -s "$2" "${l//PID/$$}" || exit 99; done; shift 2; exec "$@"' planted "$1" "$PWD/victim" "$ABLATE" "${@:2}"
}
begin() { echo precious >victim; }
unharmed() { check [ "$(cat victim)" = precious ]; }
new() { # the only file of that kind that is no link
	local found
	found=$(find "$@" ! -type l)
	[ -n "$found" ] || fail "none: $*"
}
trained() {
	printf 'schema = 1\n[grid]\nname = "small"\nseeds = { train = [1], eval = [101] }\n[base]\npreset = "ict-shapes8-ci"\n"train.steps" = 3\n"train.batch" = 4\n"net.channels" = 8\n' >g.toml
	run ablate run g.toml --db "${1:-a.db}"; exits 0
	ckpt=$(find "${1:-a.db}-runs" -name '*.ckpt' | sort | tail -1)
}

test_samples_are_written_beside_links() {
	begin; trained
	run_with s.png.tmp-PID sample "$ckpt" -n 4 -o s.png; exits 0; unharmed; new s.png
	run_with s.npz.tmp-PID sample "$ckpt" -n 4 -o s.npz; exits 0; unharmed; new s.npz
	run_with files.tmp-PID sample "$ckpt" -n 4 -o files/; exits 0; unharmed; new files/00003.png
	# a folder that waits with links in it
	mkdir trap
	for i in 0 1 2 3; do ln -s "$PWD/victim" trap/0000$i.png; done
	run bash -c 'ln -s "$PWD/trap" "other.tmp-$$" && exec "$0" sample "$1" -n 4 -o other/' "$ABLATE" "$ckpt"; exits 0; unharmed; new other/00003.png
	check [ "$(find . -name '*.tmp-*' | wc -l)" = "$(find . -name '*.tmp-*' -type l | wc -l)" ]
}

test_a_key_is_made_beside_a_link() {
	begin; mkdir keys
	run_with keys/k.tmp-PID key new --name "A. Lice" --file keys/k; exits 0; unharmed; new keys/k
	check [ "$(stat -c %a keys/k)" = 600 ]
}

test_a_download_goes_into_a_folder_of_its_own() {
	begin; mkdir -p bin cache/stats
	export ABLATE_CACHE=$PWD/cache
	printf '#!/bin/sh\nwhile [ "$1" != --output ]; do shift; done\necho half >"$2"\n' >bin/curl; chmod +x bin/curl
	mkdir trap; ln -s "$PWD/victim" trap/cifar10-32x32.npz
	run env PATH="$PWD/bin:$PATH" bash -c 'ln -s "$PWD/trap" "cache/stats/fetch.tmp-$$" && exec "$0" -q stats fetch cifar10-edm' "$ABLATE"
	exits 1; says err 'not an .npz'; unharmed
	check [ "$(find cache/stats ! -type l)" = cache/stats ]
}

# SQLite follows links: a probe of its, and the copy that is made before the schema is brought up to date.
test_a_database_is_brought_up_to_date_beside_links() {
	begin; trained new.db
	make_older 3 new.db old.db
	cp -r new.db-runs old.db-runs
	: >victim # SQLite takes an empty file for a new database
	run_with 'old.db.probe.tmp-PID old.db.v3.bak.tmp-PID' run g.toml --db old.db; exits 0
	check [ ! -s victim ]
	new old.db.v3.bak; whole old.db.v3.bak; whole old.db
}

test_a_link_as_lock_or_ledger_is_refused() {
	begin; trained
	for name in lock ledger.jsonl; do
		check test -e a.db-runs/$name
		mv a.db-runs/$name kept; ln -s "$PWD/victim" a.db-runs/$name
		sed -i 's/train.steps" = .*/train.steps" = 4/' g.toml
		run ablate run g.toml --db a.db; exits 5; says err "a.db-runs/$name: cannot open: Too many levels of symbolic links"; lines_of err 1; unharmed
		rm a.db-runs/$name; mv kept a.db-runs/$name
	done
	run ablate run g.toml --db a.db; exits 0
}

# Without a home the cache lies in /tmp, where others are first: what they put there is not believed.
test_a_cache_without_a_home_is_of_ones_own() {
	[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null || skip "not root: cannot be another user"
	local uid=$((1900000000 + $$)) cache
	cache=/tmp/ablate-$uid
	chmod 755 . # as mktemp made it, only root may enter
	nobody() { run env -u HOME -u XDG_CACHE_HOME -u ABLATE_CACHE setpriv --reuid $uid --regid $uid --clear-groups "$@"; }
	nobody test -x "$ABLATE"; [ "$code" -eq 0 ] || skip "the program lies where no other user comes"
	for kind in file theirs open link; do
		case $kind in
		file) : >$cache ;;
		theirs) mkdir $cache ;;
		open) mkdir -m 777 $cache; chown $uid $cache ;;
		link) mkdir theirs; chown $uid theirs; ln -s "$PWD/theirs" $cache ;;
		esac
		nobody "$ABLATE" weights list
		rm -rf $cache
		exits 1; says err "$cache: not a folder that only uid $uid may write"
	done
	nobody "$ABLATE" weights list; exits 0
	check [ "$(stat -c '%a %u' $cache)" = "700 $uid" ]
	rm -rf $cache
}

run_tests
