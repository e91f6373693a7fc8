#!/bin/bash
# A Slurm cluster of two nodes on this machine, for tests: up.sh FOLDER [GPUS_A_NODE]. Needs root and Debian's packages
# slurmctld slurmd slurm-client munge. Everything lives in FOLDER (key, sockets, configuration, state); /etc is left
# alone. Nodes n1 and n2 are two slurmd processes on this host, which Debian builds with --enable-multiple-slurmd.
# Then: export SLURM_CONF=FOLDER/slurm.conf
set -euo pipefail
folder=$(realpath -m -- "${1:?folder}")
gpus=${2:-0}
mkdir -p "$folder"/{state,log,munge,gpu}
chmod 0755 "$folder" "$folder/munge"

# munged wants a private key and a socket folder that others can pass through.
[ -s "$folder/munge.key" ] || head -c 1024 /dev/urandom > "$folder/munge.key"
chmod 0400 "$folder/munge.key"
munged --force --key-file="$folder/munge.key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
  --log-file="$folder/log/munged" --seed-file="$folder/munge/seed"

host=$(hostname -s)
base=$((26000 + ($(printf '%s' "$folder" | cksum | cut -d' ' -f1) % 300) * 10)) # so that two clusters do not meet
gres=
if [ "$gpus" -gt 0 ]; then
  # Empty files stand in for devices: enough for the controller to count them.
  for index in $(seq 0 $((gpus - 1))); do : > "$folder/gpu/$index"; done
  gres=" Gres=gpu:h100:$gpus"
  printf 'AutoDetect=off\nNodeName=n[1-2] Name=gpu Type=h100 File=%s/gpu/[0-%d]\n' "$folder" $((gpus - 1)) \
    > "$folder/gres.conf"
fi
cat > "$folder/slurm.conf" <<CONF
ClusterName=ftc
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$base
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmctldLogFile=$folder/log/slurmctld
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdLogFile=$folder/log/slurmd.%n
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmdSpoolDir=$folder/spool.%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=5,bf_interval=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MinJobAge=300
KillWait=10
${gres:+GresTypes=gpu}
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 1)) CPUs=2 State=UNKNOWN$gres
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 2)) CPUs=2 State=UNKNOWN$gres
PartitionName=low Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high Nodes=n1,n2 MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF

export SLURM_CONF="$folder/slurm.conf"
slurmctld
slurmd -N n1
slurmd -N n2
for _ in $(seq 100); do
  [ "$(sinfo -h -N -t idle -o %N 2> /dev/null | sort -u | wc -l)" = 2 ] && exit 0
  sleep 0.2
done
sinfo >&2
tail -n 5 "$folder"/log/* >&2
exit 1
