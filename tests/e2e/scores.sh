#!/bin/bash
# scores.sh - fid, kid, is, pr, metrics and features as a script meets them: sources, protocols, and bad input that is named
# in one line with nothing left behind. The extractor "pixels" needs no weights.
. "$(dirname "$0")/lib.sh"

PNG=$SOURCE/tests/fixtures/png_modes
two_sets() {
	mkdir a b
	cp "$PNG"/{rgb,l,p,la}.png a/
	cp "$PNG"/{rgba,p_trns,bit1}.png "$PNG"/rgb_q95.jpg b/
}
# One line that names the file, and no output.
refused() { # CODE TEXT...
	local wanted=$1
	shift
	exits "$wanted"; lines_of out 0
	[ "$(grep -c '^ablate: ' err)" -eq 1 ] || fail "not one line"
	for text in "$@"; do says err "$text"; done
}

test_fid_of_two_folders() {
	two_sets; run ablate fid -e pixels a b
	exits 0; says out "fid:pixels:none:u8:n4:ref="; says out "lower is better"; says err "4 images in 192 dimensions"
}

test_fid_of_a_set_with_itself_is_zero() {
	two_sets; run ablate fid -e pixels a a --json; exits 0
	check awk -F'[:,]' '/"value"/ { v = $2; found = 1 } END { exit !(found && v < 1e-9 && v > -1e-9) }' out
}

test_features_give_the_same_scores_as_the_images() {
	two_sets
	run ablate metrics -e pixels a b --only kid --only pr --only fid; exits 0; cp out direct
	check ablate -q features -e pixels a -o a.npz >/dev/null
	check ablate -q features -e pixels b -o b.npz >/dev/null
	run ablate metrics a.npz b.npz --only kid --only pr --only fid; exits 0; same out direct
	check ablate -q features -e pixels b --stats-only -o s.npz >/dev/null
	run ablate fid -e pixels a s.npz; exits 0; says direct "$(head -1 out)"
	run ablate kid a.npz s.npz; refused 1 s.npz "statistics alone"
}

# An array file: npy DESCR SHAPE <bytes >x.npy
npy() {
	printf '\x93NUMPY\x01\x00\x76\x00'
	printf '%-117s\n' "{'descr': '$1', 'fortran_order': False, 'shape': $2, }"
	cat
}

# guided-diffusion's reference batches hold pictures and the statistics of more pictures than these; its evaluator.py
# takes the distances from the statistics and the rest from the pictures.
test_a_batch_with_statistics_beside_its_pictures() {
	command -v zip >/dev/null && command -v unzip >/dev/null || skip "no zip"
	two_sets
	check ablate -q features -e pixels b --stats-only -o s.npz >/dev/null
	check unzip -q s.npz mu.npy sigma.npy
	head -c 768 "$PNG/rgb_q95.jpg" | npy '|u1' '(4, 8, 8, 3)' >arr_0.npy
	zip -q V.npz arr_0.npy mu.npy sigma.npy
	zip -q P.npz arr_0.npy
	zip -q S.npz mu.npy sigma.npy

	run ablate metrics -e pixels a V.npz --only fid --only pr; exits 0
	says err "V.npz holds statistics and pictures: its mu and sigma (sfid: mu_s, sigma_s) are used for fid, its 4 pictures for pr"
	says err "V.npz: carries no protocol"
	cp out both
	run ablate fid -e pixels a S.npz; exits 0; says both "$(sed -n 1p out)"; says both "$(sed -n 2p out)"
	run ablate pr -e pixels a P.npz; exits 0; says both "$(sed -n 1p out)"; says both "$(sed -n 2p out)"
	# as the first side too, where no picture need go through the network
	run ablate fid -e no-such-network V.npz S.npz; exits 0; says out 'fid:unknown:n?:ref='
	run ablate fid -e pixels V.npz S.npz --json; exits 0; says out '"statistics_sha256"'
	run ablate pr -e pixels V.npz a; exits 0; says out n4
	run ablate features -e pixels V.npz -o f.npz; exits 0; says err "its own mu and sigma are not used"
	# statistics that do not fit the other side are refused before any work
	run ablate fid -e all-pixels a V.npz; exits 5; lines_of out 0; says err "V.npz has features of 192 dimensions"
}

test_the_same_features_twice_are_the_same_bytes() {
	two_sets
	check ablate -q features -e pixels a -o 1.npz >/dev/null
	check ablate -q features -e pixels a -o 2.npz >/dev/null
	same 1.npz 2.npz
}

test_a_zip_scores_like_its_folder() {
	command -v zip >/dev/null || skip "no zip"
	two_sets; (cd a && zip -q ../a.zip ./*)
	run ablate fid -e pixels a b; cp out folder; run ablate fid -e pixels a.zip b; exits 0; same out folder
}

# HDF5 files score by what is in them, whatever the order of axes, the chunks and the packing. The library is opened when
# such a file is met; without it, one line says what to install, and all else works.
test_hdf5() {
	local lib h=$SOURCE/tests/fixtures/hdf5
	lib=$(ldconfig -p | awk '$1 == "libhdf5_serial.so.103" { print $NF; exit }')
	[ -n "$lib" ] || skip "no libhdf5_serial.so.103: ci/setup.sh run"
	two_sets
	check ablate -q features -e pixels "$h/plain.h5" -o plain.npz >/dev/null
	check ablate -q features -e pixels "$h/imgs.h5" -o imgs.npz >/dev/null
	check ablate -q features -e pixels "$h/packed.h5" -o packed.npz >/dev/null
	same plain.npz imgs.npz; same plain.npz packed.npz
	run ablate fid "$h/stats.h5" "$h/stats.h5"; exits 0; says out "fid:pixels:none:u8:n?:ref="
	run ablate fid "$h/single.h5" "$h/double.h5"; exits 0; says out "n 7"
	run ablate fid "$h/text.h5" a -e pixels; refused 1 "text.h5:protocol: text of variable length"
	run ablate fid "$h/lzf.h5" a -e pixels; refused 1 "lzf.h5:images: packed by the filter 32000 (lzf)"
	run ablate data import mine "$h/imgs.h5"; exits 0; says out "7 images" "3 classes"
	[ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null || skip "no mount namespace here: not tried without the library"
	blind() { run unshare -m bash -c "mount --bind /dev/null '$(readlink -f "$lib")' && exec '$ABLATE' fid -e pixels '$1' b"; }
	blind "$h/imgs.h5"; refused 1 "imgs.h5: an HDF5 file: there is no libhdf5_serial.so.103; install Debian's package libhdf5-103-1"
	blind a; exits 0
}

# As it is published, without unpacking; an archive that lacks a file is not the training set.
test_the_archive_of_cifar10() {
	local k set=cifar-10-batches-py
	mkdir $set
	for k in 1 2 3 4 5; do cp "$SOURCE/tests/fixtures/numpy/cifar_batch" $set/data_batch_$k; done
	cp $set/data_batch_1 $set/test_batch
	tar -czf cifar-10-python.tar.gz $set
	run ablate features -e pixels $set -o folder.npz; exits 0
	run ablate features -e pixels cifar-10-python.tar.gz -o archive.npz; exits 0; same folder.npz archive.npz
	tar -cf short.tar $set/data_batch_1 $set/data_batch_2
	run ablate fid -e pixels short.tar $set; refused 1 "short.tar: 2 of the 5 files of CIFAR-10's training set"
}

test_statistics_of_another_protocol_are_refused_before_any_work() {
	two_sets
	check ablate -q features -e pixels a -o a.npz >/dev/null
	run ablate fid a.npz b -e classifier
	check test "$code" -ne 0; lines_of out 0
	sed 's/pixels:none:u8/pixels:none:u7/' a.npz >other.npz
	run ablate fid other.npz b -e pixels; check test "$code" -ne 0; lines_of out 0; says err other.npz
}

test_a_text_file_beside_images_is_named() {
	two_sets; echo hello >a/notes.txt
	run ablate fid -e pixels a b; exits 0; says err "a/notes.txt: not an image, left out"
}

test_a_text_file_with_an_images_name() { two_sets; echo hello >a/x.png; run ablate fid -e pixels a b; refused 1 "a/x.png: not a picture by its first bytes"; }
test_a_format_that_peers_would_read() { two_sets; echo BM >a/x.bmp; run ablate fid -e pixels a b; refused 1 a/x.bmp "convert it to PNG"; }
test_a_truncated_png() { two_sets; head -c 300 "$PNG/rgb.png" >a/x.png; run ablate fid -e pixels a b; refused 1 "a/x.png: truncated PNG"; }
test_mixed_sizes() {
	two_sets; big a/z.png; run ablate fid -e pixels a b; refused 1 "a/z.png: 2 x 3 pixels" "give --mixed-sizes"
	run ablate fid -e pixels a b --mixed-sizes; exits 0; says out "fid:pixels:none:u8-mixed:"
	run ablate fid -e pixels a b --mixed-sizes -n 3 --seed 1; exits 0; says out "u8-mixed:n3of5-seed1" # z.png is drawn
	run ablate fid -e all-pixels a b --mixed-sizes; refused 2 "pictures of one size"
	check ablate features -e pixels b -o b.npz >/dev/null 2>&1
	run ablate fid -e pixels a b.npz --mixed-sizes; exits 0; says out "fid:pixels:none:u8-mixed:"
}
test_a_picture_of_one_pixel() { mkdir a; dot a/1.png; dot a/2.png; run ablate fid -e pixels a a; refused 1 a/1.png "1 x 1 pixels"; }
test_no_images() { two_sets; mkdir c; run ablate fid -e pixels a c; refused 1 "c: contains no images"; }
test_only_folders() { two_sets; mkdir -p c/d; run ablate fid -e pixels a c; refused 1 "c: contains no images"; }
# How pictures are packed changes no score, with archives as the tools of the system write them.
test_a_folder_and_its_tar_are_one_set() {
	two_sets; mkdir -p "a/sub folder"; cp "$PNG/rgb.png" "a/sub folder/no ending"; cp a/*.png b/; echo text >a/README
	tar -cf a.tar -C a .; tar -czf a.tgz --format=pax a; tar -cf v7.tar --format=v7 a
	check ablate features -e pixels a -o folder.npz >/dev/null 2>&1
	for archive in a.tar a.tgz v7.tar; do
		run ablate features -e pixels $archive -o packed.npz; exits 0
		says err "README: not an image, left out"; same folder.npz packed.npz
	done
	ln -s ../b a/link; tar -cf linked.tar a; run ablate fid -e pixels linked.tar b; refused 1 "linked.tar:a/link: a link, which is not followed"
	tar -chf followed.tar a; run ablate fid -e pixels followed.tar b; exits 0
}
test_one_image() { two_sets; mkdir c; cp "$PNG/rgb.png" c/; run ablate fid -e pixels a c; refused 1 "c: one image"; }
test_a_source_that_is_not_there() { two_sets; run ablate fid -e pixels a nowhere; refused 1 "nowhere: no such file or folder"; }
# A data set scores by its name, as a grid's ref names it; grey arrays, sets and PNG files of the same pixels are one set.
test_a_data_set_is_a_source() {
	run ablate fid -e pixels shapes8-test shapes8 --json; exits 0
	says out '"path": "shapes8-test"'; says out '"n": 1024'; says out '"n": 4096'
	run ablate fid -e pixels shapes8-train shapes8 --no-interval; exits 0; says out "n 4096"
	run ablate fid -e pixels shapes8@4 shapes8@4-test --no-interval; exits 0
	run ablate features -e pixels shapes8-test -o t.npz; exits 0; says out "1024 x 192"
	run ablate kid shapes8-train t.npz -e pixels; exits 0
	mkdir shapes8; cp "$PNG"/{rgb,l,p,la}.png shapes8/
	run ablate fid -e pixels shapes8 shapes8 --no-interval; exits 0; says err "shapes8: read as the path of that name, not as the data set shapes8"
	says out "n 4,"
}
test_a_name_that_is_neither() {
	two_sets
	run ablate fid -e pixels a shapes9-test; refused 1 "shapes9-test: no such file or folder" "unknown data set 'shapes9'" "shapes8?"
	run ablate lpips a shapes9; refused 1 "shapes9: no such file or folder" "shapes8?"
	run ablate features -e pixels ./shapes8 -o x.npz; refused 1 "./shapes8: no such file or folder"; says_not err "data set"
	run env ABLATE_DATA="$PWD/none" "$ABLATE" fid -e pixels a cifar10-test; refused 1 "data set cifar10 not found"
}

# -n draws at random from the first set alone: the first N of a set sorted by class are one class, and a reference cut to
# N is another reference. The score is that of a folder with the files that numpy draws:
# sorted(RandomState(7).choice(6, 4, replace=False)) is 0 2 3 5.
test_a_random_subset() {
	two_sets; cp "$PNG"/{bit1,p_trns}.png a/
	local names=(bit1 l la p p_trns rgb) i
	mkdir some; for i in 0 2 3 5; do cp "a/${names[$i]}.png" some/; done
	run ablate fid -e pixels a b -n 4 --seed 7 --json; exits 0; cp out drawn
	run ablate fid -e pixels some b --json; exits 0
	check [ "$(grep '"hex"' out)" = "$(grep '"hex"' drawn)" ]
	says drawn ":n4of6-seed7:ref="; says drawn '"drawn": "of6-seed7"'; says out ":n4:ref="
	check [ "$(grep -o 'ref=[0-9a-f]*' out)" = "$(grep -o 'ref=[0-9a-f]*' drawn)" ]
	run ablate fid -e pixels a b -n 4; exits 0; says out ":n4of6-seed0:"
	run ablate fid -e pixels a b -n 6; exits 0; says out ":n6:ref="
	run ablate fid -e pixels b a -n 4; exits 0; says out ":n4:ref="
	run ablate fid -e pixels a b -n 7; refused 2 "-n 7: a has 6 pictures"
	run ablate fid -e pixels a b --seed 7; refused 2 "--seed belongs to -n"
	# features of a subset say so wherever they go
	check ablate -q features -e pixels a -n 4 --seed 7 -o some.npz >/dev/null
	run ablate fid some.npz b -e pixels; exits 0; says out ":n4of6-seed7:ref="
	run ablate fid some.npz b -e pixels -n 2; refused 2 "some.npz holds features already"
}
# Sorted by class, each of the splits would be of few classes.
test_the_inception_score_is_shuffled() {
	run ablate is -e classifier:b shapes8-test; exits 0; says out "is(10,shuffled):"; cp out shuffled
	run ablate is -e classifier:b shapes8-test --no-shuffle; exits 0; says out "is(10):"
	check [ "$(head -1 out)" != "$(head -1 shuffled)" ]
	run ablate is -e classifier:b shapes8-test --shuffle; exits 0; same out shuffled
	run ablate is -e classifier:b shapes8-test --shuffle --no-shuffle; refused 2 "give one of them"
	run ablate metrics -e classifier:b shapes8-test shapes8-test --only is; exits 0; says out "$(head -1 shuffled)"
	run ablate is -e classifier:b shapes8-test -n 8; refused 2 "10 splits"
	run ablate is -e classifier:b shapes8-test -n 8 --splits 8; exits 0
}
test_a_fifo_is_not_waited_for() {
	two_sets; mkfifo a/x.png c.npz
	run timeout 20 "$ABLATE" fid -e pixels a b; refused 1 "a/x.png: not a regular file"
	run timeout 20 "$ABLATE" fid -e pixels b c.npz; refused 1 "c.npz: neither a regular file nor a folder"
	run timeout 20 "$ABLATE" weights import lpips-alex c.npz --other; refused 1 "c.npz: not a regular file"
	run timeout 20 "$ABLATE" lpips c.npz c.npz; refused 1 "c.npz: neither a regular file nor a folder"
}
test_a_size_that_the_extractor_does_not_take() { two_sets; run ablate fid -e classifier:b --resize none a b; refused 1 "a: a picture of" "28x28"; }
# Whatever the size: the picture is resized, and the protocol says how.
test_the_classifier_takes_any_size() {
	two_sets; run ablate fid -e classifier:b a b; exits 0; says out "fid:classifier-b@" ":torch-bilinear:"
	cp out b; run ablate fid -e classifier a b; exits 0
}
# What a half-width is of is said beside it; an extrapolation from few pictures, or to less than nothing, is no number.
test_intervals_say_what_they_cover() {
	run ablate metrics -e pixels shapes8-test shapes8 --only fid --only fid_infinity --only kid --only pr; exits 0
	says out "(95 %, jackknife over the first set: of FID at this n, bias not included), n 1024"
	says out "(95 %, jackknife over the first set and scatter about the line), n 1024"
	says out "(95 %, jackknife over both sets: unbiased, so of KID at any n), n 1024"
	check grep -q '^precision .* ± .*(95 %, jackknife over the first set), n 1024' out
	check grep -q '^recall *[0-9.]*, n 1024' out
	says err "1024 images in 192 dimensions: too few for a straight line over 1/n, which takes about 30 for each"
	run ablate fid -e pixels shapes8-train shapes8-train --infinity --no-interval; exits 0; check grep -q '^fid_infinity  *-[0-9.e-]*, n 4096' out
	says err "the limit is a guess, and a limit below 0 says no more"
}
# A network of one's own, trained by a command, scores by its file; what is no such file is named.
test_a_classifier_of_ones_own() {
	two_sets
	check ablate classifier shapes8 --network b --epochs 1 -o own.safetensors >/dev/null
	check ablate classifier shapes8 --network b --epochs 1 -o again.safetensors >/dev/null
	same own.safetensors again.safetensors
	run ablate fid -e classifier -w own.safetensors a b; exits 0; says out "fid:classifier@$(sha256sum own.safetensors | head -c 8):"
	run ablate fid -e classifier -w a/1.png a b; refused 1 a/1.png
	run ablate classifier shapes8 --network c; refused 2 "'c' is not one of these"
}
test_all_pixels_are_features() { two_sets; run ablate fid -e all-pixels a b; exits 0; says out "fid:all-pixels:none:u8"; }
test_an_empty_file() { two_sets; : >c.npz; run ablate fid -e pixels a c.npz; refused 1 "c.npz: empty file"; }
test_a_file_of_no_kind() { two_sets; echo text >c.dat; run ablate fid -e pixels a c.dat; refused 1 "c.dat: not a folder"; }
test_an_unknown_extractor() { two_sets; run ablate fid -e pixel a b; refused 2 "no extractor 'pixel'" pixels; }
test_an_unknown_metric() { two_sets; run ablate metrics -e pixels a b --only fdi; refused 2 fdi; }
test_a_score_that_the_extractor_cannot_give() { two_sets; run ablate is -e pixels a; refused 2 "'pixels' gives no class scores"; }
test_subsets_larger_than_the_sets() { two_sets; run ablate kid -e pixels a b --subsets 3; refused 2 1000 "from 4 and 4"; }
test_more_neighbours_than_pictures() { two_sets; run ablate pr -e pixels a b -k 4; refused 2 "k = 4 need at least 5 generated"; }

# k is 5 by default: four images are too few, which is said. A set with itself holds each of its own in k balls.
test_density_and_coverage() {
	two_sets
	run ablate prdc -e pixels a b; refused 1 "at least 6 generated vectors, not 4"
	run ablate prdc -e pixels -k 2 a a; exits 0
	for score in precision_prdc recall_prdc density coverage; do check grep -Eq "^$score +1, n 4, higher is better" out; done
	says out "prdc(k2):pixels:none:u8:n4:ref="
	run ablate pr -e pixels -k 2 a a; exits 0; says out "pr(k2):pixels:none:u8:n4:ref="; check [ "$(grep -c prdc out)" -eq 0 ]
	check ablate -q features -e pixels b --stats-only -o s.npz >/dev/null
	run ablate prdc -e pixels a s.npz; refused 1 s.npz "statistics alone"
}

test_cmmd_and_mind_say_what_they_did() {
	two_sets; rm b/bit1.png
	run ablate metrics -e pixels a b --only cmmd --only mind; exits 0
	says out "cmmd:pixels:none:u8:n4:ref="; says out "mind(1000,seed0):pixels:none:u8:n4:ref="
	says out "; no interval: fewer than 40 images of a set"
	says err "features that are not of length 1"; says err "a: mind compares sets of one size: 3 of its 4 images are drawn"
	run ablate metrics -e pixels a a --only cmmd --only mind --json; exits 0
	check [ "$(grep -Ec '"value": (-?[0-9.]+e-1[2-9]|0.0)' out)" -eq 2 ]
}

# ---- --per-class ----

two_trees() { # a/{cat,dog} b/{cat,dog}
	mkdir -p a/{cat,dog} b/{cat,dog}
	cp "$PNG"/{rgb,l,p}.png a/cat; cp "$PNG"/{la,bit1,l}.png a/dog
	cp "$PNG"/{rgba,p_trns}.png b/cat; cp "$PNG"/{bit1,rgb,l}.png b/dog
}
hex_of() { awk -F'"' '/"hex"/ { print $4 }' "$1"; } # in order: the score's, then of each class
# Eight pictures with these labels: batch FILE.npz LABEL...
batch() {
	local file=$1
	shift
	seq 1 2000 | head -c 1536 | npy '|u1' '(8, 8, 8, 3)' >arr_0.npy
	for k in "$@"; do printf "\\x0$k\\0\\0\\0\\0\\0\\0\\0"; done | npy '<i8' '(8,)' >arr_1.npy
	rm -f "$file"; zip -q "$file" arr_0.npy arr_1.npy
}

# Each class has the very bits that its folder has, and the mean is of these.
test_per_class_of_folders() {
	two_trees; run ablate fid --per-class -e pixels a b; exits 0
	says out "fid_per_class(2):pixels:none:u8:n6:ref="; says out ":classes="; says out "the plain mean over 2 classes"
	says err "a, class 'cat' (2 classes; none has fewer): 3 images in 192 dimensions"
	check grep -qE '^dog +3 +3 ' out; check grep -qE '^cat +3 +2 ' out
	run ablate fid --per-class -e pixels a b --json; exits 0; hex_of out >got; says out '"n_reference": 2'
	for k in cat dog; do ablate fid -e pixels a/$k b/$k --json 2>/dev/null | awk -F'"' '/"hex"/ { print $4 }'; done >want
	sed 1d got >each; same each want
	# packed, and whatever lies around the classes
	mkdir -p x/train; cp -r a x/train/set; tar -cf a.tar x
	run ablate fid --per-class -e pixels a.tar b --json; exits 0; hex_of out >packed; same packed got
	OMP_NUM_THREADS=1 run ablate fid --per-class -e pixels a b --json; exits 0; hex_of out >one; same one got
}

test_per_class_of_arrays_data_sets_and_features() {
	command -v zip >/dev/null || skip "no zip"
	batch A.npz 0 1 2 3 0 1 2 3; run ablate fid --per-class -e pixels A.npz shapes8 --json; exits 0; hex_of out >got; lines_of got 5
	says out '"class": "3"'; says out '"n_reference": 1024'
	# other labels, another number; and another protocol where they are the reference's
	batch B.npz 0 0 1 1 2 2 3 3; run ablate fid --per-class -e pixels B.npz shapes8 --json; exits 0; hex_of out >other
	check test "$(head -1 got)" != "$(head -1 other)"
	protocol() { ablate -q fid --per-class -e pixels shapes8 "$1" 2>/dev/null | tail -1; }
	check test "$(protocol A.npz)" != "$(protocol B.npz)"
	# features carry them where asked, and folders become the numbers that they count as
	check ablate -q features --labels -e pixels A.npz -o f.npz >/dev/null
	run ablate fid --per-class f.npz shapes8 -e pixels --json; exits 0; hex_of out >again; same again got
	two_trees; run ablate features --labels -e pixels a -o a.npz; exits 0; says err "a: its folders count as classes 0 to 1 in the order of their names (cat is 0)"
	run ablate fid --per-class -e pixels a.npz b; exits 0; says err "b: its folders count as classes 0 to 1"
	check grep -qE '^1 +3 +3 ' out
	run ablate fid --per-class -e pixels shapes8 shapes8-test -n 2000 --no-interval; exits 0; says out "n2000of4096-seed0"
	run ablate features --labels --stats-only -e pixels a -o x.npz; refused 2 "--labels belong to features"
}

test_what_per_class_refuses() {
	command -v zip >/dev/null || skip "no zip"
	two_trees
	run ablate fid --per-class -e pixels a b/dog; refused 1 "b/dog: has no class labels"
	run ablate fid --per-class -e pixels a shapes8; refused 1 "a: no image of class '2', of which shapes8 has 1024"
	rm b/cat/rgba.png; run ablate fid --per-class -e pixels a b; refused 1 "b: class 'cat' has one image"
	rm -r b/cat; run ablate fid --per-class -e pixels a b; refused 1 "b: no image of class 'cat', of which a has 3"
	batch A.npz 0 1 2 3 0 1 2 3; head -c 64 /dev/zero | npy '<i8' '(4, 2)' >arr_1.npy; zip -q A.npz arr_1.npy
	run ablate fid --per-class -e pixels A.npz shapes8; refused 1 "A.npz:arr_1: int64 (4, 2) is not one label for each image"
	check ablate -q features -e pixels shapes8-test -o f.npz >/dev/null
	run ablate fid --per-class f.npz shapes8 -e pixels; refused 1 "f.npz: has no class labels"
	check ablate -q features -e pixels shapes8-test --stats-only -o s.npz >/dev/null
	run ablate fid --per-class -e pixels shapes8 s.npz; refused 1 "s.npz: mean and covariance alone, of all classes together"
	run ablate fid --per-class --infinity -e pixels a a; refused 2 "--per-class and --infinity"
	run ablate metrics --only fid_per_class -e pixels a a; refused 2 "ablate fid --per-class A B"
	small_grid 1; sed -i 's/name = "fid"/name = "fid_per_class"/' g.toml
	run ablate plan g.toml; exits 2; lines_of err 1; says err "fid_per_class is no metric of a grid"; says err "ablate fid --per-class A B"
}

test_no_partial_output_file() {
	two_sets; head -c 300 "$PNG/rgb.png" >a/x.png
	run ablate features -e pixels a -o a.npz; refused 1 a/x.png
	check test ! -e a.npz; check test -z "$(ls | grep tmp)"
	rm a/x.png
	run ablate features -e pixels a -o no/such/a.npz; refused 1 no/such/a.npz
	run ablate features -e pixels a -o b; refused 1 "b: cannot create: it is a folder"
	run ablate features -e pixels a -o ""; refused 2 "is empty"
}

# Before the first picture: a damaged one at the end is not reached.
test_an_output_that_cannot_be_is_told_before_the_work() {
	two_sets; head -c 300 "$PNG/rgb.png" >a/x.png
	run ablate features -e pixels a -o no/such/a.npz; refused 1 no/such/a.npz
}

# Pictures of 1 x 1 and of 2 x 3 pixels, as base64.
dot() { base64 -d >"$1" <<<iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==; }
big() { base64 -d >"$1" <<<"$BIG"; }
BIG=iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAAAAACcgYFdAAAAC0lEQVR4nGNggAIAAAkAAftSuKkAAAAASUVORK5CYII=

run_tests
