#!/bin/bash
# install.sh - end to end: `cmake --install`, what it wrote moved elsewhere and used from /, and what the scripts of ci/ say on
# machines that lack what they need.
# ctest: slow, builds what needs the installed headers, and packages
. "$(dirname "$0")/lib.sh"

# A folder of programs that is all of PATH: stand-ins of ours, and links to the few that scripts need.
programs() { # NAME...
	mkdir -p stand_ins
	local name
	for name in bash dirname basename awk sort tr cat grep sed mktemp rm mkdir head df "$@"; do ln -s "$(command -v "$name")" stand_ins/ 2>/dev/null || true; done
}
stand_in() { printf '#!/bin/bash\n%s\n' "$2" >"stand_ins/$1"; chmod +x "stand_ins/$1"; } # NAME BODY

test_an_installation_can_be_moved() {
	no_sanitizers
	run bash -c "umask 077; cmake --install '$BUILD' --prefix '$PWD/p'"; exits 0
	check test -z "$(find p -not -perm -o+r)" # by an administrator whose files are private, for all
	for f in bin/ablate share/ablate/ablations/paper/ect.toml share/ablate/results/published.toml share/ablate/engines/ssh.sh share/man/man1/ablate.1 share/man/man5/ablate-db.5 \
		share/bash-completion/completions/ablate share/zsh/site-functions/_ablate share/fish/vendor_completions.d/ablate.fish \
		share/doc/ablate/copyright; do check test -s "p/$f"; done
	[ ! -f "$BUILD/libablate_mpi.so" ] || check test -s p/lib/ablate/libablate_mpi.so
	mv p q
	run bash "$SOURCE/ci/installed.sh" "$PWD/q/bin/ablate"
	exits 0; says out "0 failed"
	rm -r q/share
	for command in plan table run; do
		run q/bin/ablate $command ci-gate; exits 1
		lines_of err 1; says err "q/share/ablate/"; says err "is missing: the installation is incomplete; reinstall ablate"
	done
	check test ! -e ablate.db
}

# git refuses to answer in a repository of somebody else's, such as a checkout mounted into a container.
test_the_commit_of_somebody_elses_tree_is_known() {
	[ "$(id -u)" -eq 0 ] || skip "only root can give files away"
	git init -q tree
	git -C tree -c user.name=a -c user.email=a commit -q --allow-empty -m a
	local commit
	commit=$(git -C tree rev-parse HEAD)
	chown -R 65534 tree
	printf 'include(%s/harness/record/source_state.cmake)\nsource_state(C D %s/tree %s)\nmessage(NOTICE "commit ${C}")\n' "$SOURCE" "$PWD" "$PWD" >state.cmake
	run env -u GIT_CONFIG_COUNT cmake -P state.cmake; exits 0
	says err "commit $commit"
}

test_nothing_is_half_installed() {
	mkdir -p p/bin
	read_only_folder p/share
	run cmake --install "$BUILD" --prefix "$PWD/p"; exits 1
	says err "p/share cannot be written: choose another --prefix, or install as root"
	check test -z "$(find p -type f)"
}

test_setup_without_root() {
	programs
	stand_in id 'echo 1000'; stand_in dpkg-query 'exit 1'
	run env PATH="$PWD/stand_ins" bash "$SOURCE/ci/setup.sh" build; exits 1
	lines_of err 1; says err "run as root, or install sudo"; says err libdnnl-dev
}

test_setup_without_network() {
	programs env
	stand_in id 'echo 0'; stand_in dpkg-query 'exit 1'; stand_in apt-get 'echo "E: no route" >&2; exit 100'
	run env PATH="$PWD/stand_ins" bash "$SOURCE/ci/setup.sh" build; exits 1
	tail -1 err >last; says last "could not install: "; says last "is there a network"
}

test_bare_without_what_it_needs_is_skipped() {
	programs env
	stand_in id 'echo 1000'
	run env PATH="$PWD/stand_ins" bash "$SOURCE/ci/bare.sh" true; exits 77
	says err "skipped: needs root, or sudo without a password"
	stand_in id 'echo 0'; stand_in apt-get 'exit 100'; stand_in dpkg-query 'exit 1'
	run env PATH="$PWD/stand_ins" bash "$SOURCE/ci/bare.sh" true; exits 77
	tail -1 err | grep -qE 'skipped: no (debootstrap|mount namespace)' || fail "not told: $(tail -1 err)"
}

test_bare_without_room() {
	command -v debootstrap >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ] || skip "no debootstrap or not root"
	unshare --mount --pid --fork true 2>/dev/null || skip "no mount namespaces"
	small_disk small 1m
	run env TMPDIR="$PWD/small" bash "$SOURCE/ci/bare.sh" true
	[ "$code" -ne 77 ] || skip "$(tail -1 err)"
	exits 1; says err "free in $PWD/small: TMPDIR names another folder"
	check test -z "$(ls small)"
}

run_tests
