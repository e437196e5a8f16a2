#!/bin/bash
# doctor.sh - what `ablate doctor` says to type next: on machines of several kinds, which are folders with an os-release and a PATH of few
# programs; and that what it says works when it is typed.
. "$(dirname "$0")/lib.sh"

# A machine: ./root, in which doctor looks, and ./bin, its PATH, with what it needs to ask apt and no more.
machine() { # OS-RELEASE [PROGRAM...]
	mkdir -p root/etc root/var/lib/apt/lists bin
	printf '%b' "$1" >root/etc/os-release
	shift
	for p in env "$@"; do ln -sf "$(type -P "$p" || type -P true)" "bin/$p"; done
	export ABLATE_DOCTOR_ROOT=$PWD/root ABLATE_TEAM_PLUGIN=$SHIM/libablate_cuda_emu.so # one that opens, whether there is MPI or not
}
doctor() { run env PATH="$PWD/bin" ABLATE_DATA= "$ABLATE" doctor "$@"; }
debian() { machine 'ID=debian\n' apt-get "$@"; }
# A program of that machine that prints what stands on stdin.
stand_in() { # NAME
	{ echo '#!/bin/sh'; echo "cat <<'END'"; cat; echo END; } >"bin/$1"
	chmod 755 "bin/$1"
	ln -sf "$(type -P cat)" bin/cat
}
# The commands under "next", without what they give.
commands() { sed -n '/^next$/,$p' out | sed -E '1d; s/^  //; s/ +# .*//'; }
state() { awk -v what="$1" '$2 == what { print $1; exit }' out; }
is() { [ "$(state "$1")" = "$2" ] || fail "$1 is '$(state "$1")', wanted $2"; }
line() { commands | grep -qxF -- "$1" || fail "no line '$1' in: $(commands)"; }
no_line() { ! commands | grep -qF -- "$1" || fail "'$1' is in: $(commands)"; }
query() { sqlite3 :memory: "SELECT $1 FROM (SELECT CAST(readfile('out') AS TEXT) AS t)"; }
# The same as nobody, who may read this folder and write to ./own.
as_nobody() {
	[ "$(id -u)" -eq 0 ] || skip "only root can become somebody else"
	chmod 755 . && install -d -m 777 own
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$ABLATE" || skip "nobody cannot reach the program"
	run setpriv --reuid=65534 --regid=65534 --clear-groups env PATH="$PWD/bin" ABLATE_CACHE="$PWD/own" "$ABLATE" doctor "$@"
}

test_packages_are_one_command_and_come_first() {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	debian
	doctor; exits 0
	line 'apt-get update && apt-get install openmpi-bin slurm-client curl'
	commands | head -1 >first; says first 'apt-get update'
	check [ "$(commands | grep -c 'apt-get install')" -eq 1 ]
	says out '# several processes for one cell (--ranks); runs on a cluster (--engine slurm); downloads by'
}

test_apt_is_asked_what_it_has() {
	debian
	touch root/var/lib/apt/lists/x_main_binary-amd64_Packages
	stand_in apt-cache <<-END
	openmpi-bin:
	  Installed: (none)
	  Candidate: 4.1.4-3
	curl:
	  Installed: (none)
	  Candidate: (none)
	END
	doctor; exits 0
	commands >got
	check grep -qE '^(sudo |as root: )?apt-get install openmpi-bin$' got
	check grep -qE "^  # install Slurm's client programs +# runs on a cluster" out
	check grep -qE '^  # install curl ' out
}

test_a_user_types_sudo_or_asks_root() {
	debian
	as_nobody; exits 0
	line 'as root: apt-get update && apt-get install openmpi-bin slurm-client curl'
	as_nobody --json; exits 0
	check [ "$(query "json_extract(t, '$.next[0].as_root')")" = 1 ]
	check [ "$(query "json_extract(t, '$.next[0].command')")" = 'apt-get update && apt-get install openmpi-bin slurm-client curl' ]
	ln -s "$(type -P true)" bin/sudo
	as_nobody; exits 0
	line 'sudo apt-get update && sudo apt-get install openmpi-bin slurm-client curl'
	as_nobody --json; check [ -z "$(query "json_extract(t, '$.next[0].as_root')")" ]
}

test_elsewhere_the_software_is_named() {
	machine 'ID=fedora\nID_LIKE="rhel"\n' apt-get
	doctor; exits 0
	check grep -qE "^  # install Slurm's client programs +# runs on a cluster" out
	no_line apt-get
	doctor --json; exits 0
	check [ "$(query "json_extract(t, '$.next[1].install')")" = "Slurm's client programs" ]
	check [ -z "$(query "json_extract(t, '$.next[1].command')")" ]
}

test_the_program_is_called_as_its_user_can() {
	debian
	doctor; line "$ABLATE weights fetch lpips-vgg"
	ln -s "$ABLATE" bin/ablate
	doctor; line 'ablate weights fetch lpips-vgg'
	rm bin/ablate; ln -s "$(type -P true)" bin/ablate # another program of that name
	doctor; line "$ABLATE weights fetch lpips-vgg"
	mkdir 'my tools' && ln -s "$ABLATE" 'my tools/ablate'
	run env PATH="$PWD/bin" 'my tools/ablate' doctor; line "'my tools/ablate' weights fetch lpips-vgg"
	run env PATH="$PWD/my tools:$PATH" ablate doctor; line 'ablate weights fetch lpips-vgg'
	mv 'my tools/ablate' 'my tools/my ablate'
	run env PATH="$PWD/my tools:$PWD/bin" "$(type -P bash)" -c "'my ablate' doctor"; line "'my ablate' weights fetch lpips-vgg"
}

test_a_card_is_asked_for_only_where_there_is_one() {
	debian
	export ABLATE_CUDNN=$PWD/none-such.so ABLATE_CUDA_PLUGIN=$PWD/none-such.so ABLATE_CUBLASLT=none
	doctor; is cuDNN note; is cuda note
	no_line cuda; no_line ABLATE_CUDNN
	mkdir -p root/sys/bus/pci/devices/0000:01:00.0
	echo 0x10de >root/sys/bus/pci/devices/0000:01:00.0/vendor
	echo 0x030000 >root/sys/bus/pci/devices/0000:01:00.0/class
	doctor; line 'unset ABLATE_CUDNN'; no_line ABLATE_CUBLASLT; commands | grep -qE 'apt-get install cuda-drivers ' || fail "$(commands)"
}

test_json_tells_what_the_text_tells() {
	debian
	doctor; commands >text
	doctor --json
	sqlite3 :memory: "SELECT json_extract(value, '$.command') FROM json_each(CAST(readfile('out') AS TEXT), '$.next')
		UNION ALL SELECT json_extract(CAST(readfile('out') AS TEXT), '$.first.command')" >json
	sed -i 's/^as root: //' text
	same text json
	# a check has its commands, and every command is some check's
	check [ "$(sqlite3 :memory: "SELECT count(*) FROM json_each(CAST(readfile('out') AS TEXT), '$.checks') WHERE json_extract(value, '$.what') = 'lpips-vgg'
		AND json_extract(value, '$.remedy[0]') LIKE '% weights fetch lpips-vgg'")" -eq 1 ]
	check [ "$(sqlite3 :memory: "SELECT count(*) FROM json_each(CAST(readfile('out') AS TEXT), '$.next') n WHERE NOT EXISTS (SELECT 1
		FROM json_each(CAST(readfile('out') AS TEXT), '$.checks') c WHERE json_extract(c.value, '$.what') = json_extract(n.value, '$.for[0]'))")" -eq 0 ]
}

test_an_import_that_is_told_works() {
	debian
	doctor; is imagenet64 missing; line "$ABLATE data import imagenet64 FOLDER"
	is cifar10 missing; line "$ABLATE data fetch cifar10"
	mkdir -p pics/a
	cp "$SOURCE/tests/fixtures/png_modes/rgb.png" pics/a/1.png
	cmd=$(commands | grep imagenet64 | head -1)
	run bash -c "${cmd/FOLDER/pics}"; exits 0
	doctor; is imagenet64 ok; no_line 'data import imagenet64'
}

test_a_damaged_database_is_made_again_as_told() {
	debian
	printf 'schema = 1\n[grid]\nname = "small"\nseeds = { train = [1], eval = [101] }\n[base]\npreset = "ict-shapes8-ci"\n"train.steps" = 3\n"train.batch" = 4\n' >g.toml
	run ablate run g.toml --db 'my results.db'; exits 0
	doctor --db 'my results.db'; exits 0
	head -c 4096 /dev/urandom >'my results.db'
	doctor --db 'my results.db'; exits 1; line "$ABLATE merge --rebuild --db 'my results.db'"
	cmd=$(commands | grep rebuild)
	run bash -c "$cmd"; exits 0
	doctor --db 'my results.db'; exits 0
	check [ "$(sql 'my results.db' "SELECT count(*) FROM attempt WHERE state = 'done'")" -eq 1 ]
	echo text >notes.txt # nobody's database: nothing is told about it
	doctor --db notes.txt; exits 1; no_line notes.txt
}

test_a_cache_that_cannot_be_written_moves_as_told() {
	debian
	export ABLATE_CACHE=/proc/none-such
	doctor; exits 1; is cache bad; line 'export ABLATE_CACHE="$PWD/ablate-cache"'
	eval "$(commands | grep ABLATE_CACHE)"
	doctor; exits 0; is cache ok; no_line ABLATE_CACHE
}

test_slow_kernels_are_left_as_told() {
	debian
	export OPENBLAS_CORETYPE=Prescott
	doctor
	[ "$(state OpenBLAS)" = note ] || skip "this processor's OpenBLAS has no such kernels"
	grep -qw avx2 /proc/cpuinfo || skip "this processor has no faster ones"
	commands | grep -qE '^export OPENBLAS_CORETYPE=(Haswell|SkylakeX)$' || fail "$(commands)"
	eval "$(commands | grep OPENBLAS_CORETYPE)"
	doctor; is OpenBLAS ok; no_line OPENBLAS_CORETYPE
}

test_without_a_font() {
	debian
	doctor; is font ok; no_line fonts-dejavu-core
	printf '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig><cachedir>%s</cachedir></fontconfig>\n' "$PWD/fc" >fonts.conf
	export FONTCONFIG_FILE=$PWD/fonts.conf
	doctor; exits 0; is font note; commands | grep -q 'apt-get install fonts-dejavu-core ' || fail "$(commands)"
}

# The library is opened at its first use: doctor says that it is missing, and continues.
test_without_openblas() {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	local lib
	lib=$(ldconfig -p | awk '$1 == "libopenblas.so.0" { print $NF; exit }')
	[ -n "$lib" ] || skip "the linker does not say where libopenblas.so.0 is"
	unshare -m true 2>/dev/null || skip "no mount namespace here"
	debian
	run unshare -m bash -c "mount --bind /dev/null '$(readlink -f "$lib")' && PATH=$PWD/bin exec '$ABLATE' doctor"
	exits 0; is OpenBLAS missing; commands | grep -q 'apt-get install libopenblas0-pthread ' || fail "$(commands)"
}

# So are the libraries of two kinds of files, which few people have.
test_without_hdf5_and_lmdb() {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	local hdf5 lmdb
	hdf5=$(ldconfig -p | awk '$1 == "libhdf5_serial.so.103" { print $NF; exit }')
	lmdb=$(ldconfig -p | awk '$1 == "liblmdb.so.0" { print $NF; exit }')
	[ -n "$hdf5" ] && [ -n "$lmdb" ] || skip "one of the libraries is not installed: ci/setup.sh run"
	unshare -m true 2>/dev/null || skip "no mount namespace here"
	debian; doctor; is HDF5 ok; is LMDB ok
	run unshare -m bash -c "mount --bind /dev/null '$(readlink -f "$hdf5")' && mount --bind /dev/null '$(readlink -f "$lmdb")' &&
		PATH=$PWD/bin exec '$ABLATE' doctor"
	exits 0; is HDF5 note; is LMDB note
	commands | grep -q 'libhdf5-103-1' || fail "$(commands)"
	commands | grep -q 'liblmdb0' || fail "$(commands)"
}

# The data set's files are hidden under an empty folder.
test_without_the_package_of_the_data_set() {
	[ "$(id -u)" -eq 0 ] || skip "not root"
	[ -d /usr/share/datasets/fashion-mnist ] || skip "the package is not installed"
	unshare -m true 2>/dev/null || skip "no mount namespace here"
	hidden() { run unshare -m bash -c "mount -t tmpfs none /usr/share/datasets/fashion-mnist && PATH=$PWD/bin ABLATE_DATA= exec '$ABLATE' doctor"; }
	debian
	hidden; exits 0; is fashion-mnist missing; commands | grep -qE 'apt-get install .*dataset-fashion-mnist' || fail "$(commands)"
	machine 'ID=fedora\n'
	hidden; exits 0; line "$ABLATE data import fashion-mnist FOLDER"
	ln -s /usr/share/datasets/fashion-mnist files
	run ablate data import fashion-mnist files; exits 0
	hidden; is fashion-mnist ok
}

test_weights_of_no_use_are_fetched_again() {
	debian
	mkdir -p cache/weights
	echo junk >cache/weights/inception-2015.safetensors
	export ABLATE_CACHE=$PWD/cache
	doctor; is inception-2015 missing; says out inception-2015.safetensors; line "$ABLATE weights fetch inception-2015"
	export ABLATE_TEAM_PLUGIN=$PWD/none-such.so
	doctor; is MPI note; line 'unset ABLATE_TEAM_PLUGIN'
}

# --ranks needs the plugin: mpirun does not help a program that has none and was not built here, as in a wheel.
test_mpi_is_proposed_only_where_it_helps() {
	debian
	unset ABLATE_TEAM_PLUGIN
	mkdir p && cp "$ABLATE" p/
	run env PATH="$PWD/bin" ABLATE_DATA="$SOURCE" p/ablate doctor
	is MPI note; is mpirun note; no_line openmpi
	touch p/CMakeCache.txt
	run env PATH="$PWD/bin" ABLATE_DATA="$SOURCE" p/ablate doctor
	commands | grep -q 'apt-get install libopenmpi-dev openmpi-bin ' || fail "$(commands)"
}

# Names of packages are those of this Debian: apt takes the line, and only says what it would do.
test_apt_takes_the_line() {
	ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 && command -v apt-get >/dev/null || skip "no apt with lists here"
	debian
	printf '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd"><fontconfig><cachedir>%s</cachedir></fontconfig>\n' "$PWD/fc" >fonts.conf
	FONTCONFIG_FILE=$PWD/fonts.conf doctor
	cmd=$(commands | grep -oE 'apt-get install .*')
	run $cmd --simulate -o Debug::NoLocking=1; exits 0
}

test_the_first_command_is_one() {
	debian
	doctor
	cmd=$(commands | tail -1)
	check test "$cmd" = "$ABLATE run quickstart"
	run bash -c "$cmd --dry-run"; exits 0
}

# An installation without its studies, values and weights is broken, and says how to fix it.
test_data_that_is_gone_is_bad() {
	debian
	run env ABLATE_DATA="$PWD/gone" "$ABLATE" doctor; exits 1
	says out "$PWD/gone/results/published.toml is missing: the installation is incomplete"
	doctor; grep -qE "ok +own data +$SOURCE\$" out || fail "the folder of the data is not told"
}

run_tests
