#!/bin/bash
# disk.sh - commands that write a file, on folders that cannot be written and disks that are full: one clear line, an exit
# code, and no half-written file.
. "$(dirname "$0")/lib.sh"

pictures() { mkdir -p pics && cp "$SOURCE"/tests/fixtures/png_modes/rgb.png pics/a.png && cp "$SOURCE"/tests/fixtures/png_modes/rgb.png pics/b.png; }

test_a_read_only_folder() {
	pictures
	read_only_folder ro
	run ablate features pics --extractor pixels -o ro/f.npz
	check test "$code" -ne 0
	says err "ro/f.npz"
	check test ! -e ro/f.npz
}

test_a_full_disk() {
	pictures
	small_disk full 16k
	head -c 100000 /dev/zero >full/ballast 2>/dev/null
	run ablate features pics --extractor pixels -o full/f.npz
	check test "$code" -ne 0
	says err "full/f.npz"
	check test "$(ls full)" = ballast
}

test_every_failing_write_of_a_file() {
	local at=1
	no_sanitizers
	pictures
	run ablate features pics --extractor pixels -o good.npz
	exits 0
	while [ $at -le 40 ]; do
		run with_shim SHIM_FAIL_AT=$at SHIM_FAIL_FOR=1 SHIM_PATH=f.npz "$ABLATE" features pics --extractor pixels -o f.npz
		if [ "$code" -eq 0 ]; then
			same f.npz good.npz
			break
		fi
		check test ! -e f.npz
		says err "f.npz"
		check test "$(ls | grep -c 'f.npz')" -eq 0
		at=$((at + 1))
	done
	check test $at -gt 1
	check test $at -le 40
}

test_a_folder_where_a_file_should_be() {
	pictures
	mkdir f.npz
	run ablate features pics --extractor pixels -o f.npz
	check test "$code" -ne 0
	says err "f.npz"
}

run_tests
