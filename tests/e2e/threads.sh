#!/bin/bash
# threads.sh - how many threads compute and how they wait: quotas, --threads, OMP_NUM_THREADS, the length of the wait, the same bits by all.
# ctest: slow, trainings with each number of threads
. "$(dirname "$0")/lib.sh"

unset OMP_NUM_THREADS OMP_WAIT_POLICY GOMP_SPINCOUNT OPENBLAS_NUM_THREADS
fact() { # NAME: of doctor's processors
	sqlite3 :memory: "SELECT json_extract(CAST(readfile('out') AS TEXT), '\$.processors.$1')"
}
# Processors that may be used here, in a container, too; nproc knows of no quota.
PROCESSORS=$("$ABLATE" doctor --json | sed -n 's/^ *"usable": \([0-9]*\),$/\1/p')
doctor() { run "$@" "$ABLATE" doctor --json; exits 0; }
grid() { printf 'schema = 1\n[grid]\nname = "small"\nseeds = { train = [1] }\n[base]\npreset = "ict-shapes8-ci"\n"train.steps" = 3\n"train.batch" = 4\n' >g.toml; }
threads_of() { sql "$1" "SELECT group_concat(json_extract(json, '\$.threads')) FROM env"; } # DB

# A control group of the cpu controller with a quota (in millionths of a second per 0.1 s); skips where none can be made.
group() { # QUOTA
	local at
	while read -r _ _ _ top at _; do
		[ "$top" = / ] || continue
		if [ -w "$at/cpu.cfs_quota_us" ] || [ -e "$at/cgroup.controllers" ]; then
			mkdir "$at/ablate-e2e-$$" 2>/dev/null || continue
			GROUP=$at/ablate-e2e-$$
			if [ -e "$GROUP/cpu.cfs_quota_us" ]; then
				echo 100000 >"$GROUP/cpu.cfs_period_us" && echo "$1" >"$GROUP/cpu.cfs_quota_us" && LIMIT=$GROUP/cpu.cfs_quota_us && return
			elif [ -e "$GROUP/cpu.max" ]; then
				echo "$1 100000" >"$GROUP/cpu.max" && LIMIT=$GROUP/cpu.max && return
			fi
			rmdir "$GROUP"
		fi
	done < <(grep -E ' - cgroup2? ' /proc/self/mountinfo | awk '{ print $1, $2, $3, $4, $5 }')
	GROUP=
	skip "no control group with a quota can be made here"
}
teardown() { [ -z "${GROUP:-}" ] || rmdir "$GROUP"/*/ "$GROUP" 2>/dev/null; }
inside() { (echo $BASHPID >"$1/cgroup.procs" && shift && exec "$@"); } # GROUP COMMAND...

test_a_quota_limits_threads() {
	group 50000
	doctor inside "$GROUP"
	check [ "$(fact quota)" = 0.5 ]; check [ "$(fact quota_from)" = "$LIMIT" ]
	check [ "$(fact usable),$(fact threads),$(fact threads_from)" = 1,1,quota ] || [ "$PROCESSORS" -eq 1 ]
	run inside "$GROUP" "$ABLATE" doctor; exits 0
	says out "0.5 processors' worth of time ($LIMIT)"
	# the limit of a group above this one
	mkdir "$GROUP/inner"
	doctor inside "$GROUP/inner"
	check [ "$(fact quota)" = 0.5 ]; check [ "$(fact quota_from)" = "$LIMIT" ]
	# a cell's default, and what is left of --threads
	grid
	run inside "$GROUP" "$ABLATE" run g.toml; exits 0; check [ "$(threads_of ablate.db)" = 1 ]
	run inside "$GROUP" "$ABLATE" run g.toml --db two.db --threads 2; exits 0; says err '--threads 2: this process may use 1 processor '
	check [ "$(threads_of two.db)" = 1 ]
	OMP_NUM_THREADS=3 doctor inside "$GROUP"
	check [ "$(fact threads),$(fact threads_from)" = 3,OMP_NUM_THREADS ]
}

test_affinity_limits_threads() {
	command -v taskset >/dev/null || skip "no taskset here"
	doctor taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')"
	check [ "$(fact affinity),$(fact usable),$(fact threads)" = 1,1,1 ]
	[ "$(fact online)" -eq 1 ] || check [ "$(fact threads_from)" = affinity ]
}

test_openmp_s_variable_wins() {
	OMP_NUM_THREADS=3 doctor
	check [ "$(fact threads),$(fact threads_from)" = 3,OMP_NUM_THREADS ]
	OMP_NUM_THREADS= doctor
	check [ "$(fact threads)" = "$(fact usable)" ]
}

test_more_threads_than_processors() {
	grid
	run ablate run g.toml --threads 999; exits 0
	says err 'warning: --threads 999: this process may use '
	[ "$(grep -c 'warning: .*threads' err)" -eq 1 ] || fail "more than one warning: $(cat err)"
	check [ "$(threads_of ablate.db)" = "$PROCESSORS" ]
	run ablate bench-steps --threads 999 --seconds 0.001 --json; exits 0; says err '--threads 999: '; says out "\"threads\": $PROCESSORS"
	run ablate sample "$(sql ablate.db 'SELECT hash FROM cell')" -n 2 --threads 999; exits 0; says err '--threads 999: '
	for n in 0 -1 999999999 99999999999999999999; do
		run ablate run g.toml --threads "$n"; exits 2; lines_of err 1; says err "--threads N: $n is not within 1..4096"
	done
	run ablate run g.toml --threads two; exits 2; says err "'two' is not a whole number"
}

test_more_cells_at_once_than_processors() {
	grid
	run ablate run g.toml --jobs $((PROCESSORS + 1)) --threads 1; exits 0
	says err "$((PROCESSORS + 1)) threads on the "
	run ablate run g.toml --jobs "$PROCESSORS" --threads 1; exits 0; says_not err "threads on the"
}

# The number of threads is part of what a score's bits come from: a repetition takes it even where it is too many.
test_a_repetition_takes_the_recorded_number() {
	[ "$PROCESSORS" -gt 1 ] && command -v taskset >/dev/null || skip "needs two processors and taskset"
	grid
	run ablate run g.toml --threads 2; exits 0
	run taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')" "$ABLATE" verify "$(sql ablate.db 'SELECT id FROM attempt')"; exits 0
	says err "had 2 threads and is repeated with as many, although this process may use 1"
	says_not err "--threads"
	check [ "$(sql ablate.db "SELECT json_extract(v.json, '\$.threads') FROM attempt a JOIN env v ON v.hash = a.env WHERE a.purpose = 'verify'")" = 2 ]
}

# The environment of the process that computes says how long its threads turn: our value, or the user's.
waits_with() { # WANTED VAR=VALUE...
	local want=$1; shift
	env "$@" "$ABLATE" bench-steps --seconds 60 >/dev/null & pid=$!
	# after the restart (a name of its own) where there is one
	await 60 "[ \"\$(cat /proc/$pid/comm)\" = ablate ] && tr '\\0' '\\n' </proc/$pid/environ | grep -q '^ABLATE_MARK='"
	await 60 "tr '\\0' '\\n' </proc/$pid/environ | grep -E '^(GOMP_SPINCOUNT|OMP_WAIT_POLICY)=' | tr '\\n' ' ' | grep -qx '$want'"
	kill "$pid"; wait "$pid" 2>/dev/null
	return 0
}
test_threads_wait_for_a_short_time() {
	[ -r /proc/self/environ ] || skip "no /proc here"
	waits_with 'GOMP_SPINCOUNT=1000 ' ABLATE_MARK=1
	waits_with 'GOMP_SPINCOUNT=7 ' ABLATE_MARK=1 GOMP_SPINCOUNT=7
	waits_with 'OMP_WAIT_POLICY=active ' ABLATE_MARK=1 OMP_WAIT_POLICY=active
}

test_the_bits_do_not_depend_on_it() {
	grid
	sed -i 's/"train.steps" = 3/"train.steps" = 40/' g.toml
	curve() { sql "$1" "SELECT name, step, printf('%!.17g', value) FROM curve ORDER BY 1, 2"; }
	run ablate run g.toml --db bounded.db; exits 0; curve bounded.db >bounded
	[ "$(wc -l <bounded)" -ge 20 ] || fail "only $(wc -l <bounded) points"
	for way in GOMP_SPINCOUNT=0 GOMP_SPINCOUNT=300000 OMP_WAIT_POLICY=passive OMP_WAIT_POLICY=active; do
		run env "$way" "$ABLATE" run g.toml --db other.db; exits 0
		curve other.db >other; same bounded other; rm -r other.db*
	done
	[ "$(sql bounded.db "SELECT json FROM env" | grep -c -i 'spin\|wait')" -eq 0 ] || fail "the environment names it"
}

# A restart keeps the process, its input and its signals: it is invisible.
test_the_restart_is_the_same_process() {
	"$ABLATE" bench-steps --seconds 60 >/dev/null & pid=$!
	await 60 "tr '\\0' '\\n' </proc/$pid/environ | grep -q '^GOMP_SPINCOUNT=' && [ \"\$(cat /proc/$pid/comm)\" = ablate ]"
	kill -TERM "$pid"; code=0; wait "$pid" || code=$?
	exits 143
	grid
	run ablate bench-steps --seconds nonsense; exits 2; lines_of err 1
}

# The crowd's processes that carry our mark; one that has ended and waits to be collected has no environment.
busy() { # MARK
	local f
	for f in $(grep -sl '^ablate-crowd$' /proc/[0-9]*/comm); do
		{ tr '\0' '\n' <"${f%comm}environ" | grep -qx "ABLATE_MARK=$1"; } 2>/dev/null && echo "$f"
	done
}
test_bench_crowd() {
	[ -r /proc/self/comm ] || skip "no /proc here"
	export ABLATE_MARK=crowd$$
	run ablate bench crowd --beside 3 --seconds 0.06 --json; exits 0
	json() { sqlite3 :memory: "SELECT $1 FROM json_each(CAST(readfile('out') AS TEXT), '\$.crowd')"; }
	check [ "$(json "group_concat(json_extract(value, '\$.waiting'))")" = "bounded,libgomp's own,asleep at once,one thread" ]
	for field in alone_steps_per_s alone_share beside_steps_per_s beside_share fair_share of_fair; do
		check [ "$(json "sum(json_extract(value, '\$.$field') > 0)")" = 4 ]
	done
	check [ "$(json "sum(json_extract(value, '\$.beside') = 3)")" = 4 ]
	check [ -z "$(busy "$ABLATE_MARK")" ]
	# ended in its middle, it leaves nobody behind
	for signal in TERM INT KILL; do
		(trap - INT; exec "$ABLATE" bench crowd --beside 3 --seconds 24 >/dev/null) & pid=$!
		await 120 '[ -n "$(busy "$ABLATE_MARK")" ]' || fail "no crowd"
		kill -$signal "$pid"; wait "$pid" 2>/dev/null
		await 60 '[ -z "$(busy "$ABLATE_MARK")" ]'
	done
}

run_tests
