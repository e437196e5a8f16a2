#!/bin/bash
# bench.sh - `ablate bench train` measures a step of training and nothing else: with the preset's dropout, on pictures of random
# bytes, never one that diverged; beside a product of random numbers. No speed is judged here.
# ctest: slow, benchmarks train for seconds each
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

# Every moment of a step is one part's, and each part that computes has a floor.
test_a_profile_names_where_a_step_goes() {
	small --profile --threads 2; exits 0
	if command -v python3 >/dev/null; then python3 - out <<'PY' 2>err || fail 'the profile as JSON'; fi
import json, sys
row = json.load(open(sys.argv[1]))["train"][0]
p, parts = row["profile"], row["profile"]["parts"]
assert list(parts) == "products transforms norms attention resampling optimizer elementwise batch waiting other".split(), list(parts)
for name, part in parts.items():
    assert list(part) == "what seconds share flops bytes floor_s times_floor".split(), part
    assert part["seconds"] >= 0 and abs(part["share"] * p["step_s"] - part["seconds"]) <= 1e-9, (name, part)
    counted = part["flops"] > 0 or part["bytes"] > 0
    assert (part["floor_s"] is not None) == (part["times_floor"] is not None) == counted, (name, part)
    if counted:
        assert abs(part["times_floor"] * part["floor_s"] - part["seconds"]) <= 1e-9, (name, part)
        floors = part["flops"] / 1e9 / p["ceiling_gflop_per_s"], part["bytes"] / 1e9 / p["ceiling_gbyte_per_s"]
        assert abs(part["floor_s"] - max(floors)) <= 1e-9, (name, part)
total = sum(part["seconds"] for part in parts.values())
assert p["step_s"] / 2 < total <= p["step_s"] * (1 + 1e-6), (total, p) # the step's clock is read before and after the parts'
assert p["steps"] == row["steps"] and p["ceiling_gflop_per_s"] == row["ceiling_gflop_per_s"], p
for name in "products norms attention resampling optimizer elementwise batch".split():
    assert parts[name]["seconds"] > 0 and parts[name]["bytes"] > 0, (name, parts[name])
assert parts["waiting"]["floor_s"] is None
flops = sum(part["flops"] for part in parts.values())
assert 0 < flops <= row["gflop_per_step"] * 1e9 * (1 + 1e-9), (flops, row)
PY
	without=$(value loss)
	small --threads 2; exits 0; says_not out '"profile"'
	check [ "$(value loss)" = "$without" ] # the clock is no part of the numbers
	run ablate bench train --preset quickstart --seconds 0.01 --profile; exits 0
	says out 'train  quickstart  ablations/quickstart.toml'
	for part in part products transforms norms attention resampling optimizer elementwise batch waiting other; do
		check [ "$(grep -c "^  $part  *[0-9m]" out)" = 1 ]
	done
}

test_a_profile_is_of_the_cpu() {
	no_sanitizers
	export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so
	small --profile --device cuda; exits 1; says err '--profile clocks the CPU'; says err ABLATE_PROFILE=1
	unset ABLATE_CUDA_PLUGIN
}

run_tests "$@"
