#!/bin/sh
# A real Slurm of one node for the tests: slurm_local.sh start|stop|status FOLDER. Needs root,
# Debian's slurm-wlm and munge, and no other Slurm on the machine.
set -eu
folder=$2
node=$(hostname -s)
# Of this folder alone, since jobs have it in their environment, by which they are known.
cluster=local$(printf '%s' "$folder" | cksum | cut -d ' ' -f 1)

# As many processors as a job asks for that runs all methods side by side, also where there are fewer.
processors=$(nproc --all)
[ "$processors" -ge 6 ] || processors=6

lives() { # file with the number of a process
    [ -e "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null
}

start() {
    # What killed tests left is in nobody's way: a link into their folder, whose Slurm is gone.
    left=$(readlink /etc/slurm/slurm.conf || true)
    if [ -n "$left" ] && ! lives "$(dirname "$left")/slurmctld.pid"; then
        rm /etc/slurm/slurm.conf
    fi
    if [ -e /etc/slurm/slurm.conf ]; then
        echo "another Slurm is set up here: /etc/slurm/slurm.conf" >&2
        exit 3
    fi
    mkdir -p "$folder/state" "$folder/spool" /etc/slurm /run/munge
    grep -qw "$node" /etc/hosts || echo "127.0.0.1 $node" >>/etc/hosts
    chown munge: /run/munge
    chmod 755 /run/munge
    if ! pgrep -x munged >/dev/null; then
        su -s /bin/sh munge -c /usr/sbin/munged
        cp /run/munge/munged.pid "$folder/munged.pid"
    fi
    {
        cat <<END
ClusterName=$cluster
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/none
SchedulerParameters=sched_interval=2,bf_interval=2
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$processors RealMemory=$(slurmd -C | sed -n 's/.*RealMemory=\([0-9]*\).*/\1/p') State=UNKNOWN
PartitionName=main Nodes=$node Default=YES MaxTime=INFINITE DefMemPerCPU=1000 State=UP
END
    } >"$folder/slurm.conf"
    # Linked, since jobs do not see the variable that could name another place.
    ln -s "$folder/slurm.conf" /etc/slurm/slurm.conf
    slurmctld -i
    slurmd
    for _ in $(seq 60); do
        [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && exit 0
        sleep 0.5
    done
    echo "the node does not become idle; see $folder/slurmctld.log" >&2
    exit 1
}

# Processes of jobs, also of those that Slurm has given up with their node.
at_work() {
    grep -lsz "^SLURM_CLUSTER_NAME=$cluster\$" /proc/[0-9]*/environ | cut -d / -f 3
}

stop() {
    squeue -h -o %A | xargs -r scancel || true
    for name in slurmd slurmctld munged; do
        if lives "$folder/$name.pid"; then
            kill "$(cat "$folder/$name.pid")"
        fi
    done
    for process in $(at_work); do
        kill -KILL "$process" 2>/dev/null || true
    done
    if [ "$(readlink /etc/slurm/slurm.conf)" = "$folder/slurm.conf" ]; then
        rm /etc/slurm/slurm.conf
    fi
    for _ in $(seq 40); do
        if [ -z "$(at_work)" ] && ! lives "$folder/munged.pid" && ! lives "$folder/slurmctld.pid"; then
            exit 0
        fi
        sleep 0.5
    done
    echo "not everything has ended" >&2
    exit 1
}

case $1 in
start) start ;;
stop) stop ;;
status) sinfo -h -o %T ;;
esac
