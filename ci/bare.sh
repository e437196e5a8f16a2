#!/bin/bash
# bare.sh - runs commands where nothing was ever installed: a bare Debian (debootstrap's minbase with sudo, git and ca-certificates) in
# a temporary folder, an ordinary user with sudo, and a clone of HEAD in that user's home.
#   ci/bare.sh [OPTION...] [bookworm|trixie] [COMMAND]     COMMAND is one word for bash, run in the clone; default: both README commands
#     --no-clone           no clone; COMMAND runs in the user's home
#     --copy FILE          puts FILE into the user's home; may be given several times
#     --install PACKAGE    installs it with apt before COMMAND: a name, or a .deb, which is copied; several times
#     --take PATH DIR      afterwards copies PATH (from where COMMAND ran) into DIR
#     --no-network         COMMAND runs without one
# Exit: COMMAND's own; 77: a bare Debian cannot be made here, and why; 1: making it failed. Mirror, keys and proxy are those of this
# machine's apt. Everything that is mounted is in a separate mount namespace, which ends with its processes, so a kill leaves plain
# files only; what an earlier run left so is removed.
. "$(dirname "$0")/lib.sh"
skip() { printf 'bare.sh: skipped: %s\n' "$*" >&2; exit 77; }

if [ "${1-}" = --inside ]; then # in the namespace: ROOT WHERE COMMAND
	root=$2 where=$3
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys" # control groups are in it
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
	ln -sf pts/ptmx "$root/dev/ptmx"
	if [ -f "$root/install" ]; then
		chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
			bash -c 'apt-get update -qq && xargs apt-get install -y -qq <install' >&2 || die "the packages cannot be installed"
	fi
	code=0
	mapfile -t index < <(env | grep -E '^(PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|PROXY)|https?_proxy|no_proxy)=')
	chroot "$root" /usr/bin/env -i HOME=/home/user USER=user LOGNAME=user SHELL=/bin/bash LANG=C.UTF-8 TERM="${TERM:-dumb}" ${CI:+CI=$CI} \
		"${index[@]}" PATH=/usr/local/bin:/usr/bin:/bin setpriv --reuid=user --regid=user --init-groups \
		bash -c "cd '$where' && $4" </dev/null || code=$?
	exit $code
fi

[ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null && exec sudo -n --preserve-env=CI,TMPDIR,TERM "$0" "$@"; skip "needs root, or sudo without a password"; }
suite=bookworm clone=yes copies=() debs=() names=() takes=() network=()
while [ $# -gt 0 ]; do
	case $1 in
	--no-clone) clone=no ;;
	--copy) copies+=("$2"); shift ;;
	--install) case $2 in *.deb) debs+=("$2") ;; *) names+=("$2") ;; esac; shift ;;
	--take) takes+=("$2" "$3"); shift 2 ;;
	--no-network) network=(--net) ;;
	bookworm|trixie) suite=$1 ;;
	-*) die "unknown option $1" ;;
	*) break ;;
	esac
	shift
done
[ $# -le 1 ] || die "one COMMAND, quoted as one word"
command=${1-"ci/quickstart.sh && ci/test.sh --fast"}
for f in "${copies[@]}" "${debs[@]}"; do [ -f "$f" ] || die "$f: no such file"; done

command -v apt-get >/dev/null || skip "this is no Debian: no apt"
command -v debootstrap >/dev/null || ci/setup.sh bare >&2 || skip "no debootstrap: ci/setup.sh bare"
unshare --mount --pid --fork true 2>/dev/null || skip "no mount namespace can be made here"
read -r mirror signed < <(apt-get indextargets --format '$(REPO_URI) $(SIGNED_BY)' 'Created-By: Packages' | grep -vE 'security|updates' | grep '/debian/* ' ) || true
[ -n "$mirror" ] || skip "apt has no lists of a Debian mirror: apt-get update"

# What killed runs left: plain files of processes that are gone.
for old in "${TMPDIR:-/tmp}"/ablate-bare-*; do
	[ ! -f "$old/pid" ] || kill -0 "$(cat "$old/pid")" 2>/dev/null || rm -rf --one-file-system "$old"
done
work=$(mktemp -d "${TMPDIR:-/tmp}/ablate-bare-XXXXXX") || die "no folder in ${TMPDIR:-/tmp}: is there room?"
root=$work/root
echo $$ >"$work/pid"
inside=
ended() { [ -z "$inside" ] || kill -KILL "$inside" 2>/dev/null || true; exit "$1"; }
remove() { rm -rf --one-file-system "$work" 2>/dev/null || { sleep 1; rm -rf --one-file-system "$work"; }; } # killed processes may still be writing
trap remove EXIT
trap 'ended 143' TERM HUP
trap 'ended 130' INT
# Runs a command with mounts and processes of its own. They end with its first process, and that with this script, even by a KILL.
# In the background, so that a signal is handled at once.
confined() { # [OPTION OF UNSHARE...] COMMAND...
	local code=0
	setpriv --pdeathsig KILL unshare --mount --propagation private --pid --fork --kill-child "$@" &
	inside=$!
	wait $inside || code=$?
	inside=
	return $code
}
[ "$(df -Pk "$work" | awk 'NR == 2 { print $4 }')" -gt $((4 << 20)) ] || die "less than 4 GB free in ${TMPDIR:-/tmp}: TMPDIR names another folder"

/usr/lib/apt/apt-helper download-file "${mirror%/}/dists/$suite/Release" "$work/Release" >"$work/log" 2>&1 || skip "the mirror of this machine's apt does not answer"

step "a bare $suite"
[ -f "$signed" ] || signed=/usr/share/keyrings/debian-archive-keyring.gpg
apt_conf=$(apt-config dump | grep -E '^Acquire::(https?|Retries|Check-Valid-Until|Check-Date|ForceIPv[46])' || true)
proxy=$(apt-config shell p Acquire::http::Proxy | sed -nE "s/^p='(.*)'$/\1/p")
confined ${proxy:+env http_proxy="$proxy"} debootstrap --variant=minbase --include=sudo,git,ca-certificates --keyring="$signed" "$suite" "$root" "$mirror" >"$work/log" 2>&1 ||
	{ tail -5 "$work/log" >&2; die "debootstrap failed"; }
printf '%s\n' "$apt_conf" >"$root/etc/apt/apt.conf.d/90host"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$(uname -n)" >"$root/etc/hosts" # sudo asks for it
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" # an institute's own certificate authority, too
mkdir -p "$root/dev/shm" "$root/dev/pts"
chroot "$root" useradd -m -s /bin/bash user
echo 'user ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/user"
where=/home/user
if [ $clone = yes ]; then
	where=/home/user/ablate
	[ -z "$(git status --porcelain 2>/dev/null | head -1)" ] || echo "bare.sh: what is not committed is not in the clone" >&2
	git clone -q --no-hardlinks "$ROOT" "$root$where" || die "no clone of $ROOT"
fi
for f in "${copies[@]}" "${debs[@]}"; do cp "$f" "$root/home/user/"; done
for f in "${debs[@]}"; do names+=("/home/user/${f##*/}"); done
[ ${#names[@]} -eq 0 ] || printf '%s\n' "${names[@]}" >"$root/install"
chroot "$root" chown -R user:user /home/user

step "in it: $command"
code=0
confined "${network[@]}" "$0" --inside "$root" "$where" "$command" || code=$?
for ((i = 0; i < ${#takes[@]}; i += 2)); do
	mkdir -p "${takes[i + 1]}"
	cp -r "$root$where/${takes[i]}" "${takes[i + 1]}/" || die "${takes[i]} is not there"
done
exit $code
