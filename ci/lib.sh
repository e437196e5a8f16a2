# lib.sh - what the scripts of ci/ share: the repository's root as working folder, and a way to say what goes on.
# Source it first: . "$(dirname "$0")/lib.sh"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
export LC_ALL=C.UTF-8 ABLATE_ROOT=$ROOT
export PATH=$PATH:/usr/sbin:/sbin # ldconfig and others, which an ordinary user's path lacks

# git answers in a tree of somebody else's, too: root in a container is often not who cloned it.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'

step() { printf '\n== %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# The program's own C sources, for what looks at each of them; MPI's headers are not everywhere.
program_sources() { find model metrics harness -name '*.c' ! -name team_mpi.c | sort; }

# Configures and builds a preset; the compiler's words are shown only when something is wrong.
build_preset() { # PRESET [TARGET...]
	local preset=$1 log; shift
	log=$(mktemp)
	if ! cmake --preset "$preset" >"$log" 2>&1; then cat "$log" >&2; rm -f "$log"; die "cmake --preset $preset failed"; fi
	if ! cmake --build --preset "$preset" -j "$(nproc)" ${@:+--target "$@"} >"$log" 2>&1; then
		grep -vE '^\[[0-9]+/[0-9]+\]' "$log" >&2 || tail -50 "$log" >&2
		rm -f "$log"; die "building preset $preset failed"
	fi
	rm -f "$log"
}

# A virtual environment with pinned packages of the Python index, in WORK/venv; exit 77 where no index answers.
peers_venv() { # WORK REQUIREMENTS
	python3 -c 'import venv, ensurepip' 2>/dev/null || die "no python3 that can make virtual environments; Debian's python3-venv can"
	python3 -m venv "$1/venv"
	"$1/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2" >"$1/log" 2>&1 ||
		{ echo "$(basename "$0"): cannot get the packages from the Python index: $(tail -1 "$1/log" | cut -c1-300)" >&2; exit 77; }
}
