#!/bin/bash
# The monthly test of the example's plan: every kept backup is restored beside the live database, looked at and removed, what it took is
# told when a recovery is planned, and a backup that cannot be restored is named.
set -euo pipefail
lifeboat=$PWD/build/lifeboat folder=build/recovery/restore-drill
command -v pgbackrest >/dev/null || { echo "pgbackrest is not installed"; exit 77; }
rm -rf "$folder"
mkdir -p "$folder"
plan=examples/dating-profile-optimizer/plan.yaml
. scripts/lib/lab.sh
export LIFEBOAT_USER=devops-lead

says() { grep -q -- "$1" "$folder/said" || { echo "it does not say '$1':" && cat "$folder/said" && exit 1; }; }

within 90 so '.sets | length == 1' backups list database
within 30 cli backups take database --type diff
so '.restored.samples == 0 and .restored.fits == null' backups list database || { echo "something was measured before"; exit 1; }
cli preview "$plan" database-recovery >"$folder/said"
says 'no restore was measured yet'

cli run database-recovery-test --by devops-lead --reason "monthly" >"$folder/run"
so '.restored | .samples == 2 and .fits and (.measured | length == 2 and all(.problem == "" and .drill))' backups list database
cli backups list database >"$folder/said"
says 'sound'
cli preview "$plan" database-recovery >"$folder/said"
says 'by 2 restores'
says 'within the RTO of 4 h'
so '.sets | length == 2' backups list database
seconds=$(jq '.restored.measured[0].seconds * 100 | round / 100' "$folder/json")
so '[.hosts[].restores[]] == []' restores list database || { echo "a copy was left behind"; exit 1; }

# A file of the full backup is damaged; the newest needs it too.
damaged=$(find "$lab"/hosts/backup-eu/agent/pgbackrest.d.repository/backups/backup/database/*F -type f -size +100k | sort | tail -n 1)
chattr -i "$damaged" 2>/dev/null || true
printf 'damage' | dd of="$damaged" bs=1 seek=50000 conv=notrunc status=none
if cli run database-recovery-test --by devops-lead --reason "again" >"$folder/run" 2>&1; then
  echo "a damaged backup was taken for sound" && exit 1
fi
cli backups list database >"$folder/said" && { echo "backups list says that all is well"; exit 1; }
says 'NOT PROVEN: could not be restored'
so '[.hosts[].restores[]] == []' restores list database || { echo "a copy was left behind"; exit 1; }
echo "both backups restored, looked at and removed; the newest took $seconds s; a damaged one was named"
