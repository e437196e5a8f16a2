# slurm_lib.sh - what the scripts that need a real cluster share: it is started by the first test that asks for it, as the ordinary user
# nobody uses it, and stopped at the end. Sourced after lib.sh.
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
	[ ! -e "$BUILD/libablate_mpi.so" ] || cp "$BUILD/libablate_mpi.so" "$ROOT/program"
	chmod 755 "$ROOT"
	chmod -R a+rX,go-w "$ROOT/program"
	ABLATE=$ROOT/program/ablate SHIM=$ROOT/program
	chown nobody . && chmod 755 .
}
as_user() { setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$PWD" TMPDIR="$PWD" USER=nobody "$@"; }
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
query() { sqlite3 :memory: "SELECT $1 FROM (SELECT CAST(readfile('out') AS TEXT) AS t)"; }
queued() { squeue -h -r -u nobody -o %j | grep -vc merge; }
