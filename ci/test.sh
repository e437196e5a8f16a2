#!/bin/bash
# test.sh - packages, style, build with warnings as errors, the tests, then the fast ones again under AddressSanitizer and
# UndefinedBehaviorSanitizer. The last line is "N passed, N failed, N skipped", over all of it.
#   ci/test.sh [--fast|--all]      --fast: the fast tests (not the label "slow"), without the sanitizers; --all: the label "nightly"
#                                  too, every test under the sanitizers, the static analysers and the thread sanitizer (hours
#                                  on two cores)
. "$(dirname "$0")/lib.sh"
fast=no all=no tests=(-LE nightly) sanitized=()
case ${1-} in
'') ;;
--fast) fast=yes tests=(-LE 'slow|nightly') ;;
--all) all=yes tests=() sanitized=(--all) ;;
*) die "unknown option $1; there are --fast and --all" ;;
esac
ci/setup.sh build run test
mkdir -p build
counts=build/counts.txt

# Criterion shares memory between its processes, and without it says only "Could not initialize inheritable arena".
[ -w /dev/shm ] || die "/dev/shm is missing or cannot be written, which the tests need: mount -t tmpfs -o mode=1777 tmpfs /dev/shm"

step "style"
if ci/style.sh; then echo "1 passed, 0 failed"; else echo "0 passed, 1 failed"; fi >build/style.txt
grep -v ' passed, ' build/style.txt || true
tail -1 build/style.txt >$counts

step "configuring without each optional part"
ci/configure.sh >build/configure.txt || true
cat build/configure.txt
tail -1 build/configure.txt | grep ' passed, ' >>$counts || echo "0 passed, 1 failed" >>$counts

step "building"
build_preset default

# The CUDA plugin, where there is a toolkit: every kernel through nvcc, linked as it ships, for the oldest and the newest GPU, in a
# folder of its own: build-cuda is for all.
if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then
	step "compiling and linking the CUDA plugin with nvcc"
	if cmake --preset cuda -B build-nvcc "-DABLATE_CUDA_ARCHITECTURES=80-real;120" >build/nvcc.txt 2>&1 &&
	   cmake --build build-nvcc --target ablate_cuda -j "$(nproc)" >>build/nvcc.txt 2>&1 &&
	   ABLATE_CUDA_PLUGIN=$PWD/build-nvcc/libablate_cuda.so build/ablate doctor | grep -E '^ +(ok|note) +cuda ' | grep -vE 'built from other|not a back end|not opened|does not say'; then
		echo "1 passed, 0 failed" >>$counts
	else
		tail -40 build/nvcc.txt
		echo "0 passed, 1 failed" >>$counts
	fi
else
	step "no nvcc: the CUDA plugin is compiled for the emulation only"
	echo "0 passed, 0 failed, 1 skipped" >>$counts
fi

if [ $fast = no ]; then
	step "clang-tidy"
	ci/setup.sh lint
	ci/tidy.sh >build/tidy.txt || true
	cat build/tidy.txt
	tail -1 build/tidy.txt | grep ' passed, ' >>$counts || echo "0 passed, 1 failed" >>$counts
fi

step "testing"
log=build/ctest.log
ctest --test-dir build -V -j "$(nproc)" --no-tests=error "${tests[@]}" >$log 2>&1 || true
awk -f ci/count.awk $log >build/tests.txt || true
sed '$d' build/tests.txt | while read -r what name; do
	id=$(sed -nE "s/.*Test +#([0-9]+): $name .*/\1/p" $log | head -1)
	printf '\n-- %s %s\n' "$what" "$name"
	[ -z "$id" ] || sed -nE "s/^$id: //p" $log | tail -60
done
tail -1 build/tests.txt | tee -a $counts

if [ $fast = yes ]; then
	step "left to the whole loop"
	grep -HE '^# ctest: (slow|nightly), ' tests/e2e/*.sh | sed -E 's/^tests.e2e.(.*)\.sh:# ctest: ([a-z]+), /  e2e_\1: /'
else
	step "the fast tests under the sanitizers"
	ci/asan.sh --count "${sanitized[@]}" >build/asan.txt || true
	cat build/asan.txt
	tail -1 build/asan.txt | grep ' passed, ' >>$counts || echo "0 passed, 1 failed" >>$counts
fi

if [ $all = yes ]; then
	step "static analysers"
	if ci/analyse.sh >build/analyse.txt; then echo "1 passed, 0 failed" >>$counts; else echo "0 passed, 1 failed" >>$counts; fi
	cat build/analyse.txt
	step "races of threads"
	ci/tsan.sh >build/tsan.txt || true
	cat build/tsan.txt
	tail -1 build/tsan.txt | grep ' passed, ' >>$counts || echo "0 passed, 1 failed" >>$counts
fi

printf '\n'
awk '{ p += $1; f += $3; s += $5 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }' $counts
