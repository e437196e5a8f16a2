#!/bin/bash
# slurm-cluster.sh - a Slurm cluster at the address of this machine's name, in a folder of its own, for tests. As root.
#   ci/slurm-cluster.sh start DIR     starts munged, slurmctld, slurmd; waits for an idle node; prints what to put in SLURM_CONF
#   ci/slurm-cluster.sh stop DIR      cancels its jobs, stops its daemons (by their pid files only)
# It is as Slurm comes, which sites differ from:
#   REQUEUE_EXIT=75   what exits so is requeued (default: nothing is)
#   NODES=2           so many nodes on this machine: its own name, node2, node3, ... (default: 1)
#   OTHER_CPU=NAME    node2 says that its processor is called so
#   MAX_ARRAY=1001, MAX_JOBS=10000, MIN_AGE=3600    its limits: of an index of an array, of jobs that it remembers, and for how many seconds after
#                     their end
# Jobs of partition urgent displace those of partition main, which are requeued. Processors are not bound to tasks.
# Two clusters do not meet: each has free ports and a key of its own. Nothing outside DIR is written, but for this machine's name in
# /etc/hosts if nothing resolves it.
. "$(dirname "$0")/lib.sh"
[ $# -eq 2 ] || die "usage: ci/slurm-cluster.sh start|stop DIR"
mkdir -p "$2"
B=$(cd "$2" && pwd)
export SLURM_CONF=$B/slurm.conf

alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
free_port() { # FIRST: the first port from there on that nobody listens on
	local port=$1
	while ss -Hltn "sport = :$port" | grep -q .; do port=$((port + 1)); done
	echo "$port"
}

write_conf() {
	local host address ctld slurmd steps cpus i name
	host=$(hostname -s)
	address=$(getent ahostsv4 "$host" | awk '{ print $1; exit }') # Debian's own is 127.0.1.1, a container's that of its network
	ctld=$(free_port $((20000 + RANDOM % 5000)))
	slurmd=$(free_port $((26000 + RANDOM % 5000)))
	steps=$((32000 + RANDOM % 500))
	cpus=$(nproc)
	cat >"$SLURM_CONF" <<CONF
ClusterName=ablate
SlurmctldHost=$host($address)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$ctld
SrunPortRange=$steps-$((steps + 90))
# the address of this name only
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$B/run/munge.socket.2
StateSaveLocation=$B/state
SlurmdSpoolDir=$B/spool/%n
SlurmctldPidFile=$B/run/slurmctld.pid
SlurmdPidFile=$B/run/%n.pid
SlurmctldLogFile=$B/log/slurmctld.log
SlurmdLogFile=$B/log/%n.log
# neither cgroups nor systemd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=${MIN_AGE:-3600}
MaxArraySize=${MAX_ARRAY:-1001}
MaxJobCount=${MAX_JOBS:-10000}
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
KillWait=5
InactiveLimit=0
SlurmctldTimeout=30
SlurmdTimeout=300
Waittime=0
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO PriorityTier=1
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP OverSubscribe=NO PriorityTier=2
CONF
	[ -z "${REQUEUE_EXIT-}" ] || echo "RequeueExit=$REQUEUE_EXIT" >>"$SLURM_CONF"
	for i in $(seq "${NODES:-1}"); do
		name=node$i
		[ "$i" -gt 1 ] || name=$host # what mpirun asks for by name has to be found by it
		echo "NodeName=$name NodeHostname=$host NodeAddr=$address Port=$((slurmd + i)) CPUs=$cpus Boards=1 SocketsPerBoard=1" \
			"CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=1000 State=UNKNOWN" >>"$SLURM_CONF"
	done
}

# Starts a daemon that is not alive yet. It holds neither our stdout nor our lock files open.
daemon() { # NAME PROGRAM ARGUMENT...    its files are NAME.pid and NAME.log
	alive "$B/run/$1.pid" || "${@:2}" </dev/null >/dev/null 2>&1 || { tail -5 "$B/log/$1.log" >&2 || true; die "$1 does not start"; }
}
nodes() { sed -nE 's/^NodeName=([^ ]+).*/\1/p' "$SLURM_CONF"; }

start() {
	[ "$(id -u)" -eq 0 ] || die "needs root"
	for d in munged slurmctld slurmd sbatch ss; do command -v $d >/dev/null || die "$d is missing: ci/setup.sh slurm"; done
	getent ahostsv4 "$(hostname -s)" >/dev/null || echo "127.0.0.1 $(hostname -s)" >>/etc/hosts
	mkdir -p "$B"/{munge,state,spool,log,run}
	chmod 755 "$B"
	chmod 700 "$B/munge"
	[ -s "$SLURM_CONF" ] || write_conf
	[ -s "$B/munge/munge.key" ] || (umask 077; head -c 1024 /dev/urandom >"$B/munge/munge.key")
	daemon munged munged --force --key-file="$B/munge/munge.key" --socket="$B/run/munge.socket.2" --num-threads=2 --pid-file="$B/run/munged.pid" \
		--log-file="$B/log/munged.log" --seed-file="$B/munge/munged.seed"
	# -i only where there is no state yet: it starts although state files cannot be read
	local fresh=-i
	[ ! -e "$B/state/job_state" ] || fresh=
	daemon slurmctld slurmctld $fresh -f "$SLURM_CONF"
	local node n
	n=$(nodes | wc -l)
	for node in $(nodes); do
		mkdir -p "$B/spool/$node"
		if [ "$node" = node2 ] && [ -n "${OTHER_CPU-}" ]; then
			sed "s/^model name.*/model name\t: $OTHER_CPU/" /proc/cpuinfo >"$B/cpuinfo"
			daemon "$node" unshare -m sh -c 'mount --bind "$1" /proc/cpuinfo && shift && exec "$@"' sh "$B/cpuinfo" slurmd -N "$node" -f "$SLURM_CONF"
		else
			daemon "$node" slurmd -N "$node" -f "$SLURM_CONF"
		fi
	done
	local until=$((SECONDS + 60)) # a client that finds no controller takes a while
	while [ $SECONDS -lt $until ]; do
		if [ "$(timeout 10 sinfo -h -N -p main -o %t 2>/dev/null | grep -cE '^(idle|mix|alloc)$')" -eq "$n" ]; then echo "$SLURM_CONF"; return 0; fi
		sleep 0.25
	done
	timeout 10 sinfo -R >&2 || true
	tail -5 "$B"/log/*.log >&2 || true
	die "not every node is idle after 60 s"
}

stop() {
	timeout 15 squeue -h -o %i 2>/dev/null | sort -u | xargs -r timeout 15 scancel 2>/dev/null || true
	local d f p
	for d in $(nodes) slurmctld munged; do
		f=$B/run/$d.pid
		[ -s "$f" ] || continue
		p=$(cat "$f")
		case $(cat "/proc/$p/comm" 2>/dev/null) in slurmd|slurmctld|munged) ;; *) continue ;; esac
		kill "$p" || true
		for _ in $(seq 50); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
		! kill -0 "$p" 2>/dev/null || echo "slurm-cluster: $d ($p) is still there" >&2
	done
}

case $1 in
start) start ;;
stop) stop ;;
*) die "usage: ci/slurm-cluster.sh start|stop DIR" ;;
esac
