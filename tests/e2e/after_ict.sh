#!/bin/bash
# after_ict.sh - knobs of what came after iCT: each trains a small cell by `ablate run`, and what has no meaning with it
# is refused where the grid is planned.
. "$(dirname "$0")/lib.sh"

grid() { # SETTING...: a grid of one cell with these settings, scored by $nfe steps
	printf 'schema = 1\n[grid]\nname = "later"\nseeds = { train = [1], eval = [101] }\n[base]\npreset = "ict-shapes8-ci"\n"train.steps" = 6\n"train.batch" = 8\n"net.channels" = 8\n' >g.toml
	printf '%s\n' "$@" >>g.toml
	printf '[[metric]]\nname = "fid"\nsamples = 100\nref = "shapes8-train"\nnfe = [%s]\n' "${nfe:-1}" >>g.toml
}
sct=('"method.kind" = "sct"' '"precond.kind" = "trigflow"' '"loss.kind" = "l2"' '"weight.kind" = "learned"' '"tangent.warmup" = 3')
trains() { # NAME SETTING...
	local name=$1; shift
	grid "$@"
	run ablate run g.toml --db "$name.db"; exits 0
	[ "$(sql "$name.db" "SELECT count(*) FROM metric WHERE name = 'fid' AND value > 0")" = 1 ] || fail "$name: no score"
}

test_losses_of_slct_train() {
	trains sum '"loss.kind" = "cauchy"'
	trains mean '"loss.kind" = "cauchy"' '"loss.reduce" = "mean"' '"loss.c_schedule" = "slct"'
	trains huber '"loss.c_schedule" = "slct-relative"'
	run ablate explain loss.c_schedule; exits 0; says out "exp(-1.15 ln m - 0.85)"
	grid '"loss.kind" = "l2"' '"loss.c_schedule" = "slct"'
	run ablate plan g.toml; exits 2; lines_of err 1; says err 'loss.c_schedule is of loss.kind = "pseudo-huber" and "cauchy"'
}

test_pictures_and_noise_are_paired_by_transport() {
	trains any '"noise.pairing" = "independent"'
	trains paired '"noise.pairing" = "transport"'
	check [ "$(sql any.db "SELECT value FROM metric WHERE name = 'fid'")" != "$(sql paired.db "SELECT value FROM metric WHERE name = 'fid'")" ]
	run ablate verify "$(sql paired.db "SELECT id FROM attempt LIMIT 1")" --db paired.db; exits 0
	grid '"noise.pairing" = "transport"'; sed -i 's/"train.batch" = 8/"train.batch" = 20000/' g.toml
	run ablate plan g.toml; exits 2; lines_of err 1; says err "pairs at most 16384 images: train.batch is 20000"
}

# A picture of two segments takes two evaluations, by a metric, by `ablate sample`, by whatever makes one.
test_a_model_of_segments_trains_and_is_sampled_through_them() {
	nfe=2,3 grid '"multistep.segments" = 2'
	run ablate run g.toml --db a.db; exits 0
	[ "$(sql a.db "SELECT count(*) FROM metric WHERE name = 'fid' AND nfe IN (2, 3)")" = 2 ] || fail "not both scores"
	ckpt=$(find a.db-runs -name '*.ckpt' | sort | tail -1)
	run ablate sample "$ckpt" --nfe 2 -n 4 -o two.npz; exits 0
	run ablate sample "$ckpt" -n 4 -o one.npz; exits 2; lines_of err 1
	says err "nfe = 1: a model of multistep.segments = 2 needs 2 network evaluations"; check [ ! -e one.npz ]
	run ablate sample "$ckpt" --inpaint shapes8 -n 2 -o edit.png; exits 2; says err "multistep.segments = 2"; check [ ! -e edit.png ]
	nfe=1 grid '"multistep.segments" = 2'
	run ablate plan g.toml; exits 2; lines_of err 1; says err 'metric "fid": nfe = 1: a model of multistep.segments = 2 needs 2'
}

# In continuous time: both trainings of one seed end in the same bits, also where one is stopped and goes on.
test_continuous_time_trains_and_refuses_what_it_does_not_have() {
	trains sct "${sct[@]}"
	run ablate run g.toml --db again.db; exits 0
	same=$(for db in sct again; do sql $db.db "SELECT value FROM metric WHERE name = 'fid'"; done | sort -u | wc -l)
	[ "$same" = 1 ] || fail "another score the second time"
	run ablate verify "$(sql sct.db "SELECT id FROM attempt LIMIT 1")" --db sct.db; exits 0
	grid "${sct[@]}" '"disc.s1" = 20'
	run ablate plan g.toml; exits 2; lines_of err 1
	says err 'g.toml:15:1: disc.s1 is a setting of method.kind = "ct" or "cd"; "sct" has tangent.c, tangent.warmup'
	grid "${sct[@]}" '"train.dtype" = "bf16"'
	run ablate plan g.toml; exits 2; lines_of err 1; says err "trains in fp32 or tf32"
}

# Both stages in one cell; the second's network is not asked below tcm.split.
test_a_truncated_training_has_two_stages_and_one_record() {
	tcm=('"method.kind" = "tcm"' '"tcm.first" = 0.5' '"sample.sigma_mid" = 1.5')
	nfe=1,2 grid "${tcm[@]}"
	run ablate run g.toml --db a.db; exits 0
	[ "$(sql a.db "SELECT count(*) FROM metric WHERE name = 'fid' AND nfe IN (1, 2) AND value > 0")" = 2 ] || fail "not both scores"
	run ablate verify "$(sql a.db "SELECT id FROM attempt LIMIT 1")" --db a.db; exits 0
	ckpt=$(find a.db-runs -name '*.ckpt' | sort | tail -1)
	run ablate sample "$ckpt" --inpaint shapes8 -n 2 -o edit.png; exits 2; lines_of err 1; says err "no answer below tcm.split = 1"
	nfe=1,2 grid '"method.kind" = "tcm"'
	run ablate plan g.toml; exits 2; lines_of err 1; says err 'metric "fid": nfe = 2: a model of method.kind = "tcm" has no answer below tcm.split = 1'
	grid '"method.kind" = "tcm"' '"tcm.first" = 0'
	run ablate plan g.toml; exits 2; lines_of err 1; says err "net.init must name the first stage's weights"
	grid '"method.kind" = "ect"' '"tcm.share" = 0.5'
	run ablate plan g.toml; exits 2; lines_of err 1; says err 'g.toml:11:1: tcm.share is a setting of method.kind = "tcm"; "ect" has '
	for preset in tcm-cifar10-tiny tcm-cifar10-small tcm-cifar10; do
		run ablate config $preset; exits 0; says out 'tcm.split = 1'
	done
}

# Its first stage may come from elsewhere, but not from a network of another shape.
test_a_first_stage_of_another_shape_is_refused() {
	trains ect '"method.kind" = "ect"'
	ckpt=$(find ect.db-runs -name '*.ckpt' | sort | tail -1)
	trains second '"method.kind" = "tcm"' '"tcm.first" = 0' "\"net.init\" = \"$ckpt\""
	grid '"method.kind" = "tcm"' '"tcm.first" = 0' "\"net.init\" = \"$ckpt\""
	sed -i 's/"net.channels" = 8/"net.channels" = 16/' g.toml
	run ablate plan g.toml; exits 2; lines_of err 1
	says err "g.toml:1:1: row \"base\": net.init: $ckpt: ema.map_layer0.weight is [32, 8], but the network of this config needs [64, 16]"
	sed -i 's|"net.init" = .*|"net.init" = "none.safetensors"|' g.toml
	run ablate plan g.toml; exits 0; says out "none.safetensors"
	# a frozen network of distillation, too
	grid '"method.kind" = "cd"' "\"cd.teacher\" = \"$ckpt\""; sed -i 's/"net.channels" = 8/"net.channels" = 16/' g.toml
	run ablate plan g.toml; exits 2; lines_of err 1; says err "cd.teacher: $ckpt: "
}

# Pictures of the average's own, and targets from references: by iCT's levels and by ECT's, and alike a second time.
test_pairs_of_a_step_train_and_refuse_what_they_are_not_for() {
	trains coupled '"coupling.generator_share" = 0.5'
	trains referred '"target.references" = 50' '"net.classes" = 4'
	trains coupled-ect '"method.kind" = "ect"' '"ect.stage_steps" = 3' '"coupling.generator_share" = 0.3'
	trains referred-ect '"method.kind" = "ect"' '"ect.stage_steps" = 3' '"target.references" = 4095'
	run ablate verify "$(sql referred.db "SELECT id FROM attempt LIMIT 1")" --db referred.db; exits 0
	run ablate explain target.references; exits 0; says out "arXiv:2410.18958"
	run ablate explain coupling.generator_share; exits 0; says out "arXiv:2406.09570"
	grid '"target.references" = 4096'
	run ablate plan g.toml; exits 2; lines_of err 1; says err "target.references = 4096, but shapes8 has 4096 training pictures"
	grid '"target.references" = 8' '"coupling.generator_share" = 0.5'
	run ablate plan g.toml; exits 2; lines_of err 1; says err "leave one of them at 0"
	grid '"coupling.generator_share" = 0.5' '"multistep.segments" = 2'
	run ablate plan g.toml; exits 2; lines_of err 1; says err "coupling.generator_share is of one segment"
	for knob in '"coupling.generator_share" = 0.5' '"target.references" = 8'; do
		grid "${sct[@]}" "$knob"
		run ablate plan g.toml; exits 2; lines_of err 1; says err 'is a setting of method.kind = "ct" or "ect"; "sct" has tangent.c'
	done
}

# MeanFlow: two trainings of one seed have the same bits, a picture takes as many steps as are asked for, and what belongs
# to another method's noise levels is refused.
test_mean_velocities_train_and_refuse_what_they_do_not_have() {
	flow=('"method.kind" = "meanflow"' '"precond.kind" = "flow"' '"precond.time_scale" = 1' '"loss.kind" = "l2"' '"weight.kind" = "adaptive"')
	nfe=1,2 grid "${flow[@]}"
	for db in once again; do
		run ablate run g.toml --db $db.db; exits 0
		sql $db.db "SELECT nfe, value FROM metric WHERE name = 'fid' ORDER BY nfe" >$db.fid
	done
	[ "$(wc -l <once.fid)" = 2 ] || fail "not both scores"
	same once.fid again.fid
	run ablate verify "$(sql once.db "SELECT id FROM attempt LIMIT 1")" --db once.db; exits 0
	ckpt=$(find once.db-runs -name '*.ckpt' | sort | tail -1)
	run ablate sample "$ckpt" --inpaint shapes8 -n 2 -o edit.png; exits 0
	run ablate sample "$ckpt" --interpolate 3 --nfe 2 -n 2 -o walk.png; exits 2; lines_of err 1; says err "leave --nfe at 1"
	run ablate sigma "$ckpt"; exits 2; lines_of err 1; says err "there is no level to find"
	grid "${flow[@]}" '"disc.s1" = 20'
	run ablate plan g.toml; exits 2; lines_of err 1
	says err 'g.toml:15:1: disc.s1 is a setting of method.kind = "ct" or "cd"; "meanflow" has meanflow.share'
	grid "${flow[@]}" '"train.dtype" = "bf16"'
	run ablate plan g.toml; exits 2; lines_of err 1; says err "trains in fp32 or tf32"
	trains other '"weight.kind" = "adaptive"' '"precond.kind" = "flow"'
}

# CT on a grid without end: the same bits again, the point that a stopped training left, and no settings of a grid.
test_continuous_time_trains_and_has_no_grid() {
	grid '"method.kind" = "ct-continuous"'
	for db in once again; do
		run ablate run g.toml --db $db.db; exits 0
		sql $db.db "SELECT value FROM metric WHERE name = 'fid'" >$db.fid
	done
	lines_of once.fid 1
	same once.fid again.fid
	run ablate verify "$(sql once.db "SELECT id FROM attempt LIMIT 1")" --db once.db; exits 0
	grid '"method.kind" = "ct-continuous"' '"disc.s1" = 20'
	run ablate plan g.toml; exits 2; lines_of err 1
	says err 'g.toml:11:1: disc.s1 is a setting of method.kind = "ct" or "cd"; "ct-continuous" has loss.c'
	grid '"method.kind" = "ct-continuous"' '"loss.kind" = "lpips-classifier"'
	run ablate plan g.toml; exits 2; lines_of err 1; says err 'set loss.kind = "l2" or "pseudo-huber"'
}

run_tests
