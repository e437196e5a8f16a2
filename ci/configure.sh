#!/bin/bash
# configure.sh - configures once for each optional part of the build hidden from CMake, each alone and all together, and builds the
# tree that has none of them. A part that every machine of ours has is missing on somebody's: once, without Criterion, the
# first command of the README failed.
#   ci/configure.sh             one line for each, then "N passed, N failed, N skipped"
. "$(dirname "$0")/lib.sh"

# part        hidden by            what: a pkg-config module, a program, or a setting of CMake's
parts() { cat <<'LIST'
criterion     module               criterion
openmpi       module               mpi-c
nvcc          setting              -DABLATE_CUDA=ON -DNVCC=OFF
cudnn         setting              -DABLATE_CUDA=ON -DCUDNN_INCLUDE=OFF -DCUDNN_HEADERS=OFF
clang         program              clang clang++
sqlite3       program              sqlite3
git           program              git
LIST
}

work=$(mktemp -d) || die "no folder for the builds: is there room in ${TMPDIR:-/tmp}?"
trap 'rm -rf "$work"' EXIT

# A folder of links to every program of PATH but those.
path_without() { # INTO PROGRAM...
	local into=$1 dir hidden
	shift
	mkdir -p "$into"
	local IFS=:
	for dir in $PATH; do
		[ ! -d "$dir" ] || find "$dir" -maxdepth 1 ! -type d -exec ln -s -t "$into" {} + 2>/dev/null || true # the first of a name is kept
	done
	for hidden in "$@"; do rm -f "$into/$hidden"; done
}

# A pkg-config that does not know those modules.
pkg_config_without() { # INTO MODULE...
	local into=$1
	shift
	printf '#!/bin/sh\nfor word; do case $word in %s) exit 1 ;; esac; done\nexec %s "$@"\n' \
		"$(IFS='|'; echo "${*/%/*}")" "$(command -v pkg-config)" >"$into"
	chmod +x "$into"
}

passed=0 failed=0 skipped=0
try() { # NAME MODULES PROGRAMS SETTINGS: three lists of words
	local name=$1 dir=$work/$1 path=$PATH pc target=(-n)
	local modules programs settings
	read -ra modules <<<"$2"
	read -ra programs <<<"$3"
	read -ra settings <<<"$4"
	pc=$(command -v pkg-config)
	mkdir -p "$dir"
	if [ ${#programs[@]} -gt 0 ]; then
		path=$dir/path
		path_without "$path" "${programs[@]}"
	fi
	if [ ${#modules[@]} -gt 0 ]; then
		pc=$dir/pkg-config
		pkg_config_without "$pc" "${modules[@]}"
	fi
	[ "$name" != all ] || target=(-j "$(nproc)")
	if PATH=$path PKG_CONFIG=$pc cmake -G Ninja -S . -B "$dir/build" -DCMAKE_BUILD_TYPE=Debug "${settings[@]}" >"$dir/log" 2>&1 &&
	   PATH=$path ninja -C "$dir/build" "${target[@]}" >>"$dir/log" 2>&1; then
		echo "ok       without $name"
		passed=$((passed + 1))
	else
		tail -30 "$dir/log" >&2
		echo "FAILED   without $name"
		failed=$((failed + 1))
	fi
	rm -rf "$dir"
}

modules='' programs='' settings=''
while read -r part by what; do
	case $by in
	module) try "$part" "$what" '' ''; modules+=" $what" ;;
	program) try "$part" '' "$what" ''; programs+=" $what" ;;
	setting)
		settings+=" $what"
		if [ "$part" != cudnn ] || command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then
			try "$part" '' '' "$what"
		else
			echo "skipped  without $part: there is no nvcc"
			skipped=$((skipped + 1))
		fi
		;;
	*) die "$part: hidden by $by?" ;;
	esac
done < <(parts)
try all "$modules" "$programs" "$settings"
printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
