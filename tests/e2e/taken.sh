#!/bin/bash
# taken.sh - what an attempt takes of earlier ones instead of making it: samples out of their files, scores out of the
# record. What it takes has to be what it would have made, and a file that was lost or altered is made again.
# ctest: slow, cells sampled and scored by each way
. "$(dirname "$0")/lib.sh"

# grid NAMES [IMAGES [NFE]]: a grid of one cell, scored by these metrics
grid() {
	cat <<-END
	schema = 1
	[grid]
	name = "taken"
	seeds = { train = [1], eval = [101] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = 30
	train.batch = 4
	END
	local name
	for name in $1; do
		printf '[[metric]]\nname = "%s"\nsamples = %s\nnfe = [%s]\n' "$name" "${2:-100}" "${3:-1}"
	done
}
go() { run ablate run "$1" --db "${2:-a.db}" --threads 1 -q; exits 0; } # go GRID [DB]
newest() { sql "${1:-a.db}" "SELECT id FROM attempt ORDER BY started DESC, id LIMIT 1"; }
log() { cat a.db-runs/*/"$(newest)"/log; }
scores() { sql "$1" "SELECT name, nfe, eval_seed, n, protocol, hex, lo, hi FROM v_result ORDER BY 1, 2, 3, 4, 5"; }
# The scores of a.db are those of a study that began with this grid.
as_if_first() { # GRID
	rm -rf alone.db alone.db-runs
	go "$1" alone.db
	scores alone.db >alone
	sql a.db "SELECT name, nfe, eval_seed, n, protocol, hex, lo, hi FROM metric WHERE attempt = '$(newest)' ORDER BY 1, 2, 3, 4, 5" >ours
	same ours alone
}
samples() { ls -i a.db-runs/*/"$1"/samples-1-101.npy | cut -d' ' -f1; } # of an attempt: its inode

test_one_more_score_takes_the_samples() {
	grid fid >g.toml
	grid 'fid kid' >h.toml
	go g.toml
	local first
	first=$(newest)
	go h.toml
	log >words
	says words "samples@1, seed 101: 100 of 100 are those of attempt $first"
	check [ "$(samples "$first")" = "$(samples "$(newest)")" ]
	check [ "$(sql a.db "SELECT name || coalesce(taken_from, '-') FROM metric WHERE attempt = '$(newest)' ORDER BY name" | tr '\n' ' ')" = "fid$first kid- " ]
	check [ "$(sql a.db "SELECT count(DISTINCT attempt) FROM curve")" = 1 ]
	as_if_first h.toml
	# a repetition makes everything for itself
	run ablate verify --sample 100% --db a.db; exits 0
	check [ "$(sql a.db "SELECT count(*) FROM metric m JOIN attempt a ON a.id = m.attempt WHERE a.purpose = 'verify' AND m.taken_from IS NOT NULL")" = 0 ]
}

test_samples_that_are_lost_or_altered_are_made_again() {
	local change
	grid fid >g.toml
	grid 'fid kid' >h.toml
	for change in 'rm F' 'printf x | dd of=F bs=1 seek=3000 conv=notrunc status=none' 'truncate -s -64 F' 'truncate -s 0 F'; do
		rm -rf a.db a.db-runs
		go g.toml
		eval "${change//F/$(echo a.db-runs/*/*/samples-1-101.npy)}"
		go h.toml
		log >words
		says words "samples-1-101.npy"
		says words "these samples are not used"
		as_if_first h.toml
	done
}

# Image i is a function of the seed and i: more of them are the first ones and what follows.
test_more_images_go_on_from_those_there_are() {
	grid fid >g.toml
	grid fid 150 >h.toml
	go g.toml
	go h.toml
	log >words
	says words "100 of 150 are those of attempt"
	as_if_first h.toml
	check [ "$(sha256sum <"$(echo a.db-runs/*/"$(newest)"/samples-1-101.npy)")" = "$(sha256sum <"$(echo alone.db-runs/*/*/samples-1-101.npy)")" ]
	# and fewer are the first of these, of the file that has the most
	rm -rf b.db; grid fid 120 >i.toml
	go i.toml
	log >words
	says words "120 of 120 are those of attempt"
	as_if_first i.toml
}

# An interval is part of what is asked for: where it is missing it is computed, and where it is too much it is left out.
test_an_interval_is_taken_where_it_is_asked_for() {
	grid fid >g.toml
	(grid kid && grid fid | tail -4 && echo 'ci = "jackknife"') >h.toml
	grid 'fid kid precision' >i.toml
	go h.toml
	check [ "$(sql a.db "SELECT count(*) FROM metric WHERE name = 'fid' AND lo IS NOT NULL")" = 1 ]
	go i.toml
	check [ "$(sql a.db "SELECT count(*) FROM metric WHERE attempt = '$(newest)' AND taken_from IS NOT NULL")" = 2 ]
	as_if_first i.toml
	rm -rf a.db a.db-runs
	go g.toml
	check [ "$(sql a.db "SELECT count(*) FROM metric WHERE lo IS NULL")" = 1 ]
	go h.toml
	check [ "$(sql a.db "SELECT count(*) FROM metric WHERE attempt = '$(newest)' AND lo IS NOT NULL AND taken_from IS NULL AND name = 'fid'")" = 1 ]
	as_if_first h.toml
}

# A reference counts by its content, whatever its file is called.
test_a_score_against_another_reference_is_not_taken() {
	grid fid >g.toml
	go g.toml
	local cell seed
	cell=$(sql a.db 'SELECT hash FROM cell')
	for seed in 1 2; do
		run ablate sample "$cell" --db a.db -n 120 --seed $seed -o s$seed.npz; exits 0
		run ablate features s$seed.npz --extractor pixels -o ref$seed.npz; exits 0
	done
	sed 's/"fid"/&\nref = "ref.npz"/' -i g.toml
	grid 'fid kid' | sed 's/"fid"/&\nref = "ref.npz"/' >h.toml
	rm -rf a.db a.db-runs
	cp ref1.npz ref.npz; go g.toml
	cp ref2.npz ref.npz; go h.toml
	check [ "$(sql a.db "SELECT count(*) FROM metric WHERE attempt = '$(newest)' AND taken_from IS NOT NULL")" = 0 ]
	as_if_first h.toml
}

# Every score known: nothing is read of the training, and the checkpoint may be worth nothing.
test_where_all_is_known_nothing_is_computed() {
	grid fid >g.toml
	sed -i '/train.batch/a sample.sigma_mid = 0.5' g.toml
	go g.toml
	sed 's/sigma_mid = 0.5/sigma_mid = 0.7/' g.toml >h.toml
	local file
	for file in a.db-runs/*/*/step-*.ckpt; do printf x | dd of="$file" bs=1 seek=20000 conv=notrunc status=none; done
	go h.toml
	check [ "$(sql a.db "SELECT count(*) FROM metric WHERE attempt = '$(newest)' AND taken_from IS NOT NULL")" = 1 ]
	check [ "$(sql a.db "SELECT count(DISTINCT attempt) FROM curve")" = 1 ]
	check [ "$(sql a.db "SELECT count(*) FROM output WHERE attempt = '$(newest)' AND role = 'picture@1'")" = 1 ]
}

# A disk that has no room for samples costs no score.
test_samples_that_cannot_be_written_cost_no_score() {
	grid fid >g.toml
	run with_shim SHIM_FAIL_AT=1 SHIM_PATH=samples-1-101 "$ABLATE" run g.toml --db a.db --threads 1 -q; exits 0
	log >words
	says words "samples-1-101.npy"
	says words "the samples are not kept"
	check [ "$(sql a.db "SELECT count(*) FROM output WHERE role LIKE 'samples%'")" = 0 ]
	check [ -z "$(find a.db-runs -name '*samples-1*')" ]
	as_if_first g.toml
	grid 'fid kid' >h.toml
	go h.toml
	as_if_first h.toml
}

# A checkpoint that holds several averages is sampled by any of them, and says which there are.
test_sample_by_another_decay() {
	grid fid | sed '/train.batch/a [[axis]]\nkey = "ema.decay"\nvalues = [0.5, 0.9]' >g.toml
	run ablate run g.toml --db a.db --threads 1 -j 1 -q; exits 0
	local one other
	one=$(sql a.db "SELECT cell FROM grid_cell WHERE label = 'ema.decay=0.5'")
	other=$(sql a.db "SELECT cell FROM grid_cell WHERE label = 'ema.decay=0.9'")
	run ablate sample "$one" --db a.db -n 4 -o one.npz; exits 0
	run ablate sample "$one" --db a.db -n 4 --ema-decay 0.9 -o by.npz; exits 0
	run ablate sample "$other" --db a.db -n 4 -o other.npz; exits 0
	same by.npz other.npz
	check [ "$(sha256sum <one.npz)" != "$(sha256sum <by.npz)" ]
	run ablate sample "$one" --db a.db -n 4 --ema-decay 0.7 -o none.npz
	exits 5
	says err "has no average with ema.decay = 0.7; it has 0.5 and 0.9"
	check [ ! -e none.npz ]
}

test_numpy_reads_the_samples() {
	python3 -c 'import numpy' 2>/dev/null || skip "no numpy"
	grid fid >g.toml
	go g.toml
	run python3 -c 'import glob, numpy; a = numpy.load(glob.glob("a.db-runs/*/*/samples-1-101.npy")[0]); print(a.dtype, a.shape)'
	says out "uint8 (100, 8, 8, 1)"
}

run_tests "$@"
