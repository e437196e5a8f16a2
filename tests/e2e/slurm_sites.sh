#!/bin/bash
# slurm_sites.sh - what happens to tasks on clusters that others set up: a time limit, another job's priority, an operator, a node of
# another type, a full disk, a full queue. As slurm.sh, and slower.
# ctest: nightly, minutes of waiting for Slurm
# ctest: serial
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm_lib.sh"

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
	local job pid first
	job=$(sed -nE 's/.*as job ([0-9]+),.*/\1/p' err)
	hold_at_checkpoint slurm.db
	first=$(squeue -h -j "${job}_0" -o %N)
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

run_tests
