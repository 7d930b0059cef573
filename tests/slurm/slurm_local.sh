#!/bin/sh
# A real Slurm of one node for the tests: slurm_local.sh start|stop|status FOLDER. Needs root,
# Debian's slurm-wlm and munge, and no other Slurm on the machine.
set -eu
folder=$2
node=$(hostname -s)

start() {
    if [ -e /etc/slurm/slurm.conf ]; then
        echo "another Slurm is set up here: /etc/slurm/slurm.conf" >&2
        exit 1
    fi
    mkdir -p "$folder/state" "$folder/spool" /etc/slurm /run/munge
    grep -qw "$node" /etc/hosts || echo "127.0.0.1 $node" >>/etc/hosts
    chown munge: /run/munge
    chmod 755 /run/munge
    pgrep -x munged >/dev/null || su -s /bin/sh munge -c /usr/sbin/munged
    {
        cat <<END
ClusterName=local
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
KillWait=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$(slurmd -C | sed -n 's/.*RealMemory=\([0-9]*\).*/\1/p') State=UNKNOWN
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

stop() {
    for name in slurmd slurmctld; do
        [ -e "$folder/$name.pid" ] && kill "$(cat "$folder/$name.pid")" || true
    done
    [ "$(readlink /etc/slurm/slurm.conf)" = "$folder/slurm.conf" ] && rm /etc/slurm/slurm.conf
}

case $1 in
start) start ;;
stop) stop ;;
status) sinfo -h -o %T ;;
esac
