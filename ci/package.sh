#!/bin/bash
# package.sh - the source tarball of this tree, and from what is in it, built in a folder of its own without git, the .deb.
#   ci/package.sh [INTO]        default: build/packages; leaves INTO/ablate-VERSION.tar.gz and INTO/ablate_VERSION_ARCH.deb
. "$(dirname "$0")/lib.sh"
ci/setup.sh build package
mkdir -p "${1:-build/packages}" 2>/dev/null || die "${1:-build/packages}: cannot be made"
into=$(cd "${1:-build/packages}" && pwd)
[ -w "$into" ] || die "$into: cannot be written"
work=$(mktemp -d) || die "no folder to build in: is there room in ${TMPDIR:-/tmp}?"
trap 'rm -rf "$work"' EXIT
quietly() { "$@" >"$work/log" 2>&1 || { tail -30 "$work/log" >&2; die "failed: $*"; }; }

step "source tarball"
quietly cmake -G Ninja -S . -B "$work/configured"
quietly cpack --config "$work/configured/CPackSourceConfig.cmake" -B "$work/source"
tarball=$(ls "$work"/source/*.tar.gz)
tar -C "$work" -xzf "$tarball"
tree=$work/$(basename "$tarball" .tar.gz)

step "building what is in it"
quietly cmake -G Ninja -S "$tree" -B "$tree/build" -DCMAKE_BUILD_TYPE=RelWithDebInfo
quietly cmake --build "$tree/build" -j "$(nproc)" --target package_files
if git rev-parse HEAD >/dev/null 2>&1; then
	says=$("$tree/build/ablate" doctor || true)
	[[ $says = *$(git rev-parse HEAD)* ]] || die "the build of the tarball does not know its commit"
fi

step "package"
quietly cpack --config "$tree/build/CPackConfig.cmake" -B "$work/deb"
mv "$tarball" "$work"/deb/*.deb "$into/"
ls -l "$into"
