#!/bin/bash
# slurm_ranks.sh - several processes for one cell in a task of Slurm, on a real cluster of one node: started by srun, or by mpirun where
# srun cannot; the same bits as by mpirun outside; a process that is killed, a task that is stopped and goes on. The daemons run as
# root, everything else as the ordinary user nobody. Installs slurm-wlm and munge if it may.
# ctest: slow, a cluster of one node, whose daemons take their time
# ctest: serial
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm_lib.sh"

mpi_cluster() {
	[ "$(nproc)" -ge 2 ] || skip "needs two processors"
	[ -e "$BUILD/libablate_mpi.so" ] && command -v mpirun >/dev/null || skip "no MPI here"
	no_sanitizers
	cluster "$@"
}
grid() { # STEPS
	small_grid "$1" 8
	sed -i 's/train = \[1, 2\]/train = [1]/' g.toml
}
# Submits the plan's first cell as `ablate run --engine slurm` does a task: g.db, and out for what the task prints.
submit() { # TASKS [LINE OF THE SCRIPT [OPTION OF SBATCH]]
	run ablate plan g.toml --db g.db --freeze g.plan.json
	exits 0
	cat >task.sh <<-SH
	#!/bin/sh
	export PATH='$PATH' HOME='$PWD' SLURM_CONF='$SLURM_CONF' ABLATE_KEY=none ABLATE_CACHE='$ABLATE_CACHE'
	${2-}
	exec '$ABLATE' slurm-task g.plan.json --db g.db --base 0 --ranks 2 --threads 1 --device cpu
	SH
	job=$(as_user sbatch --parsable --requeue --open-mode=append --signal=B:TERM@120 --export=NIL --array=0 --nodes=1 \
		--ntasks="$1" ${3-} --cpus-per-task=1 --chdir="$PWD" --output=task.out task.sh) || fail "sbatch refused"
}
state() { squeue -h -j "$job" -o %t 2>/dev/null; }
# A job that waits to be requeued is started at once; but its steps are numbered as before, and PMIx has a socket of that name until the
# daemon of a step is gone. Two minutes later, as without us, it is.
over_within() { # SECONDS
	local until=$((SECONDS + $1))
	while [ -n "$(state)" ]; do
		[ $SECONDS -lt $until ] || fail "still in the queue: $(squeue -h -j "$job"); $(tail -3 task.out)"
		[ "$(squeue -h -j "$job" -t PD -o %r 2>/dev/null)" != BeginTime ] || pgrep -f "^slurmstepd: \[$job\." >/dev/null ||
			scontrol update "jobid=${job}_0" StartTime=now 2>/dev/null
		sleep 0.2
	done
}
exit_code() { scontrol -o show job "$job" | sed -nE 's/.* ExitCode=([0-9]+):.*/\1/p'; }
shard() { ls g.db-runs/slurm/*/*.db; }
at_work() { grep -qs '"t":"curve"' g.db-runs/slurm/*/*.db-runs/*/*/journal.jsonl; }
process_of() { # RANK: its number in /proc
	local p
	for p in $(pgrep -x ablate); do
		[ "$(readlink /proc/$p/cwd)" = "$PWD" ] && grep -qzx worker /proc/$p/cmdline && grep -qzx "SLURM_PROCID=$1" /proc/$p/environ && echo $p
	done
}
losses() { sql "$1" "SELECT DISTINCT step, printf('%!.17g', value) FROM curve WHERE name = 'loss' ORDER BY step"; } # DB

test_the_bits_are_those_of_mpirun_outside() {
	mpi_cluster
	grid 60
	run ablate run g.toml --db local.db --threads 1 --ranks 2
	exits 0
	submit 2
	over_within 120
	check [ "$(exit_code)" = 0 ]
	says task.out "2 processes for each cell, started by srun --mpi=pmix"
	check [ "$(sql "$(shard)" "SELECT json_extract(json, '\$.ranks') FROM env")" = 2 ]
	losses local.db >local.txt; losses "$(shard)" >task.txt
	check [ "$(wc -l <local.txt)" -ge 50 ]
	same local.txt task.txt
	results local.db >local.txt; results "$(shard)" >task.txt
	check [ -s local.txt ]
	same local.txt task.txt
}

test_without_pmix_it_is_mpirun() {
	mpi_cluster
	grid 20
	mkdir bin
	cat >bin/srun <<-SH
	#!/bin/sh
	[ "\$1" != --mpi=list ] || { printf 'MPI plugin types are...\n\tnone\n\tpmi2\n'; exit; }
	exec $(command -v srun) "\$@"
	SH
	chmod +x bin/srun
	submit 2 "export PATH='$PWD/bin:$PATH'"
	over_within 120
	check [ "$(exit_code)" = 0 ]
	says task.out "2 processes for each cell, started by mpirun"
	says task.out "srun offers nothing by which its processes could find each other"
	run ablate run g.toml --db local.db --threads 1 --ranks 2
	losses local.db >local.txt; losses "$(shard)" >task.txt
	same local.txt task.txt
}

test_a_job_that_is_too_small() {
	mpi_cluster
	grid 20
	submit 1
	over_within 60
	check [ "$(exit_code)" = 2 ]
	says task.out "the job has no room for 2 processes: submit it with --ntasks=2"
}

# Two devices that Slurm takes for GPUs. A process picks its own by its number, so it has to see both, however they were asked for.
test_each_process_sees_all_gpus_of_the_job() {
	local option rank
	mpi_cluster
	"$SOURCE/ci/slurm-cluster.sh" stop "$CLUSTER" >/dev/null
	printf 'Name=gpu File=%s\n' /dev/zero /dev/full >"$CLUSTER/gres.conf"
	sed -i 's/^\(NodeName=.*\) State=/GresTypes=gpu\n\1 Gres=gpu:2 State=/' "$SLURM_CONF"
	rm -rf "$CLUSTER"/state/*
	"$SOURCE/ci/slurm-cluster.sh" start "$CLUSTER" >start.log 2>&1 || fail "no cluster: $(tail -6 start.log)"
	grid 100000
	for option in --gpus-per-node=2 --gpus-per-task=1 --gres=gpu:2; do
		rm -rf g.db* task.out
		submit 2 "" $option
		await 120 at_work
		for rank in 0 1; do
			check grep -qzx CUDA_VISIBLE_DEVICES=0,1 "/proc/$(process_of $rank)/environ"
			check grep -qzx SLURM_LOCALID=$rank "/proc/$(process_of $rank)/environ"
		done
		check scancel "$job"
		over_within 60
	done
}

test_a_killed_process_is_named() {
	local rank
	mpi_cluster
	grid 100000
	for rank in 1 0; do
		rm -rf g.db* task.out
		submit 2
		await 120 at_work
		check kill -KILL "$(process_of $rank)"
		over_within 60
		check [ "$(exit_code)" = 1 ]
		says task.out "rank $rank was killed by signal 9 (Killed)"
		check [ "$(sql "$(shard)" "SELECT state || signal FROM attempt WHERE reason = 'rank $rank was killed by signal 9 (Killed), by hand or for want of memory'")" = killed9 ]
	done
}

# Both processes are held until the stop has reached them: on a busy machine they would be done before.
test_a_task_that_is_stopped_goes_on_to_the_same_bits() {
	mpi_cluster REQUEUE_EXIT=75
	grid 400
	run ablate run g.toml --db whole.db --threads 1 --ranks 2
	exits 0
	submit 2
	await 120 'grep -qs "\"checkpoint\"" g.db-runs/slurm/*/*.db-runs/*/*/journal.jsonl'
	local held="$(process_of 0) $(process_of 1)"
	check kill -STOP $held
	check scancel --signal=TERM --batch "${job}_0"
	await 60 'grep -qs "write their checkpoints" task.out'
	check kill -CONT $held
	over_within 240
	check [ "$(exit_code)" = 0 ]
	check [ "$(sql "$(shard)" "SELECT group_concat(state || exit_code) FROM (SELECT state, exit_code FROM attempt ORDER BY n)")" = stopped75,done0 ]
	check [ "$(sql "$(shard)" "SELECT resumed_step > 0 FROM attempt WHERE state = 'done'")" = 1 ]
	check [ "$(scontrol -o show job "$job" | sed -nE 's/.* Restarts=([0-9]+) .*/\1/p')" = 1 ]
	losses whole.db >local.txt; losses "$(shard)" >task.txt
	same local.txt task.txt
}

run_tests
