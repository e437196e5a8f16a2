#!/bin/bash
# slurm.sh - the Slurm engine on a real cluster of one node: an array on shards, a task killed inside a transaction, a task
# that is stopped and requeues itself, the merge, and the same bits as a local run. The daemons run as root, everything else
# as the ordinary user nobody. Installs slurm-wlm and munge if it may.
# ctest: slow, a cluster of one node, whose daemons take their time
# ctest: serial
. "$(dirname "$0")/lib.sh"

CLUSTER=$(mktemp -d "${TMPDIR:-/tmp}/ablate-slurm-XXXXXX")
cluster() { # started by the first test that needs it
	[ "$(id -u)" -eq 0 ] || skip "needs root to start daemons"
	[ -n "$(ls /sys/fs/cgroup 2>/dev/null)" ] || skip "no control groups here, which slurmd wants to see"
	"$SOURCE/ci/setup.sh" slurm >setup.log 2>&1 || skip "slurm-wlm and munge cannot be installed here"
	"$SOURCE/ci/slurm-cluster.sh" start "$CLUSTER" >start.log 2>&1 || fail "no cluster: $(tail -6 start.log)"
	export SLURM_CONF=$CLUSTER/slurm.conf
	# whatever the repository's folder lets others see, the user has a copy of the program
	mkdir -p "$CLUSTER/bin"
	cp "$BUILD/ablate" "$SHIM/libshim_write.so" "$CLUSTER/bin"
	chmod -R a+rX "$CLUSTER/bin"
	ABLATE=$CLUSTER/bin/ablate SHIM=$CLUSTER/bin
	chown nobody . && chmod 755 .
}
as_user() { setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$PWD" USER=nobody "$@"; }
ablate() { if [ -n "${SLURM_CONF-}" ]; then as_user "$ABLATE" "$@"; else "$ABLATE" "$@"; fi; }
# A client on a busy machine may find the controller silent.
insist() { local i; for i in 1 2 3 4 5; do "$@" 2>/dev/null && return; sleep 1; done; fail "does not succeed: $*"; }
# Nothing in the queue; a client that fails on a busy machine is not an answer.
queue_empty() { local q; q=$(squeue -h -u nobody 2>/dev/null) && [ -z "$q" ]; }
until_queue_empty() { # SECONDS [JOB]: JOB is started at once when it waits to be requeued
	local until=$((SECONDS + $1))
	until queue_empty; do
		[ $SECONDS -lt $until ] || fail "still in the queue: $(squeue -h -u nobody)"
		[ $# -lt 2 ] || [ "$(squeue -h -j "$2" -t PD -o %r 2>/dev/null)" != BeginTime ] || scontrol update "jobid=$2" StartTime=now 2>/dev/null
		sleep 0.2
	done
}
teardown() { [ -z "${SLURM_CONF-}" ] || scancel -u nobody 2>/dev/null; }
over() { "$SOURCE/ci/slurm-cluster.sh" stop "$CLUSTER" >/dev/null 2>&1; rm -rf "$CLUSTER"; }
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

# The task is held at its first checkpoint until the stop has reached it: on a busy machine it would be done before.
test_a_task_that_is_stopped_requeues_itself_and_goes_on() {
	cluster
	grid 1000 "[1]"
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm
	exits 0
	local job pid
	job=$(sed -nE 's/.*as job ([0-9]+),.*/\1/p' err)
	await 120 'grep -qs "\"checkpoint\"" slurm.db-runs/slurm/*/*.db-runs/*/*/journal.jsonl'
	pid=$(cat slurm.db-runs/slurm/*/*.db-runs/*/*/journal.jsonl | sed -nE 's/.*"pid": *([0-9]+).*/\1/p' | head -1)
	check kill -STOP "$pid"
	insist scancel --signal=TERM --batch "${job}_0"
	await 120 'grep -qs "write their checkpoints" slurm.db-runs/slurm/*/log/*.out'
	run ablate status --db slurm.db
	says out "slurm $job"
	check kill -CONT "$pid"
	# a requeued job waits some time unless told not to
	until_queue_empty 240 "${job}_0"
	check test "$(cat slurm.db-runs/slurm/*/*.db-runs/*/*/journal.jsonl | grep -c '"slurm_job"')" = 2
	check test "$(stat -c %U slurm.db "slurm.db-runs/slurm/"*/*.db | sort -u)" = nobody
	run ablate run tiny.toml --only l2 --db slurm.db --engine slurm
	exits 0
	check test "$(sql slurm.db "SELECT group_concat(state) FROM (SELECT state FROM attempt ORDER BY started)")" = stopped,done
	check test "$(sql slurm.db "SELECT resumed_step > 0 FROM attempt WHERE state = 'done'")" = 1
	run ablate run tiny.toml --only l2 --db local.db --threads 1
	results local.db >local.txt
	results slurm.db >merged.txt
	same local.txt merged.txt
}

test_the_same_plan_is_not_submitted_twice() {
	cluster
	grid 3000 "[1]"
	run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm --sbatch=--hold --json
	exits 0
	says out '"already": false'
	run ablate run tiny.toml --db slurm.db --threads 1 --engine slurm --json
	exits 0
	says out '"already": true'
	run ablate cancel --db slurm.db
	exits 0
	until_queue_empty 60
}

test_a_refusal_is_told_in_its_own_words() {
	cluster
	grid 60 "[1]"
	run ablate run tiny.toml --db slurm.db --engine slurm --sbatch=--partition=nowhere
	exits 2
	says err "sbatch refused"
	says err "partition"
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
