#!/bin/bash
# install.sh - installs the .deb that DEB names (a file, or an https address), whose SHA-256 is SHA256; DEB empty: ablate is there.
set -euo pipefail
die() { printf '::error::%s\n' "$1"; exit 2; }
if [ -n "${DEB:-}" ]; then
	file=$DEB
	case $DEB in
	https://*)
		[ -n "${SHA256:-}" ] || die "an address needs its SHA-256: give sha256"
		file=$(mktemp --suffix=.deb)
		curl --proto '=https' -fsSL --retry 3 -o "$file" -- "$DEB" || die "the .deb cannot be fetched"
		;;
	esac
	[ -f "$file" ] || die "the .deb is not there"
	[ -z "${SHA256:-}" ] || printf '%s  %s\n' "$SHA256" "$file" | sha256sum -c --status || die "the .deb has another SHA-256"
	sudo=sudo
	[ "$(id -u)" -ne 0 ] || sudo=
	$sudo apt-get update -qq
	$sudo apt-get install -y -q --no-install-recommends "$(realpath -- "$file")"
fi
command -v ablate >/dev/null || die "ablate is not installed: give deb"
