#!/bin/bash
# watch.sh - `ablate watch` as people have it: on a terminal that is resized, stopped, asked to end and closed, in a pipe, on one that can do
# nothing; and no escape sequence in anything the program prints where TERM is dumb.
# ctest: slow, trainings are watched
. "$(dirname "$0")/lib.sh"

PTY=$BUILD/tests/pty_run
ESC=$'\033'
ENTERED="$ESC[?1049h"
LEFT="$ESC[?1049l"
unset LD_LIBRARY_PATH

one_seed() { sed -i 's/train = \[1, 2\]/train = [1]/' g.toml; }
teardown() { [ -z "$(jobs -p)" ] || kill -KILL $(jobs -p) 2>/dev/null; }
# Two cells at work until the test ends them: a step of them takes minutes.
busy_study() {
	small_grid 100000
	"$ABLATE" run g.toml -j 2 --threads 1 >run.out 2>run.err & runner=$!
	await 60 '[ "$(grep -l curve ablate.db-runs/*/*/journal.jsonl 2>/dev/null | wc -l)" = 2 ]'
}
end_study() { kill -TERM $runner; wait $runner; return 0; }

# COMMAND on a terminal of its own: what it shows is in NAME.screen; `key ORDER` is as pty_run says.
terminal() { # NAME COMMAND...
	local name=$1
	shift
	"$PTY" true </dev/null >/dev/null 2>&1 || skip "no pseudo terminals here"
	rm -f "$name.keys"
	mkfifo "$name.keys"
	TERM=xterm "$PTY" "$@" <"$name.keys" >"$name.screen" 2>"$name.err" & terminal_pid=$!
	exec {keys}>"$name.keys"
}
key() { echo "$*" >&"$keys"; }
ends_with() { exec {keys}>&-; code=0; wait $terminal_pid || code=$?; exits "$1"; } # CODE: of the command on the terminal
count() { grep -aoF -- "$2" "$1" | wc -l; } # FILE TEXT
# As often as the second page was taken it was given back, and no sequence came after.
restored() { # NAME TIMES
	check [ "$(count "$1.screen" "$ENTERED")" -eq "$2" ]
	check [ "$(count "$1.screen" "$LEFT")" -eq "$2" ]
	check [ "$(count "$1.screen" "$ESC[?25h")" -eq "$2" ]
	check [ "$(grep -aoE "$ESC\[[?0-9;]*[A-Za-z]" "$1.screen" | tail -1)" = "$LEFT" ]
}

test_a_screen_that_is_resized_scrolled_and_left() {
	busy_study
	terminal a "$ABLATE" watch
	await 20 'grep -aqF "small: 2 cells: 2 running" a.screen'
	await 20 'grep -aqE "base .*/100000" a.screen'
	[ -e /proc/driver/nvidia ] || says_not a.screen "GPU"
	key "size 12 70"
	await 20 '[ "$(grep -aoF "$ESC[2J" a.screen | wc -l)" -ge 2 ]' # drawn anew
	key "size 4 70"
	await 20 'grep -aqF "cells 1 to 1 of 2, 1 not shown" a.screen'
	key "type j"
	await 20 'grep -aqF "cells 2 to 2 of 2, 1 not shown" a.screen'
	key "type q"
	ends_with 0
	restored a 1
	kill -0 $runner || fail "leaving has stopped the run"
	end_study
}

test_signals_give_the_terminal_back() {
	local how
	busy_study
	for how in TERM HUP INT QUIT; do
		terminal $how "$ABLATE" watch
		await 20 'grep -aqsE "base .*/100000" $how.screen'
		kill -$how $(<"/proc/$terminal_pid/task/$terminal_pid/children")
		[ $how = INT ] && ends_with 0 || ends_with $((128 + $(kill -l $how)))
		restored $how 1
	done
	terminal c "$ABLATE" watch
	await 20 'grep -aqE "base .*/100000" c.screen'
	key "type ^C"
	ends_with 0
	restored c 1
	end_study
}

# What it watches is gone: the reason is on the page that people see.
test_an_error_gives_the_terminal_back() {
	busy_study
	ln -s ablate.db link.db; ln -s ablate.db-runs link.db-runs
	terminal a "$ABLATE" watch --db link.db
	await 20 'grep -aqE "base .*/100000" a.screen'
	rm link.db
	ends_with 5
	check [ "$(count a.screen "$LEFT")" -eq 1 ]
	tr '\033' '\n' <a.screen | sed -n '/\[?1049l/,$p' >last
	says last "link.db: no such database"
	end_study
}

test_a_locale_without_utf8_and_no_term() {
	busy_study
	terminal a env LC_ALL=C "$ABLATE" watch
	await 20 'grep -aqE "base .*/100000" a.screen'
	key "type q"
	ends_with 0
	LC_ALL=C grep -aq $'[\x80-\xff]' a.screen && fail "bytes that are not ASCII"
	terminal b env -u TERM "$ABLATE" watch
	await 20 'grep -aqF "2 running" b.screen'
	key "type ^C"
	ends_with 0
	check [ "$(count b.screen "$ESC")" -eq 0 ]
	end_study
}

# Ctrl-Z: the shell gets its page back, and the screen is whole again afterwards.
test_a_stop_gives_the_terminal_to_the_shell() {
	busy_study
	terminal a bash --norc -i
	key "type '$ABLATE' watch^M"
	await 20 'grep -aqE "base .*/100000" a.screen'
	key "type ^Z"
	await 20 '[ "$(grep -aoF "$LEFT" a.screen | wc -l)" -eq 1 ]'
	key 'type stty -a >settings; echo $((40 + 2)) >answer^M'
	await 20 '[ -s answer ]'
	grep -q -- "-icanon" settings && fail "the shell has no lines: $(<settings)"
	key "type fg^M"
	await 20 '[ "$(grep -aoF "$ENTERED" a.screen | wc -l)" -ge 2 ]'
	key "type q"
	await 20 '[ "$(grep -aoF "$LEFT" a.screen | wc -l)" -eq 2 ]'
	key 'type echo $? >left^M'
	await 20 '[ -s left ]'
	check [ "$(<left)" = 0 ]
	key "type exit^M"
	ends_with 0
	check [ "$(count a.screen "$LEFT")" -eq "$(count a.screen "$ENTERED")" ]
	end_study
}

test_it_ends_by_itself_and_says_what_became_of_it() {
	small_grid 2000
	one_seed
	sed -i 's/samples = 100/samples = 20/' g.toml
	terminal b bash --norc -c "'$ABLATE' run g.toml --threads 1 >run.out 2>&1 & until [ -s ablate.db ]; do sleep 0.05; done; exec '$ABLATE' watch"
	ends_with 0
	restored_words b
}
restored_words() { # NAME: after the first page is back there is a line about all cells
	tr '\033' '\n' <"$1.screen" | sed -n '/\[?1049l/,$p' >last
	says last "small: 1 cell: 1 done"
}

# Only what changed is sent: of a study at rest nearly nothing.
test_few_bytes_for_each_refresh() {
	local before after
	terminal a "$BUILD/tests/run-fake" k.db 1 1 600000
	await 60 'grep -qs attempt k.db-runs/*/*/journal.jsonl'
	local fake worker runner_keys=$keys
	read -r fake _ <"/proc/$terminal_pid/task/$terminal_pid/children"
	read -r worker _ <"/proc/$fake/task/$fake/children"
	terminal w "$ABLATE" watch --db k.db
	await 20 'grep -aqsF "1 running" w.screen'
	sleep 1
	before=$(stat -c %s w.screen)
	sleep 5
	after=$(stat -c %s w.screen)
	check [ $((after - before)) -lt 1000 ]
	key "type q"
	ends_with 0
	kill -KILL "$fake" "$worker"
	exec {runner_keys}>&-
}

test_plain_lines_without_escapes() {
	busy_study
	timeout 4 "$ABLATE" watch >piped 2>err
	grep -qF "$ESC" piped && fail "an escape sequence in a pipe"
	says piped "small: 2 cells: 2 running"
	check [ "$(grep -cE "^20[0-9-]+T[0-9:]+Z running +[0-9a-f]{12} base seed [12]: step" piped)" -ge 2 ]
	timeout 4 "$ABLATE" status --watch --color always >piped
	grep -qF "$ESC" piped && fail "an escape sequence in a pipe"
	terminal d env TERM=dumb "$ABLATE" watch
	await 20 'grep -aqF "2 running" d.screen'
	key "type ^C"
	ends_with 0
	check [ "$(count d.screen "$ESC")" -eq 0 ]
	terminal n env NO_COLOR=1 "$ABLATE" watch
	await 20 'grep -aqF "2 running" n.screen'
	key "type q"
	ends_with 0
	check [ "$(grep -aoE "$ESC\[[0-9;]*m" n.screen | grep -vcF '[0m')" -eq 0 ] # but for the end, which is plain
	end_study
	run ablate watch; exits 0; lines_of out 1
	says out "small: 2 cells: 2 to come"
	run ablate watch nosuch; exits 2
	run ablate watch --db nosuch.db; exits 5
}

test_objects_one_a_line() {
	small_grid 40
	ablate run g.toml --threads 1 >/dev/null 2>&1
	run ablate watch --json; exits 0; lines_of out 1
	check [ "$(jq -c '[.schema, .db, (.cells | length), .cells[0].state, .cells[0].step, .eta_s, .runner]' out)" = '[1,"ablate.db",2,"done",40,null,null]' ]
	run ablate status --watch --json small; exits 0; lines_of out 1
	check [ "$(jq -r '.grids[0].name' out)" = small ]
	check [ "$(jq -r .picture out | xargs ls)" = "$(jq -r .picture out)" ]
	run ablate watch --json nosuch; exits 2
	check [ "$(jq .error.code out)" = 2 ]
}

# Looking needs no permission to write, and takes no lock.
test_a_folder_that_may_not_be_written() {
	small_grid 40
	ablate run g.toml --threads 1 >/dev/null 2>&1
	small_disk ro 20m
	cp -r ablate.db ablate.db-runs ro/
	mount -o remount,ro ro 2>/dev/null || skip "cannot remount"
	run ablate watch --db ro/ablate.db
	exits 0
	says out "small: 2 cells: 2 done"
}

test_gpus_as_the_driver_describes_them() {
	small_grid 40
	one_seed
	ablate run g.toml --threads 1 >/dev/null 2>&1
	run env LD_LIBRARY_PATH="$BUILD/tests/nvml" "$ABLATE" watch --json
	exits 0
	check [ "$(jq -c .gpus out)" = '[{"name":"Card One","use":87,"used_bytes":6442450944,"memory_bytes":25769803776,"celsius":61,"watts":250.4},{"name":"Card \\x1b[31mTwo"}]' ]
	run ablate watch --json
	check [ "$(jq -c .gpus out)" = '[]' ]
}

# A terminal that cannot move its cursor gets no sequence for it, whatever the program does.
test_a_dumb_terminal_gets_no_escapes() {
	local i=0 word cell=
	small_grid 400
	one_seed
	for word in "run g.toml --threads 1" "status --watch" "sample CELL -n 40 -o x.png" "verify CELL --threads 1" "fid -e pixels shapes8-test shapes8" \
		"lpips x.png x.png" "classifier shapes8 --epochs 1 -o c.safetensors" "data import mine x" "nosuch" "table g.toml"; do
		[ $i -ne 1 ] || cell=$(sql ablate.db "SELECT cell FROM attempt")
		[ $i -ne 7 ] || ablate sample "$cell" -n 40 -o x >/dev/null 2>&1
		terminal t$i env TERM=dumb "$ABLATE" ${word/CELL/$cell}
		exec {keys}>&-
		wait $terminal_pid
		check [ "$(count t$i.screen "$ESC")" -eq 0 ]
		i=$((i + 1))
	done
	says t0.screen "1 done"
}

run_tests "$@"
