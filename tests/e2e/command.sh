#!/bin/bash
# command.sh - the extractor "command:": a program of the user's own gives the features, at the terminal and in a study,
# and one that dies, lies or says too much costs an error and never a number.
. "$(dirname "$0")/lib.sh"

PNG=$SOURCE/tests/fixtures/png_modes
# Pictures of 20 x 24 in colours, so 1440 values.
two_sets() {
	mkdir a b
	cp "$PNG"/{rgb,p}.png a/
	cp "$PNG"/{rgba,p_trns}.png b/
	cp "$SHIM/features_command" .
}
value() { grep -F '"hex"' out; }
refused() { # CODE TEXT...
	local wanted=$1
	shift
	exits "$wanted"; lines_of out 0
	[ "$(grep -c '^ablate: ' err)" -eq 1 ] || fail "not one line"
	for text in "$@"; do says err "$text"; done
}

# The program's own `all-pixels` is the same function of a picture: the same number, to the last bit. At batches of 1 and 64.
test_a_program_gives_what_the_built_in_one_gives() {
	two_sets
	run ablate fid -e all-pixels a b --json; exits 0; value >direct
	for how in all early; do
		run ablate fid -e "command:./features_command $how 1440" a b --json; exits 0; value >other; same direct other
		run ablate fid -e "command:  ./features_command  $how 1440" --batch 1 a b --json; exits 0; value >other; same direct other
	done
	run ablate kid -e "command:./features_command all 1440" a b; exits 0
}

# The protocol holds the text, the program's content and the name that it gives.
test_the_protocol_says_which_program() {
	two_sets
	local command="./features_command all 1440" digits
	digits=$(printf %s "$command" | sha256sum | head -c 12)
	run ablate fid -e "command:$command" a b; exits 0
	check grep -qE "fid:command-$digits@[0-9a-f]{8}:values-255:u8:n2:ref=" out
	cp out before
	check ablate -q features -e "command:$command" b -o b.npz >/dev/null
	run ablate fid -e "command:$command" a b.npz; exits 0; same out before
	run ablate fid -e "command:./features_command early 1440" a b.npz; refused 5 "not comparable"
	printf '\0' >>features_command # another program
	run ablate fid -e "command:$command" a b.npz; refused 5 "command-$digits@" "not comparable"
}

# It may answer before it reads: neither side waits for the other. 64 pictures are 92 kB one way and 369 kB the other, more
# than a pipe holds.
test_an_answer_before_the_question() {
	two_sets
	for i in $(seq 64); do ln "$PNG/rgb.png" "a/$i.png"; done
	run timeout 60 "$ABLATE" fid -e "command:./features_command first 1440" a a; exits 0
}

# Grey pictures come as three equal channels, so a program sees one form only.
test_grey_pictures_come_as_rgb() {
	two_sets
	rm a/* b/*; cp "$PNG"/{l,la,bit1}.png a/; cp "$PNG"/{l,i16}.png b/
	run ablate fid -e "command:./features_command all 1440" a b; exits 0
}

test_a_program_that_is_not_there() {
	two_sets
	run ablate fid -e "command:./nothing" a b; refused 1 "./nothing is no program that can be run"
	run ablate fid -e "command:no-such-program x" a b; refused 1 "no-such-program is no program" "not in PATH"
	run ablate fid -e "command: " a b; refused 2 "names no program"
	run ablate fid -e "command:./features_command all 1440" -w a/rgb.png a b; refused 2 "weights of its own"
	run ablate fid -e "command:./features_command all 1440" --resize clean a b; refused 2 "no resize"
}

test_a_program_that_says_something_else() {
	two_sets
	run ablate fid -e "command:./features_command hello 1440" a b; refused 1 "its first line is 'hello ? world', not 'ablate-features 1 DIM NAME'"
	run ablate fid -e "command:./features_command endless 1440" a b; refused 1 "its first line is 'ablate-features ablate-features"
	run ablate fid -e "command:./features_command blank 1440" a b; refused 1 "its first line is 'ablate-features 1 1440 my net'"
	run ablate fid -e "command:./features_command all 0" a b; refused 1 "DIM from 1 to 16384"
	run ablate fid -e "command:./features_command all 16385" a b; refused 1 "DIM from 1 to 16384"
}

test_a_program_that_dies() {
	two_sets
	run ablate fid -e "command:./features_command mute 1440" a b; refused 1 "ended with exit code 7 before it said"
	run ablate fid -e "command:./features_command leaves 1440" a b; refused 1 "ended with exit code 3 before it had answered"
	run ablate fid -e "command:./features_command killed 1440" a b; refused 1 "ended by signal 9 before it had answered"
	run ablate fid -e "command:./features_command fails 1440" a b; refused 1 "ended with exit code 4 after its last picture"
}

# `command:cat` never greets: both sides waited for the other for ever, without a word.
test_a_program_that_never_greets() {
	two_sets
	export ABLATE_COMMAND_WAIT=1
	run timeout 60 "$ABLATE" fid -e "command:cat" a b; refused 1 "command 'cat': did not say 'ablate-features 1 DIM NAME' within 1 s" ABLATE_COMMAND_WAIT
	printf '#!/bin/sh\necho $$ >pid\nexec sleep 100\n' >silent; chmod +x silent # does not end when its stdin does, either
	run timeout 60 "$ABLATE" fid -e "command:./silent" a b; refused 1 "within 1 s"
	check test -s pid; check test ! -e /proc/"$(cat pid)"
	ABLATE_COMMAND_WAIT=60 run ablate fid -e "command:./features_command slow 1440" a b; exits 0
	says err "waiting for the greeting of './features_command slow 1440' (60 s at most)"
	for bad in x 0 -1 5s nan; do
		ABLATE_COMMAND_WAIT=$bad run ablate fid -e "command:./features_command all 1440" a b; refused 2 "ABLATE_COMMAND_WAIT is '$bad'"
	done
}

# One float too many would shift all that follow; after the last picture, it says that DIM is not what it announced.
test_a_program_that_says_too_much() {
	two_sets
	run ablate fid -e "command:./features_command more 1440" --batch 1 a b; refused 1 "wrote more than the 1440 floats per picture"
	run ablate fid -e "command:./features_command late 1440" a b; refused 1 "wrote more than the 1440 floats per picture"
}
test_values_that_are_not_finite() { two_sets; run ablate fid -e "command:./features_command nan 1440" a b; refused 1 "not finite"; }
test_a_program_that_changes_its_name() { two_sets; run ablate fid -e "command:./features_command changes 1440" a b; refused 1 "now, and said '1440 v"; }

# A request to end while the program is stuck ends us; the program is told by the end of its stdin.
test_an_interrupt_while_the_program_is_stuck() {
	two_sets; mkfifo never
	printf '#!/bin/sh\necho ablate-features 1 3 stuck\necho $$ >pid\ncat never\n' >stuck; chmod +x stuck
	"$ABLATE" fid -e command:./stuck a b >out 2>err & local ours=$!
	await 20 '[ -s pid ]'
	kill -TERM $ours; wait $ours; code=$?
	exits 143; : >never & wait $!
}

grid() { # EXTRACTORS...
	cat >g.toml <<-END
	schema = 1
	[grid]
	name = "small"
	seeds = { train = [1], eval = [101] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = 4
	train.batch = 4
	END
	for x; do printf '[[metric]]\nname = "fid"\nsamples = 100\nnfe = [1]\nextractor = "%s"\n' "$x" >>g.toml; done
}

# Two extractors of one score: each has a name of its own in tables, and the command's number is the built-in one's.
test_a_study_is_scored_by_a_program() {
	cp "$SHIM/features_command" .
	grid all-pixels "command:./features_command grey 64"
	local label
	label=command:$(printf %s "./features_command grey 64" | sha256sum | head -c 12)
	run ablate run g.toml --db a.db; exits 0
	sql a.db "SELECT hex FROM metric WHERE protocol LIKE 'fid:all-pixels:%'" >direct
	sql a.db "SELECT hex FROM metric WHERE protocol LIKE 'fid:${label/:/-}@%'" >other
	check test -s other; same direct other
	check test "$(sql a.db "SELECT count(*) FROM input WHERE role = 'extractor $label'")" -ge 1
	run ablate table g.toml --db a.db --cols "name, fid/$label@1"; says_not err "not a metric"
	# asked again, nothing is scored; another program under the name is another number
	run ablate run g.toml --db a.db; exits 0
	check test "$(sql a.db "SELECT count(*) FROM metric")" -eq 2
	printf '\0' >>features_command
	run ablate run g.toml --db a.db; exits 0
	check test "$(sql a.db "SELECT count(DISTINCT protocol) FROM metric WHERE protocol LIKE 'fid:command%'")" -eq 2
}

# The job says it; where that is not at hand, as in a database that was renamed, the recorded grid does: a protocol has
# the hash alone.
test_verify_asks_the_same_program() {
	cp "$SHIM/features_command" .
	grid "command:./features_command grey 64"
	run ablate run g.toml --db a.db; exits 0
	local id
	id=$(sql a.db "SELECT id FROM attempt")
	run ablate verify "$id" --db a.db; exits 0; says out bit-identical
	mv a.db b.db
	run ablate verify "$id" --db b.db; exits 0; says out bit-identical
}

test_a_study_without_the_program_is_blocked() {
	grid "command:./nothing"
	run ablate plan g.toml --db a.db; says out "./nothing is no program that can be run"
	grid "command: "; run ablate plan g.toml --db a.db; exits 2; says err "write command:PROGRAM ARGS"
}

run_tests
