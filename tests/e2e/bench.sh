#!/bin/bash
# bench.sh - `ablate bench train` measures a step of training and nothing else: with the preset's dropout, on pictures of random
# bytes, never one that diverged; beside a product of random numbers. No speed is judged here.
# ctest: slow
. "$(dirname "$0")/lib.sh"

value() { sed -n "s/^ *\"$1\": \([^,]*\),*\$/\1/p" out; } # of a key in ./out, which has one configuration
small() { run ablate bench train --preset a --batch 2 --seconds 0.01 --json "$@"; }

# A loss that is not finite sets `diverged`, after which the optimizer returns at once: the step that was timed was none.
test_a_step_that_diverged_is_not_timed() {
	small --lr 1e20
	exits 1
	says err 'a: the loss is not finite after step 2'
	lines_of err 1
	says_not out step_s
	small; exits 0; says out '"loss_finite": true'
}

# The bench was quicker than training by the dropout that it left out.
test_dropout_is_the_presets_unless_it_is_said() {
	run ablate bench train --preset ict-cifar10 --batch 1 --seconds 0.01 --json; exits 0
	check [ "$(value dropout)" = 0.3 ]
	small; exits 0; check [ "$(value dropout)" = 0.0 ]; without=$(value loss)
	small --dropout 0.5; exits 0; check [ "$(value dropout)" = 0.5 ]
	check [ "$(value loss)" != "$without" ]
}

# The same pictures, noise and dropout by the same counters, so the same loss; and a ceiling that was not measured on zeros, which
# the bench itself looks for. ADM has labels too.
test_a_device_does_the_same_steps() {
	no_sanitizers
	export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so
	small --dropout 0.3; exits 0; on_cpu=$(value loss)
	small --dropout 0.3 --device cuda; exits 0
	[ "${on_cpu:0:6}" = "$(value loss | head -c 6)" ] || fail "losses $on_cpu and $(value loss)"
	says out '"ceiling_gflop_per_s"'
	small --device cuda --dtype bf16; exits 0
	unset ABLATE_CUDA_PLUGIN
}

test_a_batch_that_does_not_fit_names_one_that_does() {
	no_sanitizers
	export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so ABLATE_EMU_MEMORY=110000000
	run ablate bench train --preset a --batch 1024 --seconds 0.01 --device cuda
	exits 1
	says err 'a: --batch 1024 needs'
	fits=$(sed -n 's/.*; --batch \([0-9]*\) would fit$/\1/p' err)
	check [ "$fits" -ge 1 ]
	run ablate bench train --preset a --batch "$fits" --seconds 0.01 --device cuda; exits 0
	unset ABLATE_CUDA_PLUGIN ABLATE_EMU_MEMORY
}

run_tests "$@"
