#!/bin/bash
# many.sh - the shards of very many Slurm tasks are collected: everything is taken, once, and what is damaged, or whose task is at
# work, costs itself alone. Of a hundred thousand cells (15 GB for a while): CELLS=100000 tests/e2e/many.sh test_many_shards
# ctest: heavy, thousands of files
. "$(dirname "$0")/lib.sh"

FAKE="$BUILD/tests/fake-shards"
CELLS=${CELLS:-2500} # more than are taken in one transaction
SHARDS=m.db-runs/slurm/shards

of_cells() { sql "$1" "SELECT count(*) FROM attempt WHERE state = 'done' AND journal IS NOT NULL"; }
agrees() { run ablate merge --check --db "$1"; exits 0; says out "all agree"; } # DB

test_many_shards() {
	run "$FAKE" make m.db "$CELLS"; exits 0
	run "$FAKE" collect m.db; exits 0
	cat err
	says out "$CELLS shards, 0 busy, 0 left out"
	check test "$(of_cells m.db)" -eq "$CELLS"
	check test "$(sql m.db "SELECT count(*) FROM grid_cell")" -eq "$CELLS"
	check test "$(sql m.db "SELECT count(*) FROM curve")" -eq $((12 * CELLS))
	check test "$(sql m.db "SELECT count(*) FROM cell WHERE training IS NULL")" -eq 0
	# no database of a shard was made: its journals are all sealed
	check test "$(find $SHARDS -maxdepth 1 -name '*.db' -size +0 | wc -l)" -eq 0
	check test "$(ls m.db-runs/*/*/step-00000012.ckpt | wc -l)" -eq "$CELLS"
	check test "$(find m.db-runs -name '*.tmp-*' | wc -l)" -eq 0
	agrees m.db
	run "$FAKE" collect m.db; exits 0
	cat err
	says out "$CELLS shards, 0 busy, 0 left out, 0 rows"
	# the same by `merge` of a run folder
	mkdir runs && mv m.db-runs/[0-9a-f]* runs/
	run ablate merge --db n.db runs; exits 0
	says out "$CELLS journals taken"
	check test "$(of_cells n.db)" -eq "$CELLS"
	run ablate merge --db n.db runs; exits 0
	says out "$CELLS journals taken, 0 new rows, $CELLS with nothing new"
	agrees n.db
}

# One shard of each kind among many; the next collection takes what can be taken by then.
test_what_is_amiss_costs_itself_alone() {
	local damaged busy unsealed journals
	run "$FAKE" make m.db 40; exits 0
	mapfile -t journals < <(ls $SHARDS/*/*/*/journal.jsonl)
	damaged=${journals[3]} unsealed=${journals[7]} busy=${journals[11]%/*/*/*}
	cp "$damaged" whole
	sed -i 's/"fid"/"fie"/' "$damaged"
	sed -i '/"t":"end"/d; /"t":"seal"/d' "$unsealed" # its node was lost
	touch -d '10 minutes ago' "$unsealed"
	exec 9<>"$busy/lock"
	python3 -c 'import fcntl, os, struct, sys; fcntl.fcntl(9, 37, struct.pack("hhqqi4x", 1, 0, 0, 0, 0))' # F_OFD_SETLK
	run "$FAKE" collect m.db; exits 0
	says out "39 shards, 1 busy, 1 left out"
	says err "$damaged: changed after it was sealed"
	check test "$(of_cells m.db)" -eq 37
	check test "$(sql m.db "SELECT count(*) FROM attempt WHERE state = 'lost' AND journal IS NOT NULL")" -eq 1
	exec 9>&-
	cp whole "$damaged"
	run "$FAKE" collect m.db; exits 0
	says out "40 shards, 0 busy, 0 left out"
	check test "$(of_cells m.db)" -eq 39
	agrees m.db
}

run_tests
