#!/bin/bash
# gpu-bundle.sh - build the program with the CUDA plugin for every supported GPU and pack what a GPU machine needs to check and measure
# it into one archive: program, plugin, test programs, the shared libraries they need, fixtures, Fashion-MNIST's training pictures,
# ci/gpu-check.sh.
#   ci/gpu-bundle.sh [OUT.tar.xz]           default: build-cuda/ablate-gpu.tar.xz
#   ci/gpu-bundle.sh --lay-out DIR BUILD    only the archive's content, of a build that is there already, with its plugin if it has one
# GPU_ARCHITECTURES="90-real" packs code for fewer GPUs (CMake's CMAKE_CUDA_ARCHITECTURES). The list is set at each call, whatever the build
# folder was configured with before, and the plugin is looked into: one without code for a card is found here and not on that card.
# Programs find lib/ beside them by themselves (preset cuda: an rpath, of the kind that libraries opened later are found by too), so other
# programs there, a Python with PyTorch, do not meet these libraries.
# The other side needs glibc 2.36 or newer and an NVIDIA driver for CUDA 13 (580 or newer), nothing else. CUDA 13's cuBLASLt (542 MB) and
# cuDNN 9 (384 MB) are not packed: the program opens them where that machine has them (model/cuda/nvidia.h: Python's packages nvidia-cublas
# and nvidia-cudnn-cu13, which PyTorch brings, will do), and uses its own kernels otherwise.
. "$(dirname "$0")/lib.sh"
PROGRAMS="op_runner preset_convs parity train_steps dtype_deviation test_backend test_cuda_train test_inception test_lpips_loss test_pictures test_device_moments test_device_singular"

GLIBC='ld-linux.*|libc|libm|libmvec|libdl|libpthread|librt|libresolv|libutil|libanl|libnsl|libnss_[a-z]*|libthread_db|libBrokenLocale'

lay_out() { # DIR BUILD
	local to=$1 build=$2 blas
	mkdir -p "$to/tests" "$to/lib" "$to/ci" "$to/model" "$to/fixtures"
	cp "$build/ablate" "$to/"
	[ ! -f "$build/libablate_cuda.so" ] || cp "$build/libablate_cuda.so" "$to/"
	for program in $PROGRAMS; do cp "$build/tests/$program" "$to/tests/"; done
	cp ci/gpu-check.sh ci/gpu-steps.sh ci/gpu-report.sh ci/gpu-ncu.awk "$to/ci/"
	cp -r tests/fixtures/train "$to/fixtures/"
	cp -r model/weights "$to/model/"
	cp -r ablations "$to/"
	mkdir "$to/results" && cp results/published.toml "$to/results/"
	git rev-parse HEAD >"$to/COMMIT" 2>/dev/null || echo unknown >"$to/COMMIT"
	blas=$(ldconfig -p | awk '$1 == "libopenblas.so.0" && !n++ { print $NF }') # loaded at first use, so no program names it
	[ -n "$blas" ] || die "no libopenblas.so.0: ci/setup.sh run"
	cp -L "$blas" "$to/lib/libopenblas.so.0"
	local programs=("$to/ablate" "$to"/tests/*_runner "$to/tests/parity" "$to/tests/dtype_deviation" "$to"/tests/test_* "$blas")
	[ ! -f "$to/libablate_cuda.so" ] || programs+=("$to/libablate_cuda.so")
	# every library but the C library's own, which the other side has: one of another version beside it would not start
	ldd "${programs[@]}" | awk '$3 ~ "^/" { print $3 }' | sort -u | grep -vE "/($GLIBC)[-.]" |
		while read -r library; do cp -L "$library" "$to/lib/"; done
	cp -r tests/peers "$to/tests/"
	if [ -d "$FASHION" ]; then
		mkdir -p "$to/data/fashion-mnist"
		cp -L "$FASHION"/train-*.gz "$to/data/fashion-mnist/" # no study of gpu-order.toml reads the others
	fi
}

FASHION=/usr/share/datasets/fashion-mnist # Debian's package dataset-fashion-mnist

if [ "${1:-}" = --lay-out ]; then
	lay_out "$2" "$3"
	exit
fi
out=${1:-build-cuda/ablate-gpu.tar.xz}
limit=$((64 * 1024 * 1024)) # what travels in one piece
architectures=${GPU_ARCHITECTURES:-80-real;86-real;89-real;90-real;100-real;120}
command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ] || die "no nvcc: the plugin cannot be built here"

step "building for $architectures"
cmake --preset cuda "-DABLATE_CUDA_ARCHITECTURES=$architectures" >/dev/null || die "cmake --preset cuda failed"
# shellcheck disable=SC2086 # a list
build_preset cuda ablate ablate_cuda $PROGRAMS
[ -f build-cuda/libablate_cuda.so ] || die "build-cuda/libablate_cuda.so was not built"
ci/gpu-archs.sh --holds build-cuda/libablate_cuda.so "$architectures" || die "the plugin is not what was asked for"

step "packing"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
to=$root/ablate-gpu
lay_out "$to" build-cuda
strip --strip-unneeded "$to"/ablate "$to"/tests/* "$to"/lib/* 2>/dev/null || true
tar -C "$root" --owner=0 --group=0 --mode=go-w -cf - ablate-gpu | xz -T0 -6 >"$out"
size=$(stat -c %s "$out")
echo "$out: $size bytes"
[ "$size" -lt "$limit" ] || die "$out: more than $limit bytes"
