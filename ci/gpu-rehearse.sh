#!/bin/bash
# gpu-rehearse.sh - the GPU check as on a machine that has a driver, a Python with PyTorch's wheels and nothing else: no network, no CUDA
# Toolkit, no HOME, an empty environment. The wheels are NVIDIA's real ones, laid out as pip does; the card is emulated.
#   ci/gpu-rehearse.sh [WHEELS_FOLDER]      without: they are downloaded (1.2 GB); needs build/, and namespaces for this user
# Shows that the real cuBLASLt, cuDNN, cuSOLVER and NCCL are found there, by the program and by the plugin of build-cuda/ if there is one,
# and that all three parts of ci/gpu-check.sh end with a report. Nothing about a GPU.
. "$(dirname "$0")/lib.sh"
WHEELS="nvidia-cublas==13.1.* nvidia-cudnn-cu13==9.19.* nvidia-cusolver==12.0.* nvidia-cusparse==12.6.* nvidia-nvjitlink==13.0.* nvidia-nccl-cu13==2.28.*" # as PyTorch 2.11 asks for

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheels=${1:-}
if [ -z "$wheels" ]; then
	step "downloading $WHEELS"
	wheels=$work/wheels
	# shellcheck disable=SC2086 # a list
	python3 -m pip download --quiet --no-deps -d "$wheels" $WHEELS || die "the wheels cannot be downloaded"
fi
step "laying out the bundle and a Python"
python3 -m venv --without-pip "$work/python"
python3 -m pip install --quiet --no-index --no-deps --target "$(echo "$work"/python/lib/python3*/site-packages)" "$wheels"/nvidia_*.whl
ci/gpu-bundle.sh --lay-out "$work/bundle" build
[ ! -f build-cuda/libablate_cuda.so ] || cp build-cuda/libablate_cuda.so "$work/"

# In the namespace: the toolkit is covered and the network is gone. The sources stay, as tests look for the emulated card there.
cat >"$work/inside.sh" <<'INSIDE'
set -euo pipefail
work=$1 emulated=$2
for hidden in /usr/local/cuda*; do [ ! -d "$hidden" ] || [ -L "$hidden" ] || mount -t tmpfs none "$hidden"; done
cd "$work"
bare() { env -i PATH="$work/python/bin:/usr/bin:/bin" "$@"; }
bare bundle/ablate doctor >doctor.txt || true
grep -E '^ +(ok|note) +(cuBLASLt|cuDNN|cuSOLVER|NCCL) ' doctor.txt
for name in cuBLASLt cuDNN cuSOLVER NCCL; do
	grep -qE "^ +ok +$name +$work/python/lib/" doctor.txt || { echo "$name is not found in the wheels"; exit 1; }
done
if [ -f libablate_cuda.so ]; then # struct backend_plugin of model/graph/backend.h
	bare python3 -c '
import ctypes
class Plugin(ctypes.Structure):
    _fields_ = [("devices", ctypes.c_void_p), ("open", ctypes.c_void_p),
                ("lacks", ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_size_t))]
text = ctypes.create_string_buffer(256)
Plugin.in_dll(ctypes.CDLL("./libablate_cuda.so"), "ablate_backend_plugin").lacks(text, 256)
print("the plugin lacks:", text.value.decode() or "nothing")
raise SystemExit(bool(text.value))'
fi
for part in correctness speed study; do
	bare GPU_CHECK_LIMIT=1200 GPU_CHECK_PLUGIN="$emulated" bundle/ci/gpu-check.sh $part "report-$part"
	ls -l "report-$part"
done
INSIDE
step "rehearsing in a namespace"
unshare -rmn bash "$work/inside.sh" "$work" "$ROOT/build/tests/libablate_cuda_emu.so"
