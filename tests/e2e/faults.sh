#!/bin/bash
# faults.sh - a grid on a machine that gives way: no memory, a disk with errors, a file system that vanishes or is another
# one than the database's, paths longer than SQLite's. Each says in one line what it was, loses nothing that was recorded,
# and the next run goes on to the results of one that was never disturbed.
# ctest: slow, a cell for each fault and file
. "$(dirname "$0")/lib.sh"

reasons() { sql "$1" "SELECT coalesce(reason, '') FROM attempt WHERE state <> 'done'"; }
undisturbed() { # STEPS
	small_grid "$1"
	run ablate run g.toml --db good.db --threads 1 -q; exits 0
	results good.db >good.txt
	lines_of good.txt 2
}
goes_on() { # DB
	run ablate run g.toml --db "$1" --threads 1 -q; exits 0
	results "$1" >now.txt; same good.txt now.txt
	check test "$(sql "$1" "SELECT count(*) FROM attempt WHERE state = 'running'")" -eq 0
	run ablate merge --check --db "$1"; exits 0
	run ablate merge --rebuild --db "$1"; exits 0; says out "identical to before"
}

# The worker's own allocations: the runner's are smaller.
test_out_of_memory_in_a_cell() {
	no_sanitizers
	undisturbed 4
	run env LD_PRELOAD="$SHIM/libshim_alloc.so" SHIM_FAIL_AT=1 SHIM_MIN=1000000 "$ABLATE" run g.toml --db o.db --threads 1 -q
	exits 1
	check test "$(reasons o.db | grep -c 'its log ends with: ablate: out of memory (asked for')" -eq 2
	goes_on o.db
}

# OpenBLAS, refused the memory of its buffers, asks for them for ever.
test_a_limit_of_address_space() {
	no_sanitizers
	undisturbed 4
	run timeout 60 bash -c "ulimit -v 260000; exec '$ABLATE' run g.toml --db o.db --threads 1 -q"
	exits 1
	check test "$(reasons o.db | grep -c 'out of memory: OpenBLAS wants 129 MiB of address space in each of 1 thread; raise the limit')" -eq 2
	goes_on o.db
}

# Whatever file of a cell has the error, and at whichever write: what the attempt left is in the record, with the reason.
test_a_disk_with_errors() {
	local error file at failed=0
	undisturbed 4
	for error in EIO ESTALE; do
		for file in journal.jsonl step- samples result ledger; do
			for at in 1 2 4; do
				[ $error = EIO ] || [ $at -eq 1 ] || continue
				rm -rf o.db*
				run with_shim SHIM_FAIL_AT=$at SHIM_ERRNO=$error SHIM_PATH=$file "$ABLATE" run g.toml --db o.db --threads 1 -q
				[ "$code" -ne 0 ] || continue
				failed=$((failed + 1))
				{ cat err; reasons o.db; } >said 2>/dev/null
				grep -qE "$file.*(Input/output error|Stale file handle)" said || fail "$error of $file at $at: $(cat said)"
				says_not err "BUG"
				goes_on o.db
			done
		done
	done
	check test $failed -gt 12
	echo "    $failed runs with errors"
}

# As a mount over a network does it: all that is opened later is missing, and what is open goes on.
test_a_file_system_that_vanishes() {
	local pid when
	no_sanitizers # long training
	undisturbed 1500
	mkdir real disk
	# when the cell has its folder, when it has its journal, and when the database knows of it
	for when in 'ls -d disk/o.db-runs/????????????/*' 'ls disk/o.db-runs/*/*/journal.jsonl' \
		'sqlite3 disk/o.db "SELECT id FROM attempt"'; do
		rm -rf real/*
		mount --bind real disk 2>/dev/null || skip "cannot mount here"
		ablate run g.toml --db disk/o.db --threads 1 -q >out 2>err &
		pid=$!
		await 30 '[ -n "$('"$when"' 2>/dev/null)" ]'
		umount -l disk
		code=0
		wait $pid || code=$?
		exits 5
		lines_of err 1
		says err "disk/o.db-runs: the folder of the records is gone"
		says err "run again"
		check test -z "$(ls disk)" # nothing is begun in the folder that the mount has covered
		await 30 '! pgrep -f "ablate worker disk/o.db-runs"'
	done
	mount --bind real disk
	mounts+=("$PWD/disk")
	goes_on disk/o.db
}

# The records, which are large, on another disk than the database: by a link.
test_records_on_another_file_system() {
	undisturbed 4
	small_disk other 64m
	ln -s other o.db-runs
	goes_on o.db
	run ablate verify --db o.db --sample 100%; exits 0
	run ablate report g.toml --db o.db -o r.html; exits 0
	run ablate export --db o.db -o crate; exits 0
	run ablate prune --db o.db --all --yes; exits 0
	run ablate merge --check --db o.db; exits 0
	# and taken in from there, where no file can have two names
	run ablate merge --db p.db o.db-runs; exits 0
	results p.db >now.txt; same good.txt now.txt
}

# SQLite takes 512 characters with the folders and says "unable to open" of more; everything else takes what the system does.
test_long_paths() {
	local part long
	part=$(printf 'abcdefghi%.0s' {1..22})
	long=$PWD/$part/$part/$part
	undisturbed 4
	mkdir -p "$long" && cp g.toml "$long"
	for command in "run g.toml" "merge --rebuild" "verify --sample 10%" "table g.toml"; do
		(
			cd "$long" && mkdir -p ablate.db-runs || exit 1
			run ablate $command
			[ "$command" = "table g.toml" ] && { exits 0; exit 0; }
			exits 5
			lines_of err 1
			says err "name a shorter one by --db"
		) || exit 1
	done
	export ABLATE_CACHE=$long/cache
	run ablate run "$long/g.toml" --db o.db --threads 1 -q; exits 0
	results o.db >now.txt; same good.txt now.txt
	run ablate table "$long/g.toml" --db o.db -o "$long/t.md"; exits 0; check test -s "$long/t.md"
	run ablate report "$long/g.toml" --db o.db -o "$long/r.html"; exits 0; check test -s "$long/r.html"
	run ablate export --db o.db -o "$long/crate"; exits 0
	run ablate sample "$(sql o.db "SELECT id FROM attempt LIMIT 1")" --db o.db --n 4 -o "$long/s.npz"; exits 0
	run ablate features "$long/s.npz" --extractor pixels -o "$long/f.npz"; exits 0; check test -s "$long/f.npz"
}

run_tests
