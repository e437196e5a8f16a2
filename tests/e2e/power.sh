#!/bin/bash
# power.sh - the power goes at random moments: of what was written only what was synced is there, and only under names whose folder
# was synced. The next run loses at most what was never confirmed, database and journals agree, and the results are those of a
# run that was never disturbed.
# ctest: slow, a run and a rebuild for each cut
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || { echo "0 passed, 0 failed, 1 skipped: no python3 here"; exit 77; }

FAKE="$BUILD/tests/run-fake"
CELLS=5
CUTS=${CUTS:-40} STEP=${STEP:-3} # CUTS=300 STEP=1 for a night

# restore.py DISK TO WAS SEED: a folder as it is when the power is back. With SEED > 0 some of what was not synced is there, too: of
# a file that only grew, the first bytes of the new ones; of any other, each page as it was or as it had become.
restorer() {
	cat >restore.py <<'PY'
import os, random, sys

disk, to, was, seed = sys.argv[1:]
random.seed(int(seed))
PAGE = 4096

def content(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""

def lucky(old, new):
    if new.startswith(old):
        return new[:random.randint(len(old), len(new))]
    pages = range(0, max(len(old), len(new)), PAGE)
    return b"".join(random.choice((old, new))[at:at + PAGE] for at in pages)

def key(path):
    s = os.stat(path)
    found = [k for k in os.listdir(os.path.join(disk, "folders")) if k.startswith("%d-" % s.st_ino) and ".part-" not in k]
    return max(found, key=lambda k: float(k.split("-")[1])) if found else ""

def folder(k, to, was):
    os.makedirs(to, exist_ok=True)
    for line in content(os.path.join(disk, "folders", k)).decode().splitlines() if k else []:
        kind, child, name = line.split(" ", 2)
        if kind == "d":
            folder(child, os.path.join(to, name), os.path.join(was, name))
            continue
        old, there = content(os.path.join(disk, "files", child)), os.path.join(was, name)
        same = os.path.exists(there) and child.startswith("%d-" % os.stat(there).st_ino)
        with open(os.path.join(to, name), "wb") as f:
            f.write(lucky(old, content(there)) if same and int(seed) else old)

folder(key(was), to, was)
PY
}

# Runs the words in ./was, cut before the N-th event, or after the N-th sync; makes ./now of what is left. $cut: was there still something to cut?
cut() { # AT|AFTER N COMMAND...
	local when=SHIM_CUT_$1=$2
	shift 2
	rm -rf was now disk count
	mkdir -p was disk/files disk/folders
	cut=1
	{ (cd was && exec setsid --wait env LD_PRELOAD="$SHIM/libshim_power.so" SHIM_DISK="$PWD/../disk" SHIM_PATH="$PWD" SHIM_COUNTER="$PWD/../count" \
		"$when" "$@") >said 2>&1; } 2>/dev/null && cut=0
	python3 restore.py disk now was "$luck"
}

# What the cut run said is done is there and stays: the attempt that it named.
nothing_confirmed_is_lost() { # DB
	local cell attempt
	while read -r cell; do
		attempt=$(sed -n "s/^.*($cell): started, attempt \([0-9a-f]*\).*/\1/p" said | tail -1)
		[ "$(sql "$1" "SELECT count(*) FROM attempt WHERE state = 'done' AND id LIKE '$attempt%'")" -eq 1 ] ||
			fail "$cell was said to be done by attempt $attempt: $(sql "$1" "SELECT id, state, reason FROM attempt WHERE cell LIKE '$cell%'")"
	done < <(sed -n 's/^.*(\([0-9a-f]\{12\}\)): done in.*/\1/p' said)
}
agrees() { # DB
	run ablate merge --check --db "$1"; exits 0
	run ablate merge --rebuild --db "$1"; exits 0; says out "identical to before"
}

# Pictures and samples of what is done are there, byte by byte.
files_are_whole() { # DB
	local attempt role sha
	while IFS='|' read -r attempt role sha; do
		sha256sum "$1"-runs/*/"$attempt"/* 2>/dev/null | grep -q "^$sha " || fail "$role of $attempt is not there, or is another file"
		written=$((written + 1))
	done < <(sql "$1" "SELECT a.id, o.role, o.artifact FROM output o JOIN attempt a ON a.id = o.attempt WHERE a.state = 'done'")
}

events() { od -An -tu8 -N8 count | tr -d ' '; }
goes_on() { # after the cut: the next run
	run "$FAKE" now/k.db $CELLS 2 0; exits 0
	nothing_confirmed_is_lost now/k.db
	results now/k.db >now.txt; same good.txt now.txt
	check test "$(sql now/k.db "SELECT count(*) FROM attempt WHERE state = 'running'")" -eq 0
	agrees now/k.db
}

# What is synced first must not depend on what is synced later. Its steps take their time, so that the database hears of journals
# that still grow.
test_the_power_goes_after_a_sync() {
	local n cuts=0 luck=0
	no_sanitizers
	restorer
	run "$FAKE" good.db $CELLS 2 0; exits 0; results good.db >good.txt
	# each at first, where everything is new
	for ((n = 1; n < 1000; n += n < 30 ? 1 : STEP)); do
		cut AFTER $n "$FAKE" k.db $CELLS 2 25
		[ $cut -eq 1 ] || break
		cuts=$((cuts + 1))
		goes_on
	done
	check test $cuts -gt $((60 / STEP))
	echo "    $cuts cuts"
}

test_the_power_goes_at_any_moment() {
	local n at events luck=0
	no_sanitizers
	restorer
	run "$FAKE" good.db $CELLS 2 0; exits 0; results good.db >good.txt
	cut AT 1000000000 "$FAKE" k.db $CELLS 2 0
	check test $cut -eq 0
	events=$(events)
	check test "$events" -gt 100
	RANDOM=7
	for ((n = 0; n < CUTS; n++)); do
		# half of them where the database takes its log in
		at=$((n % 2 ? events - RANDOM % 30 : RANDOM % events))
		luck=$((n / 2 % 3 ? n : 0))
		cut AT $((at + 1)) "$FAKE" k.db $CELLS 2 0
		[ $cut -eq 1 ] || continue
		goes_on
	done
	echo "    $CUTS cuts in $events writes, syncs and renames"
}

# Merged is merged: once it is said, all of it is there, and before, the next merge brings the rest.
test_the_power_goes_while_shards_are_merged() {
	local n luck=0
	no_sanitizers
	restorer
	run "$FAKE" a.db 2 2 0; exits 0
	run "$FAKE" b.db $CELLS 2 0; exits 0
	run ablate merge --db good.db a.db b.db; exits 0; results good.db >good.txt
	lines_of good.txt $CELLS
	for ((n = 1; ; n++)); do
		cut AFTER $n "$ABLATE" merge --db k.db "$PWD/a.db" "$PWD/b.db"
		[ $cut -eq 1 ] || break
		run ablate merge --db now/k.db a.db b.db; exits 0
		results now/k.db >now.txt; same good.txt now.txt
		agrees now/k.db
	done
	check test $n -gt 10
	results now/k.db >now.txt; same good.txt now.txt
	agrees now/k.db
	echo "    $((n - 1)) cuts"
}

# So many that they are synced together.
test_the_power_goes_while_many_are_merged() {
	local n luck=0
	no_sanitizers
	restorer
	run "$BUILD/tests/fake-shards" make m.db 20; exits 0
	run "$BUILD/tests/fake-shards" collect m.db; exits 0
	run ablate merge --db good.db m.db-runs; exits 0; results good.db >good.txt
	lines_of good.txt 20
	for ((n = 1; ; n++)); do
		cut AFTER $n "$ABLATE" merge --db k.db "$PWD/m.db-runs"
		[ $cut -eq 1 ] || break
		run ablate merge --db now/k.db m.db-runs; exits 0
		results now/k.db >now.txt; same good.txt now.txt
		agrees now/k.db
	done
	check test $n -gt 5
	results now/k.db >now.txt; same good.txt now.txt
	agrees now/k.db
	echo "    $((n - 1)) cuts"
}

# The program itself, with checkpoints, samples and scores: what it gave is made again, bit for bit. Half of the cuts are after a sync,
# one after the other from the first to the last: a file that is there by name has its content.
test_results_are_verified_after_a_cut() {
	local n events syncs luck cuts=$(((CUTS + 3) / 4)) written=0
	no_sanitizers
	restorer
	small_grid 4
	run ablate run g.toml --db good.db --threads 1 -q; exits 0; results good.db >good.txt
	grid=$PWD/g.toml luck=0
	cut AFTER 1000000000 "$ABLATE" run "$grid" --db k.db --threads 1
	check test $cut -eq 0
	syncs=$(events)
	cut AT 1000000000 "$ABLATE" run "$grid" --db k.db --threads 1
	check test $cut -eq 0
	events=$(events)
	RANDOM=11
	for ((n = 0; n < cuts; n++)); do
		luck=$((n % 4 == 2 ? n : 0))
		if [ $((n % 2)) -eq 0 ]; then cut AT $((RANDOM % events + 1)) "$ABLATE" run "$grid" --db k.db --threads 1
		else cut AFTER $((syncs * (n + 1) / cuts)) "$ABLATE" run "$grid" --db k.db --threads 1; fi
		[ $cut -eq 1 ] || continue
		run ablate run g.toml --db now/k.db --threads 1 -q; exits 0
		nothing_confirmed_is_lost now/k.db
		results now/k.db >now.txt; same good.txt now.txt
		agrees now/k.db
		files_are_whole now/k.db
		run ablate verify --sample 100% --db now/k.db; exits 0
	done
	check test $written -gt 0
	echo "    $cuts cuts in $events writes, syncs and renames; $written files looked at"
}

run_tests
