#!/bin/bash
# stages.sh - a training, samplings of it, scores of those: each is made once, whoever asks for it, and to the same bits
# as if a cell had made it for itself.
# ctest: slow, each stage made alone, and again as a part of a cell
. "$(dirname "$0")/lib.sh"

# A grid of one axis over settings of sampling: stages KEY VALUES [STEPS [SEEDS [NFE]]]
stages() {
	cat >"${FILE:-g.toml}" <<-END
	schema = 1
	[grid]
	name = "stages"
	seeds = { train = [${4:-1}], eval = [101] }
	[base]
	preset = "ict-shapes8-ci"
	train.steps = ${3:-40}
	train.batch = 4
	[[axis]]
	key = "$1"
	values = [$2]
	[[metric]]
	name = "fid"
	samples = 100
	nfe = [${5:-1, 2}]
	END
}
# Attempts that trained: those with points of curves.
trainings() { sql "${1:-a.db}" "SELECT count(DISTINCT attempt) FROM curve JOIN attempt a ON a.id = attempt WHERE a.purpose = 'run'"; }
# No step was trained twice: each training has each point of its curve once.
no_step_twice() {
	local twice
	twice=$(sql "${1:-a.db}" "SELECT count(*) FROM (SELECT c.training, v.name, v.step FROM curve v JOIN attempt a ON a.id = v.attempt
		JOIN cell c ON c.hash = a.cell WHERE a.purpose = 'run' GROUP BY 1, 2, 3 HAVING count(*) > 1)")
	[ "$twice" = 0 ] || fail "$twice points of curves were made twice"
}
scores() { sql "$1" "SELECT label, nfe, eval_seed, r.seed, name, hex FROM v_result r JOIN grid_cell g ON g.cell = r.cell ORDER BY 1, 2, 3, 4, 5"; }
# The scores of a.db are those of cells that each trained for itself: every row of the grid in a database of its own.
as_if_alone() { # LABEL...
	local label
	: >alone
	for label; do
		rm -rf alone.db alone.db-runs
		run ablate run --threads 1 g.toml --db alone.db --only "$label" -q
		exits 0
		scores alone.db >>alone
	done
	sort alone >alone.sorted
	scores a.db | sort >ours
	same ours alone.sorted
}

test_ways_to_sample_share_a_training() {
	stages sample.weights '"ema", "student", "teacher"'
	run ablate plan g.toml --db a.db
	exits 0
	says out "1 training: 1 to do; 6 samplings and 6 scores to do; 3 cells share a training"
	says out "(trained as sample.weights=ema)"
	run ablate run --threads 1 g.toml --db a.db -j 1
	exits 0
	says err "3 cells: 3 done"
	says err "with the training of sample.weights=ema seed 1"
	check [ "$(trainings)" = 1 ]
	as_if_alone 'sample.weights=ema' 'sample.weights=student' 'sample.weights=teacher'
	# a cell without a checkpoint of its own is sampled from the one it took, with its own settings
	local ema student
	ema=$(sql a.db "SELECT cell FROM grid_cell WHERE label = 'sample.weights=ema'")
	student=$(sql a.db "SELECT cell FROM grid_cell WHERE label = 'sample.weights=student'")
	run ablate sample "$student" --db a.db -n 4 -o student.npz; exits 0
	run ablate sample "$ema" --db a.db -n 4 --weights student -o same.npz; exits 0
	run ablate sample "$ema" --db a.db -n 4 -o ema.npz; exits 0
	same student.npz same.npz
	check [ "$(sha256sum <student.npz)" != "$(sha256sum <ema.npz)" ]
	run ablate show "$student" --db a.db
	says out "training"
	says out "sample.weights=ema"
}

# Averages of several decays come out of one training, to the bits of trainings that keep one.
test_decays_share_a_training() {
	stages ema.decay '0.9, 0.99' 40 1 1
	run ablate plan g.toml --db a.db
	says out "1 training: 1 to do; 2 samplings and 2 scores to do; 2 cells share a training"
	run ablate run --threads 1 g.toml --db a.db -j 2
	exits 0
	check [ "$(trainings)" = 1 ]
	as_if_alone 'ema.decay=0.9' 'ema.decay=0.99'
	run ablate verify "$(sql a.db "SELECT cell FROM grid_cell WHERE label = 'ema.decay=0.99'")" --db a.db
	exits 0
	# nor does it matter whether the jobs are there, which say how many averages its checkpoints hold
	cp a.db moved.db
	run ablate verify "$(sql a.db "SELECT cell FROM grid_cell WHERE label = 'ema.decay=0.9'")" --db moved.db
	exits 0
	says out 'pass'
	# an average that the training did not keep cannot be had of it: that one trains, once, for all the others, too
	FILE=h.toml stages ema.decay '0.5, 0.6' 40 1 1
	run ablate run --threads 1 h.toml --db a.db -j 2
	exits 0
	check [ "$(trainings)" = 2 ]
	run ablate plan g.toml --db a.db
	says out "2 cells: 2 cached"
}

# Three at once: the others wait for the one that trains instead of training beside it.
test_three_at_once_train_once() {
	stages sample.sigma_mid '0.3, 0.5, 0.8' 40 '1, 2'
	run ablate run --threads 1 g.toml --db a.db -j 3
	exits 0
	says err "6 cells: 6 done"
	check [ "$(trainings)" = 2 ]
	no_step_twice
	as_if_alone 'sample.sigma_mid=0.3' 'sample.sigma_mid=0.5' 'sample.sigma_mid=0.8'
}

# A setting of sampling that is changed after a run needs no training, in another grid of another name neither.
test_another_grid_takes_the_training() {
	stages sample.clip 'true'
	run ablate run --threads 1 g.toml --db a.db
	exits 0
	FILE=h.toml stages sample.quantize '"truncate"'
	run ablate plan h.toml --db a.db
	says out "1 training: 0 to do, 1 at hand"
	says out "estimated time: that of sampling"
	run ablate run --threads 1 h.toml --db a.db
	exits 0
	says err "with the training of sample.clip=true seed 1"
	check [ "$(trainings)" = 1 ]
	run ablate run --threads 1 h.toml --db a.db
	says err "1 cell: 1 cached"
	sql a.db "SELECT count(DISTINCT training) FROM cell" >n
	check [ "$(cat n)" = 1 ]
}

# Whoever was killed in the middle, another cell of the same training goes on from its checkpoint.
test_a_killed_training_is_continued_for_another_cell() {
	stages sample.weights '"ema", "student"' 60 1 1
	run ablate run --threads 1 g.toml --db b.db
	exits 0
	"$ABLATE" run g.toml --db a.db --threads 1 --only sample.weights=ema >/dev/null 2>&1 &
	local pid=$!
	await 60 'ls a.db-runs/*/*/step-*.ckpt >/dev/null 2>&1'
	kill -INT $pid
	wait $pid
	run ablate run --threads 1 g.toml --db a.db --only sample.weights=student
	exits 0
	run ablate run --threads 1 g.toml --db a.db
	exits 0
	no_step_twice
	scores a.db | sort -u >ours
	scores b.db | sort -u >theirs
	same ours theirs
}

# A [[metric]] with another reference or extractor was told "cached", and the table showed the numbers of the old one.
test_another_reference_is_scored() {
	stages sample.clip 'true' 40 1 1
	run ablate run --threads 1 g.toml --db a.db
	exits 0
	run ablate table g.toml --db a.db; exits 0
	cp out first
	echo 'ref = "shapes8-test"' >>g.toml
	run ablate plan g.toml --db a.db
	says out "1 training: 0 to do, 1 at hand"
	run ablate run --threads 1 g.toml --db a.db
	exits 0
	says err "1 cell: 1 done"
	check [ "$(trainings)" = 1 ]
	run ablate table g.toml --db a.db; exits 0
	check [ "$(cat out)" != "$(cat first)" ]
	run ablate run --threads 1 g.toml --db a.db
	says err "1 cell: 1 cached"
	# and back: what was asked at first is there still
	sed -i '/^ref/d' g.toml
	run ablate run --threads 1 g.toml --db a.db
	says err "1 cell: 1 cached"
	run ablate table g.toml --db a.db; exits 0
	same out first
}

# A task of an array is a training: it runs all its cells, on a shard of their own, but not what is finished already.
test_a_slurm_task_runs_the_cells_of_one_training() {
	local shard
	stages sample.weights '"ema", "student", "teacher"' 40 '1, 2'
	run ablate run --threads 1 g.toml --db a.db --only sample.weights=teacher
	exits 0
	run ablate plan g.toml --db a.db --freeze g.plan.json
	exits 0
	run env SLURM_ARRAY_TASK_ID=1 "$ABLATE" slurm-task g.plan.json --db a.db --threads 1 --device cpu
	exits 0
	shard=$(ls a.db-runs/slurm/*/*.db)
	check [ "$(trainings "$shard")" = 1 ]
	check [ "$(sql "$shard" "SELECT group_concat(label) FROM (SELECT DISTINCT label FROM v_cell_status WHERE state = 'done' ORDER BY 1)")" = \
		"sample.weights=ema,sample.weights=student" ]
	check [ "$(sql "$shard" "SELECT group_concat(DISTINCT seed) FROM cell")" = 2 ]
}

run_tests
