#!/bin/bash
# gpu-archs.sh - which GPUs a library holds code for, read from the headers of its section .nv_fatbin: NVIDIA's cuobjdump is not part of
# every toolkit. Prints "elf sm_90" for machine code and "ptx sm_120" for what a newer driver translates; --holds compares with a list as
# CMake takes it, and fails naming what is missing.
#   ci/gpu-archs.sh LIBRARY
#   ci/gpu-archs.sh --holds LIBRARY "80-real;120"
set -euo pipefail

# A fat binary: magic, version and header size (16 bits each), size of what follows (64 bits). In it, one after the other: kind (1 PTX,
# 2 machine code) and version, header size, payload size (64 bits), ..., and at byte 28 the architecture.
list() { # LIBRARY
	local section
	section=$(mktemp)
	objcopy -O binary --only-section=.nv_fatbin --set-section-flags .nv_fatbin=alloc "$1" "$section"
	od -An -v -tu4 -w4 "$section" | awk '
		skip > 0 { skip--; next }
		{ word[n++] = $1 + 0 }
		where == "" && word[0] != 3126193488 { n = 0; next } # 0xba55ed50; zeros lie between
		where == "" && n == 4 { left = word[2] / 4; n = 0; skip = int(word[1] / 65536) / 4 - 4; where = left ? "entries" : ""; next }
		where == "entries" && n == 8 {
			print (word[0] % 65536 == 2 ? "elf" : "ptx") " sm_" word[7]
			size = (word[1] + word[2]) / 4
			left -= size; skip = size - 8; n = 0
			if (left <= 0) where = ""
		}' | LC_ALL=C sort -u
	rm -f "$section"
}

if [ "${1:-}" = --holds ]; then
	held=$(list "$2")
	missing=
	for arch in ${3//;/ }; do
		name=sm_${arch%%-*}
		case $arch in
		*-real) want="elf" ;;
		*-virtual) want="ptx" ;;
		*) want="elf ptx" ;;
		esac
		for kind in $want; do grep -qx "$kind $name" <<<"$held" || missing+=" $kind:$name"; done
	done
	[ -z "$missing" ] || { echo "$2 holds no code for$missing; it has: ${held//$'\n'/, }" >&2; exit 1; }
	exit
fi
list "$1"
