#!/bin/bash
# numerics.sh - the numerics fingerprint of a build: what changes it and what does not, on copies of the sources.
. "$(dirname "$0")/lib.sh"

# NUMERICS_BUILD and NUMERICS_KERNELS of the copy ./src, with these flags and compiler
hashes() { # [FLAGS] [COMPILER]
	cmake -DSOURCE="$PWD/src" -DOUT="$PWD/made/numerics_build.h" -DTOOL="$BUILD/source_hash" "-DFLAGS=${1--O3 -fopenmp}" "-DCOMPILER=${2-GNU 12.2.0}" \
		-P "$SOURCE/harness/record/numerics.cmake" || fail 'numerics.cmake'
	sed -n 's/^#define NUMERICS_[A-Z]* "\(.*\)"$/\1/p' made/numerics_build.h | tr '\n' ' '
}
copy() {
	local f
	rm -rf src
	for f in model/graph/optim.c model/config/knobs.c model/config/presets.c model/ops/elementwise.c model/ops/elementwise.cu model/ops/ops.def model/cuda/philox.cuh \
		metrics/scores/score.c metrics/scores/metrics.def metrics/features/feature_set.c harness/commands/cmd-worker.c harness/run/worker_score.c harness/commands/cmd-run.c; do
		mkdir -p "src/$(dirname $f)"
		cp "$SOURCE/$f" "src/$f"
	done
}
keeps() { # WHY FILE SED-SCRIPT
	sed -i -E "$3" "src/$2"
	! cmp -s "src/$2" "$SOURCE/$2" || fail "$1: $2 was not changed"
	[ "$(hashes)" = "$before" ] || fail "$1 changes the fingerprint"
	cp "$SOURCE/$2" "src/$2"
}
changes() { # 1|2: which of the two, WHY FILE SED-SCRIPT
	sed -i -E "$4" "src/$3"
	! cmp -s "src/$3" "$SOURCE/$3" || fail "$2: $3 was not changed"
	local now other=$((3 - $1))
	now=$(hashes)
	[ "$(cut -d' ' -f"$1" <<<"$now")" != "$(cut -d' ' -f"$1" <<<"$before")" ] || fail "$2 does not change the fingerprint"
	[ "$(cut -d' ' -f$other <<<"$now")" = "$(cut -d' ' -f$other <<<"$before")" ] || fail "$2 changes the other part, too"
	cp "$SOURCE/$3" "src/$3"
}

# Nobody may learn to disregard the mark: what computes nothing leaves it as it is.
test_what_does_not_count() {
	copy
	before=$(hashes)
	check [ ${#before} -eq 130 ]
	keeps 'a comment' model/graph/optim.c '1s,^,/* another\n * comment */ // and one\n,'
	keeps 'a comment in a line' model/graph/optim.c 's,;$,; /* said "why" */,'
	keeps 'blank lines and indentation' metrics/scores/score.c 's,^\t, \t  \n,'
	keeps 'blanks around operators' model/ops/elementwise.c '/^#|\\$|"/!s, ([*+/-]) ,\1,g'
	keeps "a knob's help" model/config/knobs.c 's,(\.text = ")ODE,\1Another ODE,'
	keeps "a knob's help of two lines" model/config/knobs.c 's,the same ending at s1,the very same ending at s1,'
	keeps "a knob's source" model/config/knobs.c 's,(\.source = ")Song 2023,\1Song 2024,'
	keeps "a knob's unit" model/config/knobs.c 's,(\.unit = ")steps,\1training steps,'
	keeps "a preset's text" model/config/presets.c 's,(\.text = ")consistency,\1Consistency,'
	keeps "a command's help" harness/commands/cmd-worker.c 's,(\.(help|summary) = *")[a-z],\1Other words: ,'
	keeps 'another command' harness/commands/cmd-run.c 's,again,once more,'
	keeps 'a comment of a kernel' model/ops/elementwise.cu '1s,^,// one\n,'
	mv src other && mkdir src && mv other "a folder" && rmdir src && ln -s "a folder" src
	[ "$(hashes)" = "$before" ] || fail 'another folder changes the fingerprint'
	touch src/README.md src/model/notes.txt
	[ "$(hashes)" = "$before" ] || fail 'a text beside the sources changes the fingerprint'
}

# The case that the fingerprint was made for: the RAdam step times 0.1 went through the gate.
test_what_counts() {
	copy
	before=$(hashes)
	changes 1 'a factor in the optimizer' model/graph/optim.c 's,\(float\)\(o->lr / correct1 \* \(s.adaptive,(float)(0.1 * o->lr / correct1 * (s.adaptive,'
	changes 1 "a knob's default" model/config/knobs.c '0,/\.def = "1280"/s,,.def = "1281",'
	changes 1 'a choice with the text of a help' model/config/knobs.c 's,(\.choices = ")heun,\1heun2,'
	changes 1 'an op of the table' model/ops/ops.def '0,/^OP\(/s,,OP( ,;$a OP(other)'
	changes 1 'a message of the code' metrics/features/feature_set.c '0,/"%s/s,,"(%s,'
	changes 1 'how a worker scores' harness/run/worker_score.c '0,/= 0;/s,,= 1;,'
	changes 1 'a directive' model/ops/elementwise.c '1,/^#include/s,^#include,#define OTHER (1)\n#include,'
	changes 2 'a kernel' model/ops/elementwise.cu '0,/ \* /s,, + ,'
	changes 2 'a header of kernels' model/cuda/philox.cuh '$a static int other;'
	mv src/model/ops/elementwise.c src/model/ops/elementwise2.c
	[ "$(hashes)" != "$before" ] || fail 'a file that was moved leaves the fingerprint'
}

# A blank decides in a macro with a bracket, and between words and operators that would become one.
test_blanks_that_count() {
	mkdir -p src/model
	differ() { # TEXT TEXT
		printf '%b' "$1" >src/model/a.c; one=$(hashes)
		printf '%b' "$2" >src/model/a.c; two=$(hashes)
		[ "$one" != "$two" ] || fail "'$1' and '$2' are taken for the same"
	}
	alike() {
		printf '%b' "$1" >src/model/a.c; one=$(hashes)
		printf '%b' "$2" >src/model/a.c; two=$(hashes)
		[ "$one" = "$two" ] || fail "'$1' and '$2' are not taken for the same"
	}
	differ '#define F (x)\n' '#define F(x)\n'
	differ '#define F 1\nint a;\n' '#define F 1 int a;\n'
	differ 'x = a - -b;' 'x = a--b;'
	differ 'int a;' 'inta;'
	differ 'p = "a  b";' 'p = "a b";'
	differ "c = ' ';" "c = '  ';"
	differ 'p = "/* no comment */";' 'p = "";'
	differ '.help = x' '.help = y'
	differ '.helpful = "x"' '.helpful = "y"'
	differ '.text = "a", .key = "b"' '.text = "a", .key = "c"'
	alike '.text = "a" /* b */ "c\\"d",\n.key = "b"' '.text = "other",.key="b"'
	alike '#define F \\\n\t1\nint a;' '#define F 1\n\n\nint  a ;'
	alike 'a = b; // c\n' 'a = b;'
	alike 'x = "a" // "b\n"c";' 'x = "a" "c";'
}

test_flags() {
	copy
	before=$(hashes '-O3 -fopenmp -std=gnu11')
	same_flags() { [ "$(hashes "$1")" = "$before" ] || fail "flags '$1' change the fingerprint"; }
	same_flags '-O3 -g -fopenmp -std=gnu11'
	same_flags '-O3 -g1 -ggdb -Wall -Werror -I/usr/include -I x -isystem /opt/include -fopenmp -std=gnu11 -MD -MF x.d'
	same_flags '-O3 -ffile-prefix-map=/home/me=. -fdebug-prefix-map=/a=b -fopenmp -fdiagnostics-color -fstack-protector-strong -std=gnu11 -DDIR="/home/me" -fPIC'
	for flags in '-O2 -fopenmp -std=gnu11' '-O3 -std=gnu11' '-O3 -fopenmp -std=gnu11 -march=native' '-O3 -fopenmp -std=gnu11 -ffast-math' \
		'-O3 -fopenmp -std=gnu11 -ffp-contract=off' '-O3 -fopenmp -std=gnu11 -DNDEBUG' '-O3 -fopenmp -std=gnu11 -fsanitize=address'; do
		[ "$(hashes "$flags")" != "$before" ] || fail "flags '$flags' do not change the fingerprint"
	done
	[ "$(hashes '-O3 -fopenmp -std=gnu11' 'GNU 13.1.0')" != "$before" ] || fail 'another compiler does not change the fingerprint'
}

# Nothing is compiled again as long as nothing changed.
test_header_is_left_alone() {
	copy
	hashes >/dev/null
	touch -d '2001-01-01' made/numerics_build.h
	hashes >/dev/null
	check [ "$(stat -c %Y made/numerics_build.h)" -lt 1000000000 ]
	echo 'int other;' >>src/model/graph/optim.c
	hashes >/dev/null
	check [ "$(stat -c %Y made/numerics_build.h)" -gt 1000000000 ]
}

# A script finds it: the workflow's cache key is made of it.
test_program_says_it() {
	run ablate --version --json; exits 0
	value=$(sed -n 's/^ *"fingerprint": "\([0-9a-f]*\)",*$/\1/p' out)
	check [ ${#value} -eq 64 ]
	says out "\"build\": \"$(sed -n 's/^#define NUMERICS_BUILD "\(.*\)"$/\1/p' "$BUILD/generated/numerics_build.h")\""
	says_not out '"OpenBLAS": "none"'
	run ablate doctor; says out "${value:0:12}"
}

# The hosted workflow keeps finished cells for as long as it is the same.
test_workflow_key() {
	GITHUB_OUTPUT=$PWD/key PATH=$(dirname "$ABLATE"):$PATH bash "$SOURCE/ci/action/key.sh" || fail "key.sh"
	check grep -qxE 'fingerprint=[0-9a-f]{64}' key
	check test "$(grep -c 'key: ablate-${{ steps.key.outputs.fingerprint }}-' "$SOURCE/ci/action.yml")" = 2 # restored and saved
}

run_tests
