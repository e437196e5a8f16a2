#!/bin/sh
# ssh.sh submit|query|cancel - --engine command of ablate on machines that are reached by SSH, without a scheduler. An example: copy it,
# adapt it, and name the copy in [command] of a grid or of the site's file:
#
#     [command]
#     submit = ["/opt/engines/ssh.sh", "submit"]
#     query  = ["/opt/engines/ssh.sh", "query"]
#     cancel = ["/opt/engines/ssh.sh", "cancel"]
#
# $ABLATE_SSH_HOSTS says where tasks run, one at a time on each entry: "node1 node2", "gpu1=0 gpu1=1 gpu2" where one machine has several
# places; what stands behind "=" is the task's CUDA_VISIBLE_DEVICES. Tasks are dealt out in turn and wait for their place.
#
# It assumes that the folder of the database, the data and the cache are on a file system that all machines share under the same names, and
# the program, too; ssh without a password; jq here; setsid and flock (util-linux) there. What tasks ask for is not looked at: whoever lists
# the places knows what they have. A task that exits 75 was told to stop and is started again, unless it was cancelled.
set -eu
die() { echo "ssh.sh: $*" >&2; exit 1; }

# A job's id is HOST:FOLDER; its folder has `pid` (of what runs it), `state`, and at its end `code`.
quoted() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

# What runs on the other machine: waits for its place, then runs the task until it is over.
runner() { # FOLDER PLACE DEVICES LOG COMMAND, quoted
	cat <<SH
cd $1 || exit 1
echo \$\$ >pid
mkdir -p "\$HOME/.cache/ablate"
exec 9>"\$HOME/.cache/ablate/place-"$2
stop= task=
trap 'stop=1; [ -z "\$task" ] || kill -TERM "\$task"' TERM
flock 9 &
task=\$!
wait "\$task" || stop=1
${3:+export CUDA_VISIBLE_DEVICES=$3}
code=75
while [ -z "\$stop" ] && [ "\$code" -eq 75 ]; do
	echo running >state
	$5 >>$4 2>&1 9>&- </dev/null &
	task=\$!
	[ -z "\$stop" ] || kill -TERM "\$task"
	wait "\$task"
	code=\$?
	while kill -0 "\$task" 2>/dev/null; do # a signal came while it was waited for
		wait "\$task"
		code=\$?
	done
done
echo "\$code" >code.new && mv code.new code
SH
}

# Which of the folders on stdin have a process on the host that runs them: lines "alive FOLDER"; and a signal for them.
processes() { # HOST [SIGNAL]
	ssh -o BatchMode=yes "$1" "while IFS= read -r job; do
		pid=\$(cat \"\$job/pid\") && tr '\\0' ' ' </proc/\$pid/cmdline 2>/dev/null | grep -qF \"\$job/run\" || continue
		${2:+kill -s $2 \$pid}
		echo \"alive \$job\"
	done"
}

submit() {
	set -f
	set -- ${ABLATE_SSH_HOSTS:?names no machines}
	set +f
	[ $# -gt 0 ] || die "\$ABLATE_SSH_HOSTS names no machines"
	jq -c '.tasks[]' "$work/request" | while IFS= read -r task; do
		entry=$1 host=${1%%=*} devices=
		shift
		set -- "$@" "$entry" # in turn
		[ "$host" = "$entry" ] || devices=${entry#*=}
		index=$(printf %s "$task" | jq -r .index) log=$(printf %s "$task" | jq -r .log)
		job=${log%/log/*}/ssh/$index
		if [ -e "$job/id" ] && [ ! -e "$job/code" ] && printf '%s\n' "$job" | processes "$(cut -d: -f1 "$job/id")" 2>/dev/null | grep -q alive; then
			id=$(cat "$job/id") # submitted before, by an ablate that was interrupted
		else
			rm -rf "$job"
			mkdir -p "$job"
			runner "$(quoted "$job")" "$(quoted "$entry")" "${devices:+$(quoted "$devices")}" "$(quoted "$log")" \
				"$(printf %s "$task" | jq -r '.command | @sh')" >"$job/run"
			echo pending >"$job/state"
			id=$host:$job
			printf '%s\n' "$id" >"$job/id"
			ssh -n -o BatchMode=yes "$host" "setsid sh $(quoted "$job/run") </dev/null >/dev/null 2>&1 &
				n=0; until [ -s $(quoted "$job/pid") ] || [ \$n -ge 100 ]; do n=\$((n + 1)); sleep 0.1; done
				[ -s $(quoted "$job/pid") ]" >&2 || { echo "$host did not start task $index" >&2; continue; }
		fi
		jq -nc --argjson index "$index" --arg id "$id" '{index: $index, id: $id}'
	done >"$work/answer"
	jq -s '{jobs: .}' "$work/answer"
}

state() { # ID STATE REASON
	jq -nc --arg id "$1" --arg state "$2" --arg reason "$3" '{id: $id, state: $state, reason: $reason}'
}
ended() { # ID FOLDER: prints it where it has ended
	[ -e "$2/code" ] || return 1
	code=$(cat "$2/code")
	[ "$code" -eq 0 ] && state "$1" done "" || state "$1" failed "exit code $code"
}

query() {
	jq -r '.jobs[]' "$work/request" >"$work/ids"
	cut -d: -f1 "$work/ids" | sort -u | while IFS= read -r host; do
		grep "^$host:" "$work/ids" | cut -d: -f2- >"$work/jobs"
		reached=1
		processes "$host" <"$work/jobs" >"$work/alive" || reached=
		while IFS= read -r job; do
			if ended "$host:$job" "$job"; then :
			elif grep -qxF "alive $job" "$work/alive"; then state "$host:$job" "$(cat "$job/state")" ""
			elif [ -z "$reached" ]; then state "$host:$job" "$(cat "$job/state")" "$host cannot be reached"
			else state "$host:$job" failed "its process on $host is gone"
			fi
		done <"$work/jobs"
	done >"$work/answer"
	jq -s '{jobs: .}' "$work/answer"
}

cancel() {
	jq -r '.jobs[]' "$work/request" >"$work/ids"
	cut -d: -f1 "$work/ids" | sort -u | while IFS= read -r host; do
		grep "^$host:" "$work/ids" | cut -d: -f2- | processes "$host" TERM >/dev/null || die "$host cannot be reached"
	done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/request"
[ "$(jq .schema "$work/request")" = 1 ] || die "a request of another schema"
case ${1-} in
submit | query | cancel) "$1" ;;
*) die "submit, query or cancel" ;;
esac
