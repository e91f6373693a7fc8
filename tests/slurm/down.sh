#!/bin/bash
# Stop the cluster that up.sh started in FOLDER and remove the folder: down.sh FOLDER.
set -u
folder=$(realpath -m -- "${1:?folder}")
[ -f "$folder/slurm.conf" ] || exit 0
SLURM_CONF="$folder/slurm.conf" scancel --user="$(id -un)" 2> /dev/null
for pid in "$folder"/*.pid "$folder/munge/pid"; do
  [ -s "$pid" ] && kill "$(cat "$pid")" 2> /dev/null
done
for _ in $(seq 50); do
  alive=
  for pid in "$folder"/*.pid "$folder/munge/pid"; do
    [ -s "$pid" ] && kill -0 "$(cat "$pid")" 2> /dev/null && alive=1
  done
  [ -z "$alive" ] && break
  sleep 0.1
done
rm -rf -- "$folder"
