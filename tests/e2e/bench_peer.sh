#!/bin/bash
# bench_peer.sh - `ablate bench ... --peer`: another program in turn with this one, by a shell script that speaks its protocol
# (harness/bench/bench_peer.h). No speed is judged here.
# ctest: slow, pictures scored in turn with another program
. "$(dirname "$0")/lib.sh"

# A peer that notes what it was given and says what the test put into ./answer.
peer() {
	cat >peer <<'END'
#!/bin/sh
here=$(dirname "$0")
echo "$* threads $OMP_NUM_THREADS" >>"$here/asked"
for last; do :; done
ls "$last" | wc -l >>"$here/asked"
echo 'Loading ...' >&2
cat "$here/answer"
END
	chmod +x peer
	echo "$1" >answer
}
fid() { TMPDIR=$PWD/tmp run ablate bench fid --pictures 3 --rounds 2 --threads 1 --peer "$PWD/peer quick" --json "$@"; }
ours() { sed -n 's/.* is \([0-9.]*\): it does other work$/\1/p' err; }

# The distance is ours, or it did other work; so the first run, whose answer is wrong, tells which is right.
test_fid_beside_a_peer() {
	mkdir tmp
	peer '{"fid": 1e-9}'
	fid; exits 1; says err "peer '$PWD/peer quick': a distance of 1e-09, ours is"; lines_of err 1
	check [ -n "$(ours)" ]
	peer "{\"fid\": $(ours)}"; rm asked
	fid; exits 0
	for key in seconds peer_seconds ratio ratio_least ratio_most peak_mib peer_peak_mib memory_ratio fid peer_fid; do says out "\"$key\": "; done
	says out '"pictures": 3'; says out '"rounds": 2'
	check [ "$(grep -c "^quick fid --weights $PWD/tmp/ablate-bench-.*/weights.safetensors --threads 1 .*/a .*/b threads 1$" asked)" -eq 2 ]
	check [ "$(grep -c '^3$' asked)" -eq 2 ]
	check [ -z "$(ls tmp)" ] # nothing is left, of the failure before neither
}

test_a_peer_that_does_not_answer() {
	mkdir tmp
	peer 'FID: 12.3'; fid; exits 1; lines_of err 1
	says err "peer '$PWD/peer quick': its last line is no JSON object, but 'FID: 12.3'"
	peer '{"fid": "12.3"}'; fid; exits 1; says err 'its last line has no number above 0 named fid'
	peer '{"fid": NaN}'; fid; exits 1; says err 'is no JSON object'
	peer ''; fid; exits 1; says err "is no JSON object, but ''"
	printf '#!/bin/sh\necho "no torch here" >&2; exit 3\n' >peer
	fid; exits 1; says err "peer '$PWD/peer quick': ended with exit code 3; it said: no torch here"; lines_of err 1
	printf '#!/bin/sh\nkill -9 $$\n' >peer
	fid; exits 1; says err "ended by signal 9; it said: nothing"
	TMPDIR=$PWD/tmp run ablate bench fid --pictures 3 --peer ./none-such; exits 1; lines_of err 1
	says err "peer './none-such': ended with exit code 127; it said: ./none-such: No such file or directory"
	check [ -z "$(ls tmp)" ]
}

test_a_peer_is_for_some_benchmarks() {
	for what in train store all; do
		run ablate bench $what --peer true; exits 2; says err "--peer is for features, dinov2 and fid, not for '$what'"
	done
	run ablate bench fid --peer ' '; exits 2; says err '--peer names no command'
}

test_features_beside_a_peer() {
	mkdir tmp
	peer '{"images_per_s": 2.5, "mean_abs": 1e-9}'
	features() { TMPDIR=$PWD/tmp run ablate bench features --rounds 2 --seconds 0.01 --batch 1 --peer ./peer --json; }
	features; exits 1; says err "peer './peer': features of a mean absolute value of 1e-09, ours is"
	echo "{\"images_per_s\": 2.5, \"mean_abs\": $(ours)}" >answer; rm asked
	features; exits 0; says out '"peer": "./peer"'; says out '"images_per_s": 2.5'; says out '"ratio_least"'
	check [ "$(grep -c '^inception --weights .*/weights.safetensors --threads [0-9]* --seconds 0.005 .*/pictures threads' asked)" -eq 2 ]
	check [ -z "$(ls tmp)" ]
}
run_tests
