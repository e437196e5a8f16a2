#!/bin/bash
# mutate.sh - would the tests notice? Breaks one place of the program at a time, as ci/mutants/*.txt say, builds what the named suites
# need and runs them: one has to fail.
#   ci/mutate.sh [--list] [TEXT]...      the mutants whose name, file or suites hold a TEXT; all without one
#   ci/mutate.sh --check                 only names those whose OLD is not in FILE exactly once: code moves, and they stay (ci/style.sh)
# A mutant is
#   @ NAME FILE SUITE...     suites as ctest names them; SUITE:TEST runs that test of it alone (test_runner:runner/cancel_is_a_file,
#                            e2e_kill:test_NAME, op_runner:OP)
#   - OLD                    what FILE has exactly once; several such lines are lines one below the other
#   + NEW                    what is put there
#   = WHY                    it lives, and that is right: what it changes cannot be seen, or something else holds as well
# Works in a copy of the tree below $ABLATE_MUTANTS (build/mutants), which is kept for the next time. Exit 1: one lives without a reason,
# dies with one, or cannot be tried. Takes hours for all; meant for a night, or for whoever touched a file. A broken program may do what
# nobody foresaw: run it as an ordinary user, or where the machine can be made anew.
. "$(dirname "$0")/lib.sh"

WORK=${ABLATE_MUTANTS:-$ROOT/build/mutants}
TREE=$WORK/tree BUILD=$WORK/build
list=0
check=0
case ${1-} in
--list) list=1; shift ;;
--check) check=1; shift ;;
esac

killed=0 explained=0 bad=()

wanted() { # TEXT...
	[ $# -gt 0 ] || return 0
	local text
	for text in "$@"; do [[ "$name $file $suites" != *"$text"* ]] || return 0; done
	return 1
}

# By content, and with a time of now: a time of before the last build would hide a change from it.
copy_tree() {
	mkdir -p "$TREE"
	git ls-files -co --exclude-standard -z | xargs -0 sh -c '
		to=$1; shift
		for f; do
			[ ! -e "$f" ] || cmp -s "$f" "$to/$f" || cp --parents --preserve=mode -t "$to" "$f" || exit 255
		done' sh "$TREE" || die "cannot copy the tree to $TREE"
	[ -e "$BUILD/build.ninja" ] || cmake -S "$TREE" -B "$BUILD" -G Ninja -DCMAKE_C_FLAGS=-w $(command -v ccache >/dev/null &&
		echo -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache) >"$WORK/log" || die "cannot configure: $WORK/log"
}

# What the suites are made of: a program of the same name, or the program itself and what the scripts start beside it.
targets() {
	local suite
	for suite in $suites; do
		case $suite in
		e2e_bench*) echo ablate ablate_cuda_emu ;;
		e2e_builds*) echo ablate tests/ablate-other-build ;;
		e2e_*) echo ablate tests/run-fake tests/fake-worker tests/fake-shards tests/pty_run tests/features_command shim_write shim_power shim_alloc shim_clock ;;
		*) echo "tests/${suite%%:*}" ;;
		esac
	done | tr ' ' '\n' | sort -u
}
passes() { # does every suite?
	local suite script
	for suite in $suites; do
		case $suite in
		e2e_*:*) script=${suite#e2e_} && (cd "$TREE" && ABLATE=$BUILD/ablate ABLATE_BUILD=$BUILD timeout 600 bash "tests/e2e/${script%%:*}.sh" "${script#*:}") ;;
		e2e_*) (cd "$TREE" && ABLATE=$BUILD/ablate ABLATE_BUILD=$BUILD timeout 600 bash "tests/e2e/${suite#e2e_}.sh") ;;
		op_runner:*) (cd "$BUILD/tests" && timeout 600 ./op_runner "${suite#*:}") ;;
		*:*) (cd "$BUILD/tests" && timeout 600 "./${suite%%:*}" --filter "${suite#*:}") ;;
		*) (cd "$BUILD/tests" && timeout 600 "./$suite") ;;
		esac >"$WORK/log" 2>&1 || return 1
	done
}
build() { ninja -C "$BUILD" $(targets) >"$WORK/log" 2>&1; }
tell() { printf '%-9s %s\n' "$1" "$name ($file)${2:+: $2}"; }
fault() { tell "$1" "$2"; bad+=("$name"); }

# TEXT: does it have OLD exactly once?
is_there() { local once=${1/"$old"/}; [ "$1" != "$once" ] && [ "$once" = "${once/"$old"/}" ]; }

try() {
	local text
	text=$(cat "$TREE/$file"; echo x)
	is_there "$text" || { fault stale "'${old%%$'\n'*}' is not there exactly once"; return; }
	text=${text/"$old"/"$new"}
	cp -p "$TREE/$file" "$WORK/original"
	printf %s "${text%x}" >"$TREE/$file"
	if ! build; then
		fault invalid "does not build: $(grep -m1 'error: ' "$WORK/log")"
	elif passes; then
		[ -n "$why" ] && explained=$((explained + 1)) && tell lives "$why" || fault SURVIVED "$suites pass"
	elif [ -n "$why" ]; then
		fault killed "but said to live: $why"
	else
		killed=$((killed + 1))
		tell killed
	fi
	cp -p "$WORK/original" "$TREE/$file"
	touch "$TREE/$file"
}

# An unbroken copy has to pass, once for each set of suites.
declare -A sound
is_sound() {
	[ -n "${sound[$suites]-}" ] && return "${sound[$suites]}"
	build && passes
	sound[$suites]=$?
	[ "${sound[$suites]}" -eq 0 ] || tail -5 "$WORK/log"
	return "${sound[$suites]}"
}

one() {
	[ -n "$name" ] && wanted "$@" || return 0
	count=$((count + 1))
	if [ $check -eq 1 ]; then
		is_there "$(cat "$file"; echo x)" || { echo "$file: mutant $name: '${old%%$'\n'*}' is not there exactly once"; bad+=("$name"); }
	elif [ $list -eq 1 ]; then
		tell - "$suites"
	elif is_sound; then
		try
	else
		fault unsound "$suites fail without it"
	fi
}

count=0 name=''
[ $list$check != 00 ] || copy_tree
while IFS= read -r line; do
	case $line in
	'@ '*)
		one "$@"
		read -r _ name file suites <<<"$line"
		old='' new='' why=''
		;;
	'- '*) old+=${old:+$'\n'}${line#- } ;;
	'+ '*) new+=${new:+$'\n'}${line#+ } ;;
	'= '*) why=${line#= } ;;
	esac
done < <(cat ci/mutants/*.txt)
one "$@"
[ $list -eq 0 ] || exit 0
[ $check -eq 0 ] || { [ ${#bad[@]} -eq 0 ]; exit; }
echo "$count mutants: $killed killed, $explained live for a reason, ${#bad[@]} to look at${bad[*]:+: ${bad[*]}}"
[ ${#bad[@]} -eq 0 ]
