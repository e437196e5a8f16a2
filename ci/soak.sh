#!/bin/bash
# soak.sh - hours of bad luck: a grid runs under random kills, stops, full disks, failing writes, clock jumps, locks, a second runner,
# frozen workers, lost databases and lost (emulated) devices. However often it was disturbed, nothing that was done is gone, and one
# more run ends with the bits of a run that was never disturbed.
#   ci/soak.sh HOURS         HOURS may be 0.1; as root also on a disk that is really full
#   SEED=N ci/soak.sh 0      round N again, alone: what happens when is drawn from N, as far as the machine's own timing lets it
# Prints a line for each round; folders of failed rounds are kept. Exit 1: a round failed.
hours=${1-}
. "$(dirname "$0")/lib.sh"
[[ $hours =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "usage: ci/soak.sh HOURS"
command -v sqlite3 >/dev/null || die "no sqlite3; ci/setup.sh test installs it"
set --
. tests/e2e/lib.sh
set +e
[ -x "$ABLATE" ] && [ -e "$SHIM/libshim_clock.so" ] || build_preset default ablate shim_write shim_clock ablate_cuda_emu
export ABLATE_CUDA_PLUGIN=$SHIM/libablate_cuda_emu.so
CELLS=6
PATIENCE=300 # seconds after which a run that should have ended hangs

WORK=$(mktemp -d "${TMPDIR:-/tmp}/ablate-soak-XXXXXX") || die "no temporary folder"
export ABLATE_CACHE=$WORK/cache
curves() { sql "$1" "SELECT DISTINCT c.seed, v.name, v.step, printf('%!.17g', v.value) FROM v_curve v JOIN attempt a ON a.id = v.attempt
	JOIN cell c ON c.hash = a.cell WHERE a.state = 'done' AND a.purpose = 'run' AND v.name = 'loss' ORDER BY 1, 2, 3"; }
# Drawn in this shell, as one below it would draw the same again.
one_of() { drawn=; [ $# -eq 0 ] || drawn=${*:RANDOM % $# + 1:1}; }
draw_s() { local ms=$((RANDOM * 32768 + RANDOM)); ms=$((ms % $1)); printf -v pause '%d.%03d' $((ms / 1000)) $((ms % 1000)); } # below so many milliseconds
nap() { draw_s "$1"; sleep "$pause"; }

grid_run() { # [env VAR=VALUE...]: the first $cells cells
	"$@" "$ABLATE" run "$WORK/$device.toml" --set "seeds.train=[$(seq -s, "$cells")]" --db k.db --threads 1 --jobs 2 -q --device "$device"
}
workers() { # pids, below this folder
	local pid
	for pid in $(pgrep -f 'ablate worker k.db-runs'); do [ "$(readlink "/proc/$pid/cwd")" != "$PWD" ] || echo "$pid"; done
}
begin() { # VAR=VALUE...: the grid in the background
	grid_run exec setsid env "$@" >>out 2>>err &
	runner=$!
}
ended() { # waits for it, and for workers that it left
	local until=$((SECONDS + PATIENCE))
	while kill -0 $runner 2>/dev/null || [ -n "$(workers)" ]; do
		[ $SECONDS -lt $until ] || { kill -KILL $runner $(workers); fail "it hangs"; }
		sleep 0.1
	done
	wait $runner
	code=$?
	case $code in 132 | 134 | 135 | 136 | 139) fail "it crashed: exit $code" ;; esac
}

# --- what goes wrong ---
killed_all() { begin; nap "$whole_ms"; kill -KILL $runner $(workers) 2>/dev/null; ended; }
killed_runner() { begin; nap "$whole_ms"; kill -KILL $runner 2>/dev/null; ended; }
killed_worker() {
	begin
	nap "$whole_ms"
	one_of $(workers)
	kill -KILL $drawn 2>/dev/null
	ended
}
stopped() { # in order, and sometimes once more
	begin
	nap "$whole_ms"
	kill -TERM $runner 2>/dev/null
	nap 500
	[ $((RANDOM % 3)) -gt 0 ] || kill -INT $runner 2>/dev/null
	ended
}
frozen() { # a worker that says nothing for a while
	begin
	nap "$whole_ms"
	one_of $(workers)
	kill -STOP $drawn 2>/dev/null
	nap 3000
	kill -CONT $drawn 2>/dev/null
	ended
}
failing_writes() { # one, or all after it, of one kind of file
	local file error
	one_of .db journal ledger step- samples result k.db; file=$drawn
	one_of ENOSPC EIO EDQUOT ESTALE; error=$drawn
	begin LD_PRELOAD="$SHIM/libshim_write.so" SHIM_FAIL_AT=$((RANDOM % 60 + 1)) SHIM_FAIL_FOR=$((RANDOM % 2 * 100000 + 1)) \
		SHIM_ERRNO=$error SHIM_SHORT=$((RANDOM % 2)) SHIM_PATH=$file
	ended
}
full_disk() {
	begin
	nap "$whole_ms"
	cat /dev/zero >full 2>/dev/null
	nap 2000
	rm -f full
	ended
}
clock_jump() {
	begin LD_PRELOAD="$SHIM/libshim_clock.so" SHIM_CLOCK_S=$(((RANDOM % 2 * 2 - 1) * RANDOM * 200)) SHIM_CLOCK_AFTER=$((RANDOM % 400))
	ended
}
locked() { # the database, by another program
	local other
	begin
	nap "$whole_ms"
	draw_s 4000
	{ echo 'BEGIN EXCLUSIVE;'; sleep "$pause"; } | sqlite3 k.db >/dev/null 2>&1 &
	other=$!
	ended
	wait $other
}
two_runners() {
	local first
	begin
	first=$runner
	nap 1000
	begin
	ended
	runner=$first
	ended
}
lost_device() {
	local error
	one_of 719 214 46; error=$drawn
	begin ABLATE_EMU_LOST_WITH="$error" ABLATE_EMU_LOST_ONCE="$PWD/lost.$RANDOM" ABLATE_EMU_LOST_AT=$((RANDOM + 1))
	ended
}
lost_database() {
	killed_all
	[ -e k.db ] || return 0
	rm -f k.db k.db-wal k.db-shm
	run ablate merge --rebuild --db k.db; exits 0
}

nothing_is_gone() { # of what was done before
	[ -s k.db ] || return 0
	[ "$(sqlite3 k.db 'PRAGMA integrity_check')" = ok ] || fail "the database is damaged"
	sql k.db "SELECT cell || ' ' || id FROM attempt WHERE state = 'done' ORDER BY 1" >done.now
	comm -23 done.before done.now >gone
	[ ! -s gone ] || fail "finished attempts are gone: $(cat gone)"
	mv done.now done.before
}
one_more_run() { # is enough
	cells=$CELLS
	run grid_run timeout $PATIENCE; exits 0
	nothing_is_gone
	results k.db >now.txt; same "$WORK/$device.txt" now.txt
	curves k.db >now.curves; same "$WORK/$device.curves" now.curves
	check test "$(sql k.db "SELECT count(*) FROM attempt WHERE state = 'running'")" -eq 0
	check test "$(sql k.db "SELECT count(*) FROM (SELECT cell FROM attempt WHERE state = 'done' AND purpose = 'run' GROUP BY cell HAVING count(*) > 1)")" -eq 0
	run ablate merge --check --db k.db; exits 0
	run ablate merge --rebuild --db k.db; exits 0; says out "identical to before"
	[ $((RANDOM % 3)) -gt 0 ] || { run ablate verify --db k.db --sample 100%; exits 0; }
}

kinds=(killed_all killed_runner killed_worker stopped frozen failing_writes full_disk clock_jump locked two_runners lost_device lost_database)
round() { # SEED: in its own folder; what was done to it in ./did
	local i n kind device drawn pause runner cells
	RANDOM=$1
	mounts=()
	trap 'cd / && umount "${mounts[@]}" 2>/dev/null' EXIT
	one_of cpu cuda; device=$drawn
	[ -z "$real_disks" ] || small_disk k 48m
	mkdir -p k && cd k || fail "no folder"
	: >done.before
	read -r whole_ms <"$WORK/$device.ms"
	n=$((RANDOM % (CELLS - 1) + 1))
	for ((i = 0; i < n; i++)); do
		cells=$((i + 2)) # each time a new one, whatever is done by then
		one_of "${kinds[@]}"; kind=$drawn
		[ "$kind" != lost_device ] || [ "$device" = cuda ] || kind=killed_all
		[ "$kind" != full_disk ] || [ -n "$real_disks" ] || kind=failing_writes
		echo "$kind" >>../did
		: >out; : >err
		"$kind"
		! grep -qw BUG err || fail "a bug"
		nothing_is_gone
	done
	one_more_run
	sql k.db "SELECT count(*) FROM attempt" >../attempts
}

# A run that is never disturbed, on each device, and how long it takes.
cd "$WORK" || exit 1
small_grid STEPS
cells=$CELLS
for device in cpu cuda; do
	sed "s/^preset.*/&\nnet.channels = 8/; s/STEPS/$([ $device = cpu ] && echo 600 || echo 30)/" g.toml >$device.toml # the emulated device is slow
	from=$(date +%s%N)
	run grid_run timeout $PATIENCE; exits 0
	echo $((($(date +%s%N) - from) / 1000000)) >$device.ms
	results k.db >$device.txt; curves k.db >$device.curves
	lines_of $device.txt $CELLS
	rm -rf k.db*
done
real_disks=
mkdir disk && mount -t tmpfs -o size=64k none disk 2>/dev/null && umount disk && real_disks=yes

end=$(awk -v now="$(date +%s)" -v hours="$hours" 'BEGIN { print int(now + hours * 3600) }')
rounds=0 attempts=0 failed=0 first=${SEED:-$((RANDOM % 10000))}
for ((seed = first; rounds == 0 || $(date +%s) < end; seed++)); do
	rounds=$((rounds + 1))
	mkdir "$WORK/$seed"
	if (cd "$WORK/$seed" && round $seed) >"$WORK/said" 2>&1; then
		result=$(cat "$WORK/$seed/attempts")
		attempts=$((attempts + result))
		result="well, $result attempts"
	else
		failed=$((failed + 1))
		result="FAILED (kept: $WORK/$seed): $(cat "$WORK/said")"
	fi
	echo "round $seed: $(paste -sd' ' "$WORK/$seed/did"): $result"
	cat "$WORK/$seed/did" >>"$WORK/done"
	[[ $result == FAILED* ]] || rm -rf "${WORK:?}/$seed"
done
echo "soak: $rounds rounds, $attempts attempts, $(wc -l <"$WORK/done") times disturbed ($(sort "$WORK/done" | uniq -c | awk '{ printf "%s%s %s", sep, $2, $1; sep = ", " }')), $failed failed"
[ $failed -gt 0 ] || rm -rf "$WORK"
[ $failed -eq 0 ]
