#!/bin/bash
# plugins.sh - whose code the program runs: a planted libablate_cuda.so stays unopened, and is told of where the program would have taken
# it. The planted one has the note of this build, so nothing but its place and its rights speaks against it; it marks that it ran.
. "$(dirname "$0")/lib.sh"
unset ABLATE_CUDA_PLUGIN ABLATE_TEAM_PLUGIN
export ABLATE_DATA=$SOURCE
MARK=strange-plugin-ran

# A copy of the program in FOLDER, and the plugin as FILE.
plant() { # FOLDER FILE
	mkdir -p "$1" "${2%/*}" && cp "$ABLATE" "$1/" && cp "$SHIM/libmarked_plugin.so" "$2" && chmod 755 "$2" "${2%/*}" || fail "cannot copy"
}
cuda() { run "$1/ablate" doctor; grep -E '^ +(ok|note) +cuda ' out >cuda || fail "$(cat out)"; }
untouched() { check [ ! -e $MARK ]; }
ran() { check rm $MARK; }

# Where nothing is wrong it is opened: what the other tests do not see would be seen.
test_one_beside_the_program_is_opened() {
	plant x x/libablate_cuda.so
	cuda x; says cuda 'the strange plugin has no device'; ran
	plant p/bin p/lib/ablate/libablate_cuda.so
	cuda p/bin; says cuda 'the strange plugin has no device'; ran
	ABLATE_CUDA_PLUGIN=$SHIM/libmarked_plugin.so cuda x; ran
}

# Test programs lie one folder below their build; other programs in a folder of that name have no business above it.
test_none_is_taken_from_another_folder() {
	small_grid 2
	plant x/tests x/libablate_cuda.so
	cuda x/tests; says cuda 'no libablate_cuda.so beside the program'; untouched
	run x/tests/ablate run g.toml; exits 0; says_not err warning; untouched
	plant p/bin p/libablate_cuda.so
	cp p/libablate_cuda.so p/bin/
	cuda p/bin; says cuda 'no libablate_cuda.so beside the program'; untouched
	plant x/tests x/libablate_mpi.so
	run x/tests/ablate doctor; says out 'no libablate_mpi.so beside the program'; untouched
}

refused() { # WHY REMEDY
	cuda x; says cuda "$1"; says cuda "$2"; untouched
	run x/ablate run g.toml --device cuda --db none.db; exits 2
	says err "$1"; says err "$2"; untouched; check [ ! -e none.db ]
	rm -rf auto.db*
	run x/ablate run g.toml --device auto --db auto.db; exits 0; untouched
	check [ "$(grep -c "warning: --device auto: the CPU: .*$1" err)" = 1 ]
}

test_one_that_others_can_write_is_refused_and_told() {
	small_grid 2
	plant x x/libablate_cuda.so
	chmod o+w x/libablate_cuda.so
	refused "x/libablate_cuda.so: not opened: others may write it (mode 0757)" "chmod go-w $PWD/x/libablate_cuda.so"
	chmod o-w x/libablate_cuda.so; chmod o+w x
	refused "x: not opened: others may write into this folder (mode 0757)" "chmod go-w $PWD/x"
	chmod +t x
	refused 'everybody may put files into it (mode 1757)' 'move the plugin to a folder of your own'
	chmod 755 x
	mv x/libablate_cuda.so elsewhere.so && ln -s ../elsewhere.so x/libablate_cuda.so
	refused 'it is a symbolic link' 'name or copy the file'
}

test_one_of_another_build_is_refused_and_told() {
	small_grid 2
	plant x x/libablate_cuda.so
	cp "$SHIM/libstrange_plugin.so" x/libablate_cuda.so
	refused "x/libablate_cuda.so: built from other sources (0123456789ab, the program's are " 'rebuild both'
	head -c 3000 "$SHIM/libmarked_plugin.so" >x/libablate_cuda.so
	refused 'x/libablate_cuda.so: cut short after 3000 bytes' 'again'
}

test_one_of_another_user_is_refused_and_told() {
	[ "$(id -u)" = 0 ] || skip "only root gives files away"
	small_grid 2
	plant x x/libablate_cuda.so
	chown 54321 x/libablate_cuda.so
	refused 'it belongs to uid 54321, neither to you (uid 0) nor to root' "chown 0 $PWD/x/libablate_cuda.so"
	export ABLATE_CUDA_PLUGIN=$PWD/x/libablate_cuda.so # what is named is looked at, too
	refused 'it belongs to uid 54321, neither to you (uid 0) nor to root' "chown 0 $PWD/x/libablate_cuda.so"
	unset ABLATE_CUDA_PLUGIN
	cp "$SHIM/libmarked_plugin.so" x/team.so && chown 54321 x/team.so
	ABLATE_TEAM_PLUGIN=$PWD/x/team.so run x/ablate doctor
	says out "team.so: not opened: it belongs to uid 54321"; untouched
}

# Programs and plugins are stripped before they are packed.
test_a_stripped_one_keeps_its_note() {
	command -v strip >/dev/null || skip "no strip"
	plant x x/libablate_cuda.so
	check strip --strip-unneeded x/libablate_cuda.so
	cuda x; ran
}

run_tests
