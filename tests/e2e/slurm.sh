#!/bin/bash
# slurm.sh - the Slurm engine on a real cluster, which is as Slurm comes: an array on shards, a task killed inside a transaction, tasks
# that are stopped and go on, whose the jobs in the queue are, the merge, and the same bits
# as a local run. The daemons run as root, everything else as the ordinary user nobody. Installs slurm-wlm and munge if it may.
# ctest: slow, a cluster, whose daemons take their time
# ctest: serial
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/slurm_lib.sh"

test_four_cells_one_killed_inside_a_transaction() {
	local db='slurm[1].db' # a pattern of glob(3)
	no_sanitizers
	cluster
	grid 60 "[1, 2]"
	run ablate run tiny.toml --db local.db --threads 1
	exits 0
	# task 2: SIGKILL at its 40th write to the shard's log of transactions, in each life that Slurm may give it: a node that
	# is silent for long is taken for a dead one, and what ran there is requeued
	faulty_sbatch "[ \"\$SLURM_ARRAY_TASK_ID\" != 2 ] || export LD_PRELOAD=$SHIM/libshim_write.so SHIM_KILL_AT=40 SHIM_PATH=.db-wal"
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

goes_on_after_a_stop() { # WHAT IS SAID
	grid 1000 "[1]"
	run ablate run tiny.toml --only l2 --db slurm.db --threads 1 --engine slurm
	exits 0
	says err "a task that is stopped before it is done $1"
	local job pid
	job=$(sed -nE 's/.*as job ([0-9]+),.*/\1/p' err)
	run ablate doctor
	says out "Slurm $(sbatch --version | grep -o '[0-9.]*$'): arrays of 1001; a task that is stopped before it is done $1"
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

# Each task has as many processes as a cell asks for, and the bits of as many on one machine.
test_several_processes_for_a_cell() {
	[ "$(nproc)" -ge 2 ] || skip "needs two processors"
	[ -e "$BUILD/libablate_mpi.so" ] || skip "built without MPI"
	cluster
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
