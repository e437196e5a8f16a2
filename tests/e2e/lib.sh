# lib.sh - a small test library for end-to-end scripts. A script sources it, calls `check` and its like inside functions named
# test_*, and ends with `run_tests`, which runs each in a folder of its own and prints PASS or FAIL and a last line
# "N passed, N failed, N skipped". On failure the folder is kept and named.
#
#   . "$(dirname "$0")/lib.sh"
#   test_version_is_one_line() { run ablate --version; exits 0; lines_of out 1; }
#   run_tests
#
# $ABLATE is the program (ctest sets it), $BUILD its folder, $SOURCE the repository. Run one test: SCRIPT test_NAME.
set -u
SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${ABLATE_BUILD:-$SOURCE/build}
# What is preloaded is named in a list with blanks between, so a build below "my folder" is reached by another name.
build_link=
case $BUILD in *[!A-Za-z0-9_./+-]*)
	build_link=$(mktemp -u "${TMPDIR:-/tmp}/ablate-e2e-build-XXXXXX")
	ln -s "$BUILD" "$build_link" && BUILD=$build_link
	;;
esac
ABLATE=${ABLATE:-$BUILD/ablate}
SHIM=$BUILD/tests
export LC_ALL=C.UTF-8
unset ABLATE_DB NO_COLOR
export ABLATE_KEY=none # what is run here is not signed by whoever tests
export ABLATE_SCALING=none # nor measured: one cell at once, whatever the machine

ablate() { "$ABLATE" "$@"; }

# run COMMAND...: its stdout lands in ./out, stderr in ./err, its exit code in $code. What a command prints with --json is held
# against its documented keys (json_check.c), which are kept in $JSON_SEEN where that is set.
run() {
	code=0
	"$@" >out 2>err || code=$?
	[ "${1##*/}" != ablate ] || [[ " $* " != *" --json "* ]] || [ ! -x "$SHIM/json_check" ] || json_as_documented "${@:2}"
}
json_as_documented() {
	local wrong
	wrong=$(env -u LD_PRELOAD "$SHIM/json_check" out "${JSON_SEEN:--}" "$@") || fail "$wrong"
}

# Every check that does not hold ends the test.
fail() { echo "    $*"; [ -s err ] && sed 's/^/    err: /' err | tail -5; exit 1; }
skip() { echo "    $*"; exit 77; }
check() { "$@" || fail "does not hold: $*"; }
exits() { [ "$code" -eq "$1" ] || fail "exit $code, wanted $1"; }
says() { grep -qF -- "$2" "$1" || fail "no '$2' in $1: $(head -c 300 "$1")"; }       # says err TEXT
says_not() { ! grep -qF -- "$2" "$1" || fail "'$2' is in $1"; }
# Waits until the command succeeds, and fails after that time. Quoted patterns are expanded again at each try.
await() { # SECONDS COMMAND...
	local until=$((SECONDS + $1))
	shift
	until eval "$*"; do
		[ $SECONDS -lt $until ] || fail "still not: $*"
		sleep 0.05
	done
}
lines_of() { [ "$(wc -l <"$1")" -eq "$2" ] || fail "$1 has $(wc -l <"$1") lines, wanted $2"; }
same() { cmp -s "$1" "$2" || fail "$1 and $2 differ: $(diff "$1" "$2" | head -5)"; }
sql() { sqlite3 -readonly "$1" "$2" || fail "sqlite3 $1: $2"; }                       # sql DB QUERY
whole() { [ "$(sql "$1" 'PRAGMA integrity_check')" = ok ] || fail "$1 is damaged"; }
results() { sql "$1" "SELECT cell || ' ' || name || ' ' || hex FROM v_result ORDER BY 1"; }
# The content of NEW in a database as the program of that schema version made it.
make_older() { # VERSION NEW OLD
	local t columns
	sqlite3 "$3" <"$SOURCE/tests/fixtures/databases/v$1.sql" || fail "cannot make $3"
	{
		echo "ATTACH '$2' AS new; PRAGMA foreign_keys = OFF; BEGIN;"
		for t in $(sql "$3" "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'meta'"); do
			columns=$(sql "$3" "SELECT group_concat(name, ', ') FROM pragma_table_info('$t')")
			echo "INSERT INTO $t($columns) SELECT $columns FROM new.$t;"
		done
		echo "INSERT INTO meta SELECT * FROM new.meta WHERE key = 'ledger_bytes'; COMMIT;"
	} | sqlite3 "$3" || fail "cannot fill $3"
}
# g.toml: two seeds on generated pictures, scored without weights.
small_grid() { # STEPS [BATCH]
	cat >g.toml <<-END
	schema = 1
	[grid]
	name = "small"
	seeds = { train = [1, 2], eval = [101], paired = true }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = $1
	train.batch = ${2:-4}
	[[metric]]
	name = "fid"
	samples = 100
	nfe = [1]
	END
}
# A file system of its own of SIZE (tmpfs) on ./NAME; unmounted when the test ends. Needs root.
small_disk() { # NAME SIZE
	mkdir -p "$1"
	mount -t tmpfs -o "size=$2" none "$1" 2>/dev/null || skip "cannot mount a tmpfs here"
	mounts+=("$PWD/$1")
}
# The same, read-only: a folder that even root cannot write to.
read_only_folder() { small_disk "$1" 64k; mount -o remount,ro "$1" || skip "cannot remount"; }
# Preloading does not go together with the sanitizers' own library.
no_sanitizers() { [ "${ABLATE_SANITIZED:-OFF}" = OFF ] || skip "not under sanitizers"; }
with_shim() { no_sanitizers; env LD_PRELOAD="$SHIM/libshim_write.so" "$@"; } # with_shim VAR=VALUE... COMMAND

leave() { [ -z "$build_link" ] || rm -f "$build_link"; exit "$1"; }
run_tests() {
	local passed=0 failed=0 skipped=0 name dir rc
	local names=("$@")
	[ $# -gt 0 ] || names=("${ONLY[@]}")
	if grep -qwE 'sql|whole|sqlite3' "$0" && ! command -v sqlite3 >/dev/null; then
		echo "    these tests look into databases by sqlite3's shell, which is not installed (ci/setup.sh test)"
		echo "0 passed, 0 failed, 1 skipped"
		leave 77
	fi
	[ ${#names[@]} -gt 0 ] || mapfile -t names < <(declare -F | awk '$3 ~ /^test_/ { print $3 }')
	for name in "${names[@]}"; do
		dir=$(mktemp -d "${TMPDIR:-/tmp}/ablate-e2e-XXXXXX")
		rc=0
		(
			mounts=()
			cleanup() { for m in "${mounts[@]}"; do umount "$m"; done; declare -F teardown >/dev/null && teardown; return 0; }
			cd "$dir" && trap cleanup EXIT && export ABLATE_CACHE=${ABLATE_CACHE:-$dir/cache} && "$name"
		) || rc=$?
		case $rc in
		0) echo "PASS $name"; passed=$((passed + 1)); rm -rf "$dir" ;;
		77) echo "SKIP $name"; skipped=$((skipped + 1)); rm -rf "$dir" ;;
		*) echo "FAIL $name (kept: $dir)"; failed=$((failed + 1)) ;;
		esac
	done
	echo "$passed passed, $failed failed, $skipped skipped"
	leave $((failed > 0))
}
ONLY=("$@")
