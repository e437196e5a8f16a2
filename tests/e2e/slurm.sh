#!/bin/bash
# slurm.sh - the Slurm engine on a real cluster, which is as Slurm comes: an array on shards, a task killed inside a transaction, tasks
# that are stopped (by a signal, their time limit, another job) and go on, whose the jobs in the queue are, the merge, and the same bits
# as a local run. The daemons run as root, everything else as the ordinary user nobody. Installs slurm-wlm and munge if it may.
# ctest: slow, a cluster, whose daemons take their time
# ctest: serial
. "$(dirname "$0")/lib.sh"

ROOT=$(mktemp -d "${TMPDIR:-/tmp}/ablate-slurm-XXXXXX")
CLUSTER=
cluster() { # [NAME=VALUE]...: a cluster set up so (ci/slurm-cluster.sh), started by the first test that needs it
	[ "$(id -u)" -eq 0 ] || skip "needs root to start daemons"
	[ -n "$(ls /sys/fs/cgroup 2>/dev/null)" ] || skip "no control groups here, which slurmd wants to see"
	"$SOURCE/ci/setup.sh" slurm >setup.log 2>&1 || skip "slurm-wlm and munge cannot be installed here"
	local folder=$ROOT/is-$(echo "$*" | tr ' =' '--')
	for other in "$ROOT"/is-*; do
		[ ! -d "$other" ] || [ "$other" = "$folder" ] || "$SOURCE/ci/slurm-cluster.sh" stop "$other" >/dev/null 2>&1 || true
	done
	CLUSTER=$folder
	env "$@" "$SOURCE/ci/slurm-cluster.sh" start "$CLUSTER" >start.log 2>&1 || fail "no cluster: $(tail -6 start.log)"
	export SLURM_CONF=$CLUSTER/slurm.conf
	# whatever the repository's folder lets others see, the user has a copy of the program
	mkdir -p "$ROOT/program"
	cp "$BUILD/ablate" "$SHIM/libshim_write.so" "$ROOT/program"
	chmod 755 "$ROOT"
	chmod -R a+rX "$ROOT/program"
	ABLATE=$ROOT/program/ablate SHIM=$ROOT/program
	chown nobody . && chmod 755 .
}
as_user() { setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$PWD" USER=nobody "$@"; }
ablate() { if [ -n "${SLURM_CONF-}" ]; then as_user "$ABLATE" "$@"; else "$ABLATE" "$@"; fi; }
# A client on a busy machine may find the controller silent.
insist() { local i; for i in 1 2 3 4 5; do "$@" 2>/dev/null && return; sleep 1; done; fail "does not succeed: $*"; }
# Nothing in the queue; a client that fails on a busy machine is not an answer.
queue_empty() { local q; q=$(squeue -h -u nobody 2>/dev/null) && [ -z "$q" ]; }
# A job that waits to be requeued is started sooner than Slurm would, but not before the node has let go of its first life.
until_queue_empty() { # SECONDS [JOB]
	local until=$((SECONDS + $1)) since=$SECONDS
	until queue_empty; do
		[ $SECONDS -lt $until ] || fail "still in the queue: $(squeue -h -u nobody)"
		[ $# -lt 2 ] || [ "$(squeue -h -j "$2" -t PD -o %r 2>/dev/null)" = BeginTime ] || since=$SECONDS
		if [ $# -ge 2 ] && [ $((SECONDS - since)) -ge 3 ]; then scontrol update "jobid=$2" StartTime=now 2>/dev/null; since=$SECONDS; fi
		sleep 0.2
	done
}
teardown() { [ -z "${SLURM_CONF-}" ] || scancel -u nobody 2>/dev/null; }
over() {
	for folder in "$ROOT"/is-*; do [ ! -d "$folder" ] || "$SOURCE/ci/slurm-cluster.sh" stop "$folder" >/dev/null 2>&1; done
	rm -rf "$ROOT"
}
trap over EXIT

grid() { # STEPS SEEDS > tiny.toml: 2 arms on generated pictures, scored without weights
	cat >tiny.toml <<TOML
schema = 1
[grid]
name = "tiny"
seeds = { train = $2, eval = [101] }
[base]
data.name = "shapes8"
net = { kind = "ddpmpp", channels = 32, mult = [1], blocks = 1, attn = [4] }
train = { steps = $1, batch = 16 }
disc = { kind = "exp", s0 = 4, s1 = 8 }
[variants]
l2 = { set = { "loss.kind" = "l2" } }
[[chain]]
name = "arms"
mode = "one-at-a-time"
steps = ["l2"]
[[metric]]
name = "fid"
samples = 300
nfe = [1]
ref = "shapes8-train"
extractor = "pixels"
TOML
}

# Everything that is a result, whoever made it and in however many lives.
results() { # DB
	sql "$1" "SELECT hash, config FROM arm ORDER BY 1; SELECT hash, arm, seed, numerics, dataset FROM cell ORDER BY 1;
		SELECT cell, chain, ordinal, label, labels FROM grid_cell ORDER BY 1, 2; SELECT cell, state FROM v_attempt ORDER BY 1;
		SELECT cell, name, nfe, weights, step, eval_seed, protocol, hex, n FROM v_result ORDER BY 1, 2, 3, 6;
		SELECT DISTINCT a.cell, c.name, c.step, printf('%!.17g', c.value) FROM curve c JOIN attempt a ON a.id = c.attempt ORDER BY 1, 2, 3"
}

# An sbatch that puts a line into job scripts of tasks: the fault that a test wants.
faulty_sbatch() { # LINE
	mkdir -p bin
	cat >bin/sbatch <<SH
#!/bin/bash
script=\${!#}
case \$script in
*/task-*.sh) grep -q fault "\$script" || sed -i '2i $1 # fault' "\$script" ;;
esac
exec $(command -v sbatch) "\$@"
SH
	chmod +x bin/sbatch
}

test_four_cells_one_killed_inside_a_transaction() {
	local db='slurm[1].db' # a pattern of glob(3)
	no_sanitizers
	cluster
	grid 60 "[1, 2]"
	run ablate run tiny.toml --db local.db --threads 1
	exits 0
	# task 2, first life: SIGKILL at its 40th write to the shard's log of transactions
	faulty_sbatch "[ \"\$SLURM_ARRAY_TASK_ID\" != 2 ] || export LD_PRELOAD=$SHIM/libshim_write.so SHIM_KILL_AT=40 SHIM_PATH=.db-wal SHIM_COUNTER=$PWD/kills"
	run as_user PATH="$PWD/bin:$PATH" "$ABLATE" run tiny.toml --db "$db" --threads 1 --engine slurm --wait
	exits 1
	says err "1 missing"
	whole "$db"
	check test "$(sql "$db" "SELECT count(DISTINCT cell) FROM attempt WHERE state = 'done'")" = 3
	# what is missing is submitted again, continues from its checkpoint, and nothing else runs
	run ablate run tiny.toml --db "$db" --threads 1 --engine slurm --wait
	exits 0
	says err "submitted 1 cell "
	whole "$db"
	results local.db >local.txt
	results "$db" >merged.txt
	same local.txt merged.txt
	check test "$(wc -l <merged.txt)" -gt 100
	# again: nothing to do, nothing new
	before=$(sql "$db" "SELECT count(*) FROM attempt")
	run ablate run tiny.toml --db "$db" --threads 1 --engine slurm
	exits 0
	says err "4 done, 0 missing"
	check test "$(sql "$db" "SELECT count(*) FROM attempt")" = "$before"
	# and the merged database can be rebuilt from its journals
	run ablate merge --rebuild --db "$db"
	exits 0
	results "$db" >rebuilt.txt
	same merged.txt rebuilt.txt
}

# The first attempt of the only task, held at its first checkpoint: on a busy machine it would be done before anything reaches it.
hold_at_checkpoint() { # DB
	await 120 'grep -qs "\"checkpoint\"" '"$1"'-runs/slurm/shards/*.db-runs/*/*/journal.jsonl'
	pid=$(cat "$1"-runs/slurm/shards/*.db-runs/*/*/journal.jsonl | sed -nE 's/.*"pid": *([0-9]+).*/\1/p' | head -1)
	check kill -STOP "$pid"
}
let_go() { kill -CONT "$pid" 2>/dev/null || true; } # Slurm's own signals may have done so, and it has ended
# What the attempts of the only cell became, and that its results are those of a run that was never stopped.
went_on() { # DB STATES
	check test "$(sql "$1" "SELECT group_concat(state) FROM (SELECT state FROM attempt ORDER BY started)")" = "$2"
	check test "$(sql "$1" "SELECT resumed_step > 0 FROM attempt WHERE state = 'done'")" = 1
	run ablate run tiny.toml --only l2 --db local.db --threads 1
	results local.db >local.txt
	results "$1" >merged.txt
	same local.txt merged.txt
}
goes_on_after_a_stop() { # WHAT IS SAID
	grid 1000 "[1]"
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm
	exits 0
	says err "a task that is stopped before it is done $1"
	run ablate doctor
	says out "Slurm $(sbatch --version | grep -o '[0-9.]*$'): arrays of 1001; a task that is stopped before it is done $1"
	local job pid
	job=$(sed -nE 's/.*as job ([0-9]+),.*/\1/p' err)
	hold_at_checkpoint slurm.db
	insist scancel --signal=TERM --batch "${job}_0"
	await 120 'grep -qs "write their checkpoints" slurm.db-runs/slurm/*/log/*.out'
	run ablate status --db slurm.db
	says out "slurm $job"
	let_go
	# a requeued job waits some time unless told not to
	until_queue_empty 240 "${job}_0"
	check test "$(cat slurm.db-runs/slurm/shards/*.db-runs/*/*/journal.jsonl | grep -c '"slurm_job"')" = 2
	check test "$(stat -c %U slurm.db slurm.db-runs/slurm/shards/*.db | sort -u)" = nobody
	run ablate run tiny.toml --only l2 --db slurm.db --engine slurm
	exits 0
	went_on slurm.db stopped,done
}
test_a_task_that_is_stopped_requeues_itself_by_scontrol() {
	cluster
	goes_on_after_a_stop "requeues itself by scontrol"
}
test_a_task_that_is_stopped_is_requeued_by_its_exit_code() {
	cluster REQUEUE_EXIT=70-80
	goes_on_after_a_stop "is requeued by Slurm"
}

# Where neither is allowed, jobs that wait behind the first go on, and nobody has to come back.
test_a_chain_of_jobs_goes_on() {
	cluster
	grid 1000 "[1]"
	printf '[slurm]\nrequeue = "chain"\nchain = 3\n' >>tiny.toml
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm
	exits 0
	says err "is continued by the jobs that wait behind it"
	local jobs pid
	read -ra jobs <<<"$(sed -nE 's/.*as job ([0-9 ]+),.*/\1/p' err)"
	check test "${#jobs[@]}" = 3
	hold_at_checkpoint slurm.db
	insist scancel --signal=TERM --batch "${jobs[0]}_0"
	await 120 'grep -qs "write their checkpoints" slurm.db-runs/slurm/*/log/*.out'
	let_go
	until_queue_empty 120
	went_on slurm.db stopped,done
}

# The limit of a minute passes while the task trains: it saves, is requeued, and is done in its second life.
test_a_time_limit_costs_a_life_and_no_result() {
	cluster
	grid 1000 "[1]"
	printf '[slurm]\ntime = "1m"\n' >>tiny.toml
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm
	exits 0
	local job pid
	job=$(sed -nE 's/.*as job ([0-9]+),.*/\1/p' err)
	hold_at_checkpoint slurm.db
	await 120 'grep -qs "write their checkpoints" slurm.db-runs/slurm/*/log/*.out'
	let_go
	until_queue_empty 240 "${job}_0"
	went_on slurm.db stopped,done
}

# Slurm itself puts it back when another partition's job displaces it.
test_a_task_that_another_job_displaces_goes_on() {
	cluster
	grid 1000 "[1]"
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm --sbatch=--exclusive
	exits 0
	local job pid
	job=$(sed -nE 's/.*as job ([0-9]+),.*/\1/p' err)
	hold_at_checkpoint slurm.db
	check as_user sbatch --partition=urgent --exclusive --output=/dev/null --wrap='sleep 2' >/dev/null
	await 120 'grep -qs "write their checkpoints" slurm.db-runs/slurm/*/log/*.out'
	let_go
	until_queue_empty 240 "${job}_0"
	went_on slurm.db stopped,done
}

# The second life is on another node, of another type of processor: the result tells which steps were trained where, and verify repeats each
# life by itself.
test_a_life_on_another_processor_is_told_apart() {
	cluster NODES=2 OTHER_CPU=Another
	grid 1000 "[1]"
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm
	exits 0
	local job pid first second
	job=$(sed -nE 's/.*as job ([0-9]+),.*/\1/p' err)
	hold_at_checkpoint slurm.db
	first=$(squeue -h -j "${job}_0" -o %N)
	second=$([ "$first" = node1 ] && echo node2 || echo node1)
	insist scontrol update "nodename=$first" state=drain reason=test
	insist scancel --signal=TERM --batch "${job}_0"
	await 120 'grep -qs "write their checkpoints" slurm.db-runs/slurm/*/log/*.out'
	let_go
	until_queue_empty 240 "${job}_0"
	insist scontrol update "nodename=$first" state=resume
	check test "$(sql slurm.db "SELECT group_concat(state) FROM (SELECT state FROM attempt ORDER BY started)")" = stopped,done
	check test "$(sql slurm.db "SELECT count(DISTINCT json_extract(e.json, '$.cpu')) FROM attempt a JOIN env e ON e.hash = a.env")" = 2
	run ablate verify --db slurm.db --sample 100% --threads 1
	exits 0
	says out "Another"
}

# A shard that is lost before it was merged costs its cell alone, which is trained again; one that was merged is not missed.
test_a_shard_that_is_missing_is_trained_again() {
	cluster
	grid 60 "[1]"
	run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm
	exits 0
	insist scancel "$(sed -nE 's/.*merge as job ([0-9]+);.*/\1/p' err)"
	until_queue_empty 120
	rm -r "$(ls -d slurm.db-runs/slurm/shards/*.db-runs | head -1)"
	rm "$(ls slurm.db-runs/slurm/shards/*.db | head -1)"
	run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm --wait
	exits 0
	says err "submitted 1 cell in 1 task"
	says err "2 done, 0 missing"
	rm -r slurm.db-runs/slurm/shards
	run ablate run tiny.toml --db slurm.db --engine slurm
	exits 0
	says err "2 done, 0 missing"
	run ablate merge --rebuild --db slurm.db
	exits 0
	check test "$(sql slurm.db "SELECT count(*) FROM attempt WHERE state = 'done'")" = 2
}

# A task that cannot write says why in one line, which the merge repeats; with room, the next run finishes.
test_a_node_whose_disk_is_full() {
	cluster
	grid 1000 "[1]"
	small_disk small 3m
	chmod 777 small
	head -c 2400k /dev/zero >small/filler
	run ablate run tiny.toml --only l2 --db small/x.db --threads 1 --engine slurm --ignore-disk --wait
	exits 1
	says err "1 missing"
	says err "No space left on device"
	rm small/filler
	mount -o remount,size=100m small
	run ablate run tiny.toml --only l2 --db small/x.db --threads 1 --engine slurm --wait
	exits 0
	says err "1 done, 0 missing"
	run ablate run tiny.toml --only l2 --db local.db --threads 1
	results local.db >local.txt
	results small/x.db >merged.txt
	same local.txt merged.txt
}

# Each task has as many processes as a cell asks for, and the bits of as many on one machine.
test_several_processes_for_a_cell() {
	[ "$(nproc)" -ge 2 ] || skip "needs two processors"
	[ -e "$BUILD/libablate_mpi.so" ] || skip "built without MPI"
	cluster
	cp "$BUILD/libablate_mpi.so" "$ROOT/program"; chmod a+rX "$ROOT/program/libablate_mpi.so"
	grid 60 "[1]"
	run ablate run tiny.toml --db slurm.db --ranks 2 --threads 1 --engine slurm --wait
	exits 0
	says err "2 done, 0 missing"
	grep -hq "2 processes for each cell, started by" slurm.db-runs/slurm/*/log/*_0.out || fail "$(cat slurm.db-runs/slurm/*/log/*_0.out)"
	run ablate run tiny.toml --db local.db --ranks 2 --threads 1
	exits 0
	results local.db >local.txt
	results slurm.db >merged.txt
	same local.txt merged.txt
}

# As a person would, while it runs.
test_a_task_that_is_requeued_by_hand_goes_on() {
	cluster
	grid 1000 "[1]"
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm
	exits 0
	local job pid
	job=$(sed -nE 's/.*as job ([0-9]+),.*/\1/p' err)
	hold_at_checkpoint slurm.db
	insist scontrol requeue "${job}_0"
	await 120 'grep -qs "write their checkpoints" slurm.db-runs/slurm/*/log/*.out'
	let_go
	until_queue_empty 240 "${job}_0"
	went_on slurm.db stopped,done
}

query() { sqlite3 :memory: "SELECT $1 FROM (SELECT CAST(readfile('out') AS TEXT) AS t)"; }
queued() { squeue -h -r -u nobody -o %j | grep -vc merge; }
test_what_is_in_the_queue_is_not_submitted_again() {
	cluster
	grid 60 "[1]"
	run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm --sbatch=--hold --json
	exits 0
	says out '"already": false'
	run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm --json
	exits 0
	says out '"already": true'
	# a part of it is another plan with the same cells
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm --json
	exits 0
	says out '"already": true'
	check test "$(queued)" = 2
	# more cells than are in the queue: the others alone
	run ablate run tiny.toml --set 'seeds=[1,2]' --db slurm.db --threads 1 --engine slurm --sbatch=--hold
	exits 0
	says err "submitted 4 cells in 2 tasks"
	says err "2 more trainings are in the queue already"
	check test "$(queued)" = 4
	# the same cells with another score: behind the tasks that train them, from whose checkpoint they go on
	run ablate run tiny.toml --only l2 --set metric.nfe='[1,2]' --db slurm.db --threads 1 --engine slurm
	exits 0
	says err "submitted 1 cell in 1 task"
	check test "$(queued)" = 5
	squeue -h -u nobody -t PD -r -o %i | xargs -n1 scontrol release
	until_queue_empty 120
	run ablate status --db slurm.db --cells
	run ablate run tiny.toml --only l2 --set metric.nfe='[1,2]' --db slurm.db --engine slurm
	exits 0
	says err "1 done, 0 missing"
	run ablate run tiny.toml --set 'seeds=[1,2]' --db slurm.db --engine slurm
	exits 0
	says err "4 done, 0 missing"
	# one training each, whoever asked
	check test "$(sql slurm.db "SELECT count(*) FROM attempt WHERE resumed_from IS NULL")" = 4
}

test_jobs_belong_to_a_database() {
	cluster
	grid 60 "[1]"
	run ablate run tiny.toml --db a.db --threads 1 --engine slurm --sbatch=--hold
	exits 0
	# the same plan for another database is its own work
	run ablate run tiny.toml --db b.db --threads 1 --engine slurm --sbatch=--hold
	exits 0
	says err "submitted 2 cells"
	check test "$(queued)" = 4
	run ablate status --db a.db --json
	check test "$(query "json_extract(t, '$.slurm[0].pending')")" = 3
	# so is a copy, while the original is there
	cp -r a.db-runs c.db-runs; cp a.db c.db; chown -R nobody c.db c.db-runs
	run ablate cancel --db c.db
	exits 0
	check test "$(queued)" = 4
	run ablate cancel --db a.db
	exits 0
	await 60 '[ "$(queued)" = 2 ]'
	run ablate status --db a.db
	says_not out "slurm"
	squeue -h -u nobody -t PD -r -o %i | xargs -n1 scontrol release
	until_queue_empty 120
	run ablate status --db b.db --json
	check test "$(query "json_extract(t, '$.grids[0].states.done')")" = 2
	check test "$(sql a.db "SELECT count(*) FROM attempt")" = 0
}

# A task takes what Slurm gave it, not what it sees, and what it is told to take is asked for.
threads_of() { sql "$1" "SELECT group_concat(DISTINCT json_extract(e.json, '$.threads')) FROM attempt a JOIN env e ON e.hash = a.env"; }
test_processors_are_those_that_were_allocated() {
	cluster
	grid 60 "[1]"
	run ablate run tiny.toml --db one.db --engine slurm --wait
	exits 0
	check test "$(threads_of one.db)" = 1
	check test "$(nproc)" -ge 2 || return
	run ablate run tiny.toml --db two.db --engine slurm --threads 2 --wait
	exits 0
	check test "$(threads_of two.db)" = 2
	printf '[slurm]\ncpus = 2\n' >>tiny.toml
	run ablate run tiny.toml --db cpus.db --engine slurm --wait
	exits 0
	check test "$(threads_of cpus.db)" = 2
}

# Resources and dependencies of the user's own: the merge still comes after the tasks, and asks for little.
test_the_merge_comes_last_and_asks_for_little() {
	cluster
	grid 60 "[1]"
	local first
	first=$(as_user sbatch --parsable --hold --output=/dev/null --wrap=true)
	run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm --sbatch=--dependency="afterany:$first" --sbatch=--mem=900M \
		--sbatch=--exclusive --json
	exits 0
	local merge array
	merge=$(query "json_extract(t, '$.merge')") array=$(query "json_extract(t, '$.array')")
	scontrol -o show job "$merge" >shown
	check grep -qE "Dependency=.*afterany:${array}_\\*" shown
	check grep -qF "afterany:$first" shown
	check grep -qE "(MinMemoryNode|mem)=512M" shown
	check grep -qF "OverSubscribe=OK" shown
	scontrol release "$first"
	until_queue_empty 120
	run ablate status --db slurm.db --json
	check test "$(query "json_extract(t, '$.grids[0].states.done')")" = 2
}

# What does not fit into the queue is told, what was accepted is merged, and the next run submits the rest.
test_a_full_queue_takes_a_part() {
	cluster MAX_ARRAY=2 MAX_JOBS=6 MIN_AGE=2
	grid 60 "[1, 2, 3, 4]"
	run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm --sbatch=--hold
	exits 1
	says err "tasks were not accepted"
	check test "$(queued)" -lt 8
	squeue -h -u nobody -t PD -r -o %i | xargs -n1 scontrol release
	until_queue_empty 120
	local rounds=0
	while [ $rounds -lt 4 ]; do
		run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm --wait
		[ "$code" -ne 0 ] || break
		rounds=$((rounds + 1))
	done
	check test "$(sql slurm.db "SELECT count(DISTINCT cell) FROM attempt WHERE state = 'done'")" = 8
	check test "$(sql slurm.db "SELECT count(*) FROM attempt")" = 8
}

test_a_controller_that_is_gone() {
	cluster
	grid 60 "[1]"
	run as_user SLURM_CONF="$CLUSTER/gone.conf" "$ABLATE" run tiny.toml --db slurm.db --engine slurm
	exits 2
	lines_of err 1
	sed "s/^SlurmctldPort=.*/SlurmctldPort=1/" "$SLURM_CONF" >"$CLUSTER/gone.conf"
	run as_user SLURM_CONF="$CLUSTER/gone.conf" "$ABLATE" run tiny.toml --db slurm.db --engine slurm
	exits 2
	lines_of err 1
	check test -z "$(ls -d slurm.db* 2>/dev/null)"
}

test_a_refusal_is_told_in_its_own_words() {
	cluster
	grid 60 "[1]"
	run ablate run tiny.toml --db slurm.db --engine slurm --sbatch=--partition=nowhere
	exits 2
	says err "sbatch refused"
	says err "partition"
	lines_of err 1
	printf '[slurm]\naccount = "not this one"\n' >>tiny.toml
	run ablate run tiny.toml --db slurm.db --engine slurm
	exits 2
	says err "tiny.toml:23:11: account: a word without blanks"
	until_queue_empty 60
}

test_without_slurm_it_is_said_and_nothing_is_written() {
	grid 60 "[1]"
	mkdir empty
	run env PATH="$PWD/empty" "$ABLATE" run tiny.toml --db none.db --engine slurm
	exits 2
	says err "sbatch is not installed"
	check test -z "$(ls -d none.db* 2>/dev/null)"
}

test_a_controller_that_does_not_answer() {
	grid 60 "[1]"
	mkdir bin
	printf '#!/bin/sh\nexec sleep 60\n' >bin/sbatch
	chmod +x bin/sbatch
	run env PATH="$PWD/bin:$PATH" "$ABLATE" run tiny.toml --db none.db --engine slurm
	exits 2
	says err "no answer"
}

run_tests
