#!/bin/bash
# sample.sh - images of a trained cell: to look at, and to be scored by this and other tools.
. "$(dirname "$0")/lib.sh"

trained() { # [EXTRA]: a cell, and its checkpoint in $ckpt
	printf 'schema = 1\n[grid]\nname = "small"\nseeds = { train = [1], eval = [101] }\n[base]\npreset = "ict-shapes8-ci"\n"train.steps" = 3\n"train.batch" = 4\n"net.channels" = 8\n%b' "${1:-}" >g.toml
	run ablate run g.toml --db a.db; exits 0
	ckpt=$(find a.db-runs -name '*.ckpt' | sort | tail -1)
	check [ -n "$ckpt" ]
}
near_nothing() { check awk -v most="$1" '/"value"/ { v = $2 + 0; seen = 1 } END { exit !(seen && v < most && v > -most) }' out; } # the score in out
nothing_left() { check [ -z "$(find . -name '*.tmp-*')" ]; }

test_a_folder_and_an_array_hold_the_same_images() {
	trained
	run ablate sample "$ckpt" -n 520 -o files/; exits 0; says out "files/"
	run ablate sample "$ckpt" -n 520 -o array.npz; exits 0
	check [ "$(find files -name '*.png' | wc -l)" -eq 520 ]
	check [ -s files/00519.png ]
	run ablate fid files array.npz -e pixels --json; exits 0; near_nothing 1e-9
	# image i is the same whatever their number
	run ablate sample "$ckpt" -n 7 -o few/; exits 0
	for i in 0 3 6; do same "few/0000$i.png" "files/0000$i.png"; done
	nothing_left
}

# What is edited is named as for a score: a data set is its test split unless the name says otherwise, a folder wins.
test_an_edit_takes_a_data_set_by_name() {
	trained
	run ablate sample "$ckpt" --inpaint shapes8 -n 2 -o bare.png; exits 0
	run ablate sample "$ckpt" --inpaint shapes8-test -n 2 -o test.png; exits 0; same bare.png test.png
	run ablate sample "$ckpt" --inpaint shapes8-train -n 2 -o train.png; exits 0; check [ "$(sha256sum <train.png)" != "$(sha256sum <test.png)" ]
	run ablate sample "$ckpt" --inpaint cifar -n 2 -o none.png; exits 1; says err "cifar: no such file or folder"; says err "cifar10?"
	mkdir shapes8; cp "$SOURCE/tests/fixtures/png_modes/rgb.png" shapes8/
	run ablate sample "$ckpt" --inpaint shapes8 -n 2 -o none.png; exits 2; says err "shapes8/rgb.png"; says err "read as the path"
	check [ ! -e none.png ]; nothing_left
}

# A JPEG ending once gave a PNG under that name. Nothing is opened first: the checkpoint need not even be there.
test_an_ending_of_no_kind_is_refused() {
	for name in s.jpg s.PNG s s.npy; do
		run ablate sample none.ckpt -o $name; exits 2; says err "-o $name: samples are written as"; says err "(-o s.png)"; lines_of err 1
		check [ ! -e $name ]
	done
	run ablate sample none.ckpt -o no.such/s; exits 2; says err "(-o no.such/s.npz)"
	run ablate sample none.ckpt -o .png; exits 2; says err "(-o .png.png)"
}

test_classes_go_along() {
	trained '"net.classes" = 5\n'
	run ablate sample "$ckpt" -n 40 -o array.npz; exits 0
	says array.npz arr_0.npy; says array.npz arr_1.npy
}

test_a_device_draws_them_too() {
	no_sanitizers
	trained
	export ABLATE_CUDA_PLUGIN=$BUILD/tests/libablate_cuda_emu.so
	run ablate sample "$ckpt" -n 64 -o cpu/; exits 0
	run ablate sample "$ckpt" -n 64 --device cuda -o cuda/; exits 0
	run ablate fid cpu cuda -e pixels --json; exits 0
	near_nothing 1e-4
	run ablate sample "$ckpt" --device cuda:7; exits 2; says err "there is 1 CUDA device"
}

test_what_is_there_is_not_written_over() {
	trained
	mkdir files empty; echo mine >files/a
	run ablate sample "$ckpt" -n 4 -o files; exits 1; says err "files: Directory not empty"
	same files/a <(echo mine)
	run ablate sample "$ckpt" -n 4 -o empty/; exits 0
	check [ -s empty/00003.png ]
	run ablate sample "$ckpt" -n 4 -o missing/x.npz; exits 1; says err "missing/x.npz"
	run ablate sample "$ckpt" --interpolate 3 -o x.npz; exits 2; says err "-o FILE.png"
	nothing_left
}

test_a_full_disk_leaves_nothing() {
	trained
	small_disk full 100k
	run ablate sample "$ckpt" -n 2000 -o full/files/; exits 1; says err "full/files.tmp-"
	run ablate sample "$ckpt" -n 5000 -o full/x.npz; exits 1; says err "full/x.npz"
	check [ -z "$(ls -A full)" ]
}

run_tests
