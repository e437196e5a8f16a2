#!/bin/bash
# keep.sh - time and space of a study: checkpoints by time, a database that another program has locked, a disk that is too
# small for what is planned, and what `ablate prune` removes.
. "$(dirname "$0")/lib.sh"

# A crash may cost the interval, not a tenth of a long training; where checkpoints are must not show in the result.
test_checkpoints_by_time() {
	small_grid 60
	run ablate run g.toml --db steps.db --jobs 1; exits 0
	run ablate run g.toml --db time.db --jobs 1 --set budget.cell.checkpoint=0.01s; exits 0
	few=$(sql steps.db "SELECT count(*) FROM checkpoint") many=$(sql time.db "SELECT count(*) FROM checkpoint")
	check test "$many" -gt "$few"
	for db in steps time; do
		sql $db.db "SELECT a.cell, c.step, c.artifact FROM checkpoint c JOIN attempt a ON a.id = c.attempt WHERE c.step IN(25, 50, 60) ORDER BY 1, 2" >$db.at
	done
	lines_of steps.at 6
	same steps.at time.at
	run ablate verify --sample 100% --db time.db; exits 0
	says out "2 passed"
	# 0s: by steps alone, as before there was the key
	run ablate run g.toml --db none.db --jobs 1 --set budget.cell.checkpoint=0s; exits 0
	check test "$(sql none.db "SELECT count(*) FROM checkpoint")" -eq "$few"
}

run_tests "$@"
