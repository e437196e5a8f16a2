# gpu-steps.sh - the steps of ci/gpu-check.sh, which sources it: what each does, in what order, for how many seconds at most.

# ---- what steps are made of, exported for the shells that run them -------------------------------

# A library's path, as the program found it.
where_is() { awk -v name="$1" '$1 == "ok" && $2 == name { print $3 }' "$work/doctor.txt"; }
device() {
	./ablate doctor >"$work/doctor.txt" 2>&1
	cat "$work/doctor.txt"
	grep 'ok *cuda:0' "$work/doctor.txt"
}
# Without cuBLASLt or cuDNN the plugin's own kernels replace them; with them both routes are checked and measured. cuDNN opens its own parts late.
libraries() {
	local name at part lacks=0
	for name in cuBLASLt cuDNN cuSOLVER NCCL; do
		grep -E "^ +(ok|note) +$name " "$work/doctor.txt"
		[ -n "$(where_is $name)" ] || lacks=77
	done
	at=$(where_is cuDNN)
	for part in graph ops cnn heuristic engines_precompiled engines_runtime_compiled; do
		[ -z "$at" ] || [ -e "${at%/*}/libcudnn_$part.so.9" ] || { echo "${at%/*} has no libcudnn_$part.so.9: cuDNN will fail"; lacks=1; }
	done
	[ -z "$rehearsal" ] || { echo "a rehearsal needs none of them"; return 77; }
	[ $lacks -eq 0 ] || echo "not all of them are there: own kernels, or the host, do their work"
	return $lacks
}
sanitize() {
	command -v compute-sanitizer >/dev/null || { echo "no compute-sanitizer"; exit 77; }
	# own kernels alone: the libraries' are not ours to check, and slow to instrument
	ABLATE_CUBLASLT=none ABLATE_CUDNN=none exec compute-sanitizer --tool "$1" --error-exitcode 1 tests/op_runner --device cuda --types mixed
}
# Without that library a step is skipped.
has() { [ -n "$rehearsal" ] || [ -n "$(where_is "$1")" ] || { echo "no $1"; exit 77; }; }
# A command without the libraries; skipped where they are missing anyway.
own() {
	[ -n "$rehearsal" ] || [ -n "$(where_is cuBLASLt)$(where_is cuDNN)" ] || { echo "as without \"own\": the libraries are missing"; exit 77; }
	ABLATE_CUBLASLT=none ABLATE_CUDNN=none exec "$@"
}
has_torch() { python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null || { echo "no python3 with a PyTorch that finds this GPU"; exit 77; }; }
# PyTorch on the same card in the same run, in turn with ours.
peer() {
	has_torch
	exec python3 "tests/peers/$1_peer.py" "${@:2}" --device cuda --dtype bf16 --channels-last --compile --rounds 1 --beside ./ablate
}
# Do both do the same work? 20 steps on the same weights, data and noise.
equal() {
	has_torch
	exec python3 tests/peers/train_peer.py "$1" --batch 4 --device cuda --equal tests/train_steps
}
# One step's worth of launches behind the first (ict-cifar10 makes 828 of its own and calls libraries 589 times, counted under emulation): time and traffic of each kernel, in one pass without replay.
# ABLATE_PROFILE keeps steps out of a graph. Clocks stay as the benches had them.
kernels() {
	command -v ncu >/dev/null || { echo "no ncu"; exit 77; }
	ABLATE_PROFILE=1 ncu --clock-control none --metrics gpu__time_duration.sum,dram__bytes.sum --print-units base -s 1500 -c 1500 --csv --log-file "$work/ncu.csv" "$@" >"$work/ncu.out" 2>&1 ||
		tail -2 "$work/ncu.out" # it may have been cut off: what it measured counts
	if grep -hs ERR_NVGPUCTRPERM "$work/ncu.out" "$work/ncu.csv"; then exit 77; fi # only root may count here
	awk -f ci/gpu-ncu.awk "$work/ncu.csv"
}
# Of the samples that log_clocks took.
clock_table() {
	[ -s "$work/clocks.csv" ] || { echo "no nvidia-smi"; exit 77; }
	awk -F', *' '
		NR == 1 { for (i = 2; i <= NF; i++) head[i] = $i; next }
		{ for (i = 2; i <= NF; i++) { v = $i + 0; if (NR == 2 || v < low[i]) low[i] = v; if (NR == 2 || v > high[i]) high[i] = v; sum[i] += v } n++ }
		END { for (i = 2; i in head; i++) printf "%-28s %8.1f to %8.1f, mean %8.1f\n", head[i], low[i], high[i], n ? sum[i] / n : 0; print n " samples" }' "$work/clocks.csv"
}
pack() { # the records without what is large: the report's archive takes the folder
	[ -s "$work/study/order.db" ] || { echo "no database"; return 1; }
	cp -r ablations/gpu-order.toml "$work/study/" && du -sh "$work/study"
}
export -f where_is device libraries sanitize has own has_torch peer equal kernels clock_table pack
export rehearsal work

# ---- before the steps ----------------------------------------------------------------------------

# Where python3's packages keep NVIDIA's libraries: read once from a cold disk while the first steps run, as the device waits for them.
# The program asks Python itself; this is for the disk's sake, and for write_env.
packages=$(cd / && timeout 20 python3 -c 'import nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null)
read_ahead() { [ -z "$packages" ] || (cat "$packages"/*/lib/libcublasLt.so.13 "$packages"/*/lib/libcudnn*.so.9 >/dev/null 2>&1 &); }
log_clocks() {
	command -v nvidia-smi >/dev/null || return 0
	nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu,clocks_event_reasons.active --format=csv,nounits -lms 500 >"$work/clocks.csv" 2>/dev/null &
	clocks=$!
}

# ---- the parts -----------------------------------------------------------------------------------

ops=() training=() net=ict-cifar10 shapes=(--preset ict-cifar10 --batch 8) widths=(--preset ict-cifar10 --batch 8) pictures=128 small=64 middle=128 large=256 larger=1024 seconds=8 own_seconds=5 fixtures=()
if [ -n "$rehearsal" ]; then
	ops=(silu) training=(--filter 'cuda_train/two_*') net=ict-shapes8-ci shapes=(--preset ict-shapes8-ci --batch 2) widths=(--preset ict-cifar10-tiny --batch 1) pictures=1 small=2 middle=2 large=4 larger=6 seconds=0.2 own_seconds=0.2
	fixtures=(opt_unit ect_q2_stage0)
fi

part_correctness() {
	local types
	for types in float bf16 mixed; do
		step "ops-$types" 80 tests/op_runner --device cuda --types "$types" "${ops[@]}"
	done
	for types in float bf16; do
		step "ops-own-$types" 80 bash -c "own tests/op_runner --device cuda --types $types ${ops[*]}"
	done
	step convs 60 tests/preset_convs --device cuda "${widths[@]}"          # every convolution of a step, against double
	step train-steps 60 tests/train_steps --device cuda --float64 --steps 8 # by its distance from double, beside the CPU's
	step dtypes-ict 100 tests/dtype_deviation --device cuda "${shapes[@]}" # the shapes that training uses, which op_runner has not
	step parity 40 tests/parity --device cuda fixtures/train "${fixtures[@]}"
	step backend 40 tests/test_backend
	step training 90 tests/test_cuda_train "${training[@]}"
	step pictures 20 tests/test_pictures
	step moments 20 tests/test_device_moments
	step singular 20 bash -c 'has cuSOLVER && exec tests/test_device_singular'
	step features 60 tests/test_inception --filter 'inception/features_of_another*'
	step lpips 60 tests/test_lpips_loss
	step dtypes 90 tests/dtype_deviation --device cuda
	step memcheck 90 bash -c 'sanitize memcheck'
	step racecheck 90 bash -c 'sanitize racecheck'
}

# What comes before leaves the peer 280 s at least: it imports torch, compiles, and searches for the fastest convolutions.
part_speed() {
	step clocks-before 5 bash -c 'command -v nvidia-smi >/dev/null || { echo "no nvidia-smi"; exit 77; }; nvidia-smi -q -d CLOCK,PERFORMANCE'
	log_clocks
	step bench-bf16 35 ./ablate bench train --preset $net --batch $large --seconds $seconds --device cuda --dtype bf16 --json
	step bench-bf16-$larger 45 ./ablate bench train --preset $net --batch $larger --seconds $seconds --device cuda --dtype bf16 --json
	step profile 30 env ABLATE_PROFILE=1 ./ablate bench train --preset $net --batch $large --seconds $own_seconds --device cuda --dtype bf16
	step bench-beside-pytorch 300 bash -c "peer train $net --batch $large --seconds $seconds"
	step bench-tuned-bf16 60 env ABLATE_CUDNN_TUNE="$work/engines" ./ablate bench train --preset $net --batch $large --seconds $seconds --device cuda --dtype bf16 --json
	step bench-tuned-again-bf16 45 env ABLATE_CUDNN_TUNE="$work/engines" ./ablate bench train --preset $net --batch $large --seconds $own_seconds --device cuda --dtype bf16 --json
	[ -z "${clocks:-}" ] || { kill "$clocks" 2>/dev/null; clocks=; }
	step clocks 10 bash -c clock_table
	step ncu 120 bash -c "kernels ./ablate bench train --preset $net --batch $large --seconds 0.01 --device cuda --dtype bf16"
	step bench-features-bf16 40 ./ablate bench features --batch $pictures --seconds $seconds --device cuda --dtype bf16 --json
	step bench-fp32 40 ./ablate bench train --preset $net --batch $small --seconds $seconds --device cuda --dtype fp32 --json
	# the plugin's own products and convolutions, beside the libraries'
	step bench-own-bf16 40 bash -c "own ./ablate bench train --preset $net --batch $large --seconds $own_seconds --device cuda --dtype bf16 --json"
	step bench-own-fp32 30 bash -c "own ./ablate bench train --preset $net --batch $small --seconds $own_seconds --device cuda --dtype fp32 --json"
	[ -n "$rehearsal" ] || # minutes on fibers
		step bench-own-features-bf16 30 bash -c "own ./ablate bench features --batch $pictures --seconds $own_seconds --device cuda --dtype bf16 --json"
	step bench-tf32 40 ./ablate bench train --preset $net --batch $middle --seconds $seconds --device cuda --dtype tf32 --json
	step bench-features-fp32 40 ./ablate bench features --batch $pictures --seconds $seconds --device cuda --dtype fp32 --json
	step bench-pictures 20 ./ablate bench pictures --seconds 2 --json
	step equal-work 100 bash -c "equal $net-tiny"
	step bench-features-beside-pytorch 100 bash -c "peer features --batch $pictures --seconds $seconds"
}

# Training to a table of FID, by the program as people use it. Where the run is cut off, the table shows what is done.
part_study() {
	local grid=ablations/gpu-order.toml data verify_it=(--sample 1%) run_it=(-j 2)
	mkdir -p "$work/study" "$ABLATE_CACHE/data"
	for data in "${FASHION_MNIST:-}" data/fashion-mnist ../data/fashion-mnist ../fashion-mnist; do
		[ ! -e "$data/train-images-idx3-ubyte.gz" ] || [ -e "$ABLATE_CACHE/data/fashion-mnist" ] || ln -s "$(cd "$data" && pwd)" "$ABLATE_CACHE/data/fashion-mnist"
	done
	if [ -n "$rehearsal" ]; then # another data set, of pictures that the emulation can afford
		grid=$work/study/small.toml
		sed -e 's/fashion-mnist/shapes8/; s/channels = [0-9]*, mult = \[1, 2, 2\]/channels = 8, mult = [1, 1]/; s/attn = \[7\]/attn = [4]/; s/steps = 3000, batch = 256/steps = 2, batch = 2/' \
			-e 's/s0 = 8, s1 = 64/s0 = 2, s1 = 4/; s/samples = 5000/samples = 20/; s/nfe     = \[1, 2\]/nfe = [1]/; /fid@2/s/, "fid@2"//; s/train = \[1, 2\]/train = [1]/; /^fixed-steps/d; s/, "fixed-steps"//' ablations/gpu-order.toml >"$grid"
	fi
	export ABLATE_DB=$work/study/order.db
	step study-run 400 ./ablate run "$grid" --device cuda "${run_it[@]}"
	step study-table 20 ./ablate table "$grid"
	step study-report 30 ./ablate report "$grid" -o "$work/study/report.html"
	step study-pack 20 bash -c pack
	step study-verify 90 ./ablate verify "$grid" --device cuda "${verify_it[@]}"
	unset ABLATE_DB
}
