#!/bin/bash
# gpu-bundle.sh - build the program with the CUDA plugin for every supported GPU and pack what a GPU machine needs to check and measure
# it into one archive: program, plugin, test programs, the shared libraries they need, fixtures, ci/gpu-check.sh.
#   ci/gpu-bundle.sh [OUT.tar.xz]     default: build-cuda/ablate-gpu.tar.xz
# The other side needs glibc 2.36 or newer, an NVIDIA driver, and CUDA 13's cuBLASLt, cuSOLVER and cuDNN 9 (any place that
# gpu-check.sh searches): these alone are hundreds of megabytes, so they are not packed.
. "$(dirname "$0")/lib.sh"
out=${1:-build-cuda/ablate-gpu.tar.xz}
limit=$((60 * 1000 * 1000))
command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ] || die "no nvcc: the plugin cannot be built here"

step "building"
build_preset cuda ablate ablate_cuda op_runner dtype_deviation test_backend test_cuda_train
[ -f build-cuda/libablate_cuda.so ] || die "build-cuda/libablate_cuda.so was not built"

step "packing"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
to=$root/ablate-gpu
mkdir -p "$to/tests" "$to/lib" "$to/ci" "$to/model"
cp build-cuda/ablate build-cuda/libablate_cuda.so "$to/"
for program in op_runner dtype_deviation test_backend test_cuda_train; do cp "build-cuda/tests/$program" "$to/tests/"; done
cp ci/gpu-check.sh "$to/ci/"
cp -r model/weights "$to/model/"
cp -r ablations "$to/"
git rev-parse HEAD >"$to/COMMIT" 2>/dev/null || echo unknown >"$to/COMMIT"
blas=$(ldconfig -p | awk '$1 == "libopenblas.so.0" && !n++ { print $NF }') # loaded at first use, so no program names it
[ -n "$blas" ] || die "no libopenblas.so.0: ci/setup.sh run"
cp -L "$blas" "$to/lib/libopenblas.so.0"
# every library but the C library's own, which the other side has
ldd "$to/ablate" "$to"/tests/* "$blas" | awk '$3 ~ "^/" { print $3 }' | sort -u | grep -vE '/(ld-linux|libc|libm|libdl|libpthread|librt)[-.]' |
	while read -r library; do cp -L "$library" "$to/lib/"; done
strip --strip-unneeded "$to"/ablate "$to"/tests/* "$to"/lib/* 2>/dev/null || true
tar -C "$root" -cf - ablate-gpu | xz -T0 -6 >"$out"
size=$(stat -c %s "$out")
echo "$out: $size bytes"
[ "$size" -lt "$limit" ] || die "$out: more than $limit bytes"
