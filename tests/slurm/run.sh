#!/bin/bash
# A SLURM of one machine, a small sweep on it, and the same sweep without it: are they equal?
#
#     sudo apt-get install -y slurmctld slurmd slurm-client munge
#     sudo tests/slurm/run.sh [PYTHON]        (a minute; PYTHON has identikit[slurm])
#
# Needs root and Debian's packages; starts munged, slurmctld and slurmd with a configuration of
# its own in a temporary folder, and takes all of it away at the end. Exits 0 if all is equal.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(realpath -s "${1:-.venv/bin/python}")
folder=$(mktemp -d /tmp/slurm.XXXXXX)
host=$(hostname -s)
chmod 755 "$folder"
mkdir "$folder/ctld" "$folder/d" "$folder/munge"
chown munge: "$folder/munge"
export SLURM_CONF=$folder/slurm.conf

cleanup() {
    for name in slurmd slurmctld; do
        [[ -f $folder/$name.pid ]] && kill "$(cat "$folder/$name.pid")" 2>/dev/null && sleep 1
    done
    [[ -f $folder/munge/pid ]] && kill "$(cat "$folder/munge/pid")" 2>/dev/null
    rm -rf "$folder"
}
trap cleanup EXIT

dd if=/dev/urandom of="$folder/munge/key" bs=128 count=1 status=none
chmod 400 "$folder/munge/key"
chown munge: "$folder/munge/key"
setpriv --reuid munge --regid munge --clear-groups munged --key-file="$folder/munge/key" \
    --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
    --log-file="$folder/munge/log" --seed-file="$folder/munge/seed"

# Plain process tracking and no accounting: no cgroups and no data base are needed.
cat > "$SLURM_CONF" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
StateSaveLocation=$folder/ctld
SlurmdSpoolDir=$folder/d
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
MpiDefault=none
ReturnToService=2
KillWait=3
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=work Nodes=$host Default=YES MaxTime=60 State=UP
CONF

slurmctld
slurmd
for _ in $(seq 60); do
    [[ $(sinfo --noheader --format=%T 2>/dev/null) == idle ]] && break
    sleep 1
done
sinfo
if [[ $(sinfo --noheader --format=%T) != idle ]]; then
    tail "$folder"/*.log
    exit 1
fi
OMP_NUM_THREADS=1 "$python" -m tests.slurm.sweep "$folder/runs"
