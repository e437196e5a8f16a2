#!/bin/bash
# papers.sh - the studies of ablations/paper, scaled down until a CPU runs them in seconds: from plan to table, with what is missing here
# said and left out; and the weights that rows start from or distil are part of what a cell is.
# ctest: slow, cells of every preset
. "$(dirname "$0")/lib.sh"

PAPERS=$SOURCE/ablations/paper
# Two steps of a very small network: the whole path, and nothing to be learnt from the numbers.
tiny() { # VERB FILE [OPTION]...
	local verb=$1 file=$2
	shift 2
	run ablate "$verb" "$PAPERS/$file" --set preset=...-tiny --set metric.samples=64 --set metric.ci=none --set seeds.train='[1]' --set seeds.eval='[101]' \
		--set train.steps=2 --set train.batch=2 --set net.channels=8 "$@"
}
# Scores of the in-tree classifier, class scores among them; and generated pictures of 8 x 8, which take no time at all.
on_fashion() { tiny "$@" --set data.name=fashion-mnist --set metric.ref=fashion-mnist-test; }
on_shapes() { tiny "$@" --set data.name=shapes8 --set metric.ref=shapes8-train --set metric.extractor=pixels; }
done_cells() { sql ablate.db "SELECT count(DISTINCT cell) FROM attempt WHERE state = 'done'"; }

test_every_study_plans_at_full_size() {
	local f
	for f in "$PAPERS"/*.toml; do
		run ablate plan "$f"; exits 0; says out "rows"
		run ablate diff-paper "$f"; exits 0; says out "differ"
		run ablate plan "$f" --set preset=...-small; exits 0
	done
	# the changes together are the preset, and what is named after a paper is its preset
	run ablate plan "$PAPERS/cifar10.toml"; exits 0
	says out "iCT; cumulative/+ batch, rate and EMA; taken-back/full"
	run ablate diff-paper "$PAPERS/cifar10.toml"; exits 0
	says out "CT: 1 setting differs from ct-cifar10"; says out "CD (LPIPS): 1 setting differs"; says out "iCT-deep: 0 settings differ"
	# a study without a preset says by `like` with which paper it is compared
	sed 's/^like .*/like = "ict-imagenet64"/' "$SOURCE/ablations/quickstart.toml" >like.toml
	run ablate diff-paper like.toml; exits 0
	says out "settings differ from ict-imagenet64"; check grep -q "^  net.attn .*\[32,16,8\]" out
	run ablate plan "$PAPERS/cifar10.toml" --set preset=...-huge; exits 2; says err "...-tiny"
}

test_a_study_runs_what_needs_no_weights() {
	[ -e /usr/share/datasets/fashion-mnist ] || skip "no dataset-fashion-mnist"
	on_fashion run cifar10.toml --only CT --only iCT --only 'cumulative/+ Pseudo-Huber'
	exits 1 # a blocked cell is told by the exit code
	says err "lpips-vgg-backbone"
	check [ "$(done_cells)" -eq 2 ]
	check [ "$(sql ablate.db "SELECT group_concat(x, ' ') FROM (SELECT DISTINCT name || '@' || nfe x FROM metric ORDER BY 1)")" = "fid@1 fid@2 is@1 is@2" ]
	on_fashion table cifar10.toml; exits 0
	says out "blocked"; says out "deviates from ict-cifar10"; says out "net.channels = 8 (paper: 128)"
}

test_the_other_studies_run() {
	on_shapes run ect.toml --only 'choices/one hour' --only 'choices/q = 4'; exits 0
	on_shapes run curves.toml --only 'ema/EMA 0.9' --only 'c/c = 0.1' --only 'n/N = 41'; exits 0
	on_shapes run discrepancies.toml --only 'of-ict/Huber*' --only 'of-ct/CT, L2 summed' --only 'uint8/*'; exits 0
	on_shapes run design-choices.toml --only taken-back/full; exits 0
	on_shapes run embedding.toml --only 'scale/scale 0.2' --only 'continuous/+ scale 0.02'; exits 0
	on_shapes run metrics.toml --only 'c = 0.03, N to 151'; exits 0
	on_shapes run curricula.toml --only shapes/square --only shapes/cosine; exits 0
	on_shapes run noise.toml --only "squared L2, CT's noise"; exits 0
	on_shapes run losses.toml --only metrics/L1; exits 0
	on_shapes run imagenet64.toml --only iCT; exits 0
	check [ "$(sql ablate.db "SELECT count(*) FROM metric WHERE name IN ('precision', 'recall')")" -eq 4 ]
	check [ "$(done_cells)" -eq 19 ]
	on_shapes table ect.toml; exits 0; says out "deviates from ect-cifar10"; says out "net.init = \"\""
	on_shapes table discrepancies.toml; exits 0; says out "Huber per element, summed"
	says out "u8-round:n64"; says out "u8-trunc"; says out "different protocols on purpose"; says out "deviates from ict-cifar10"
}

# Every method that came after iCT, by its preset; TCM has no answer at the level where others take a second step.
test_methods_after_ict_run() {
	on_shapes run after-ict.toml --set net.attn='[4]' --set sample.sigma_mid=1.5; exits 0
	check [ "$(done_cells)" -eq 9 ]
	on_shapes table after-ict.toml --set net.attn='[4]' --set sample.sigma_mid=1.5 --table methods; exits 0
	for row in iCT ECT "SCT's targets" TCM sCT MeanFlow; do says out "$row"; done
}

# The curves that figures 3 (b) and 4 (a) of arXiv:2310.14189 draw come from the settings alone.
test_figures_of_settings_need_no_training() {
	run ablate figure "$PAPERS/curricula.toml" steps -o steps.svg; exits 0
	run ablate figure "$PAPERS/curricula.toml" steps --only shapes/square -o one.svg; exits 0
	check [ "$(grep -c "<path" steps.svg)" -gt "$(grep -c "<path" one.svg)" ]
	run ablate figure "$PAPERS/noise.toml" sigma -o sigma.svg; exits 0; check [ -s sigma.svg ]
}

# A teacher of the network's size: the checkpoint of another arm, whose averaged weights are taken.
teacher() { # SEED
	on_shapes run imagenet64.toml --only CT --set loss.kind=l2 --set seeds.train="[$1]"; exits 0
	mkdir -p "$ABLATE_CACHE/weights"
	cp "$(ls -d ablate.db-runs/*/*/step-*.ckpt | tail -1)" "$ABLATE_CACHE/weights/scaled-teacher.safetensors"
	rm -rf ablate.db*
}
distil() { on_shapes "$1" imagenet64.toml --only 'CD (LPIPS)' --set loss.kind=l2; }

test_distillation_waits_for_its_teacher_and_knows_it() {
	distil run; exits 1; says err "scaled-teacher"
	teacher 1
	distil run; exits 0; check [ "$(done_cells)" -eq 1 ]
	check [ "$(sql ablate.db "SELECT count(*) FROM input WHERE role IN ('dataset', 'teacher')")" -eq 2 ]
	distil plan; says out "1 cached"
	mv ablate.db first.db; mv ablate.db-runs first.db-runs
	teacher 2 # the same arm on another teacher is another cell
	mv first.db ablate.db; mv first.db-runs ablate.db-runs
	distil plan; says out "0 cached"
	distil run; exits 0; check [ "$(done_cells)" -eq 2 ]
}

test_weights_that_do_not_fit_fail_in_one_line() {
	mkdir -p "$ABLATE_CACHE/weights"
	printf 'not weights at all' >"$ABLATE_CACHE/weights/scaled-teacher.safetensors"
	distil run; exits 2; lines_of err 1; says err "cd.teacher"; says err "not a safetensors file"
	check [ ! -e ablate.db ]
	on_shapes run imagenet64.toml --only iCT; exits 0 # a row that does not run stops none
	distil table; exits 0
}

test_the_second_noise_level_is_searched_and_told() {
	on_shapes run imagenet64.toml --only iCT; exits 0
	local checkpoint
	checkpoint=$(ls -d ablate.db-runs/*/*/step-*.ckpt | tail -1)
	run ablate sigma "$checkpoint" -n 16 -e pixels --points 9; exits 0
	says out "sample.sigma_mid = "; says out "fid:pixels"; says out "least"
	check [ "$(grep -c 'point . of 9' err)" -eq "$(grep -cE '^[0-9]' out)" ]
	run ablate sigma "$checkpoint" -n 16 -e pixels --points 9 --json; exits 0; says out '"tried"'
	run ablate sigma nothing; exits 2
}

run_tests "$@"
