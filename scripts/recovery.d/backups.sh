#!/bin/bash
# The example's backups on real servers: the first full backup is taken by the schedule, WAL is archived and streamed, backups are
# read from a standby that streams, why nothing is archived is told, everything verifies, whoever has a database's certificate
# deletes nothing, and after the loss of the primary backups and archive go on without a gap.
set -euo pipefail
command -v pgbackrest >/dev/null || { echo "pgbackrest is not installed"; exit 77; }
export LIFEBOAT_USER=tests
plan=examples/dating-profile-optimizer/plan.yaml

number=$(build/lifeboat lab up --detach --plan "$plan" --profile compressed | sed -n 's/^lab \([0-9]*\) is up.*/\1/p')
trap 'build/lifeboat lab down --lab "$number" >/dev/null' EXIT
lab=/var/tmp/lifeboat-lab-$number
export LIFEBOAT_TOKEN_FILE=$lab/secrets/api-token
repository=$lab/hosts/backup-eu/agent/pgbackrest.d.repository/backups

ask() {
  local at
  for at in control-east control-west control-eu; do
    LIFEBOAT_CONTROLLER=$(jq -r ".hosts[\"$at\"]" "$lab/inventory.json"):7400 \
      build/lifeboat lab exec --lab "$number" -- build/lifeboat "$@" --format json && return 0
  done 2>/dev/null
  return 1
}
until_so() { # seconds, what in words, jq filter, command
  local end=$((SECONDS + $1)) what=$2 filter=$3 last=
  shift 3
  while ((SECONDS < end)); do
    last=$(ask "$@") && jq -e "$filter" <<<"$last" >/dev/null && return
    sleep 0.5
  done
  echo "not so within the time: $what: $(cut -c1-800 <<<"$last")"
  exit 1
}
sql() { # member's host, statement
  runuser -u postgres -- psql -qAt -h "$lab/hosts/$1/agent/database/socket" -d dating_optimizer -c "$2"
}

verified() { # when
  local said
  said=$(ask backups verify database) && jq -e '.result.whole' <<<"$said" >/dev/null && return
  echo "the repository does not verify $1: $(cut -c1-800 <<<"$said")"
  LIFEBOAT_CONTROLLER=$(jq -r '.hosts["control-east"]' "$lab/inventory.json"):7400 \
    build/lifeboat lab exec --lab "$number" -- build/lifeboat backups verify database || true
  exit 1
}

until_so 90 'a full backup' '.sets | length == 1 and .[0].type == "full"' backups list database
until_so 30 'the stream of WAL' '.databases.database.backups | .stream != "" and .stream_bytes >= 0' status
until_so 30 'a window' '.archive.oldest != "" and .archive.gaps == []' backups list database

# The same as figures for a monitoring system, from a controller that need not be the one that leads.
printf 'authorization: Bearer %s\n' "$(cat "$LIFEBOAT_TOKEN_FILE")" >"$lab/secrets/header"
figures=$(build/lifeboat lab exec --lab "$number" -- \
  curl -sS -m 10 -H "@$lab/secrets/header" "http://$(jq -r '.hosts["control-eu"]' "$lab/inventory.json"):7400/metrics")
for figure in 'lifeboat_database_writable{service="database"} 1' 'lifeboat_backup_sets{service="database"} 1' \
  'lifeboat_backup_trouble{service="database"} 0'; do
  grep -qxF "$figure" <<<"$figures" || { echo "/metrics does not say $figure: $(head -c 800 <<<"$figures")"; exit 1; }
done

# With a standby there the primary's files are left alone: pgBackRest waits for the standby to have replayed the backup's first record, and
# does so for no other reason.
until_so 60 'a standby that streams' '[.databases.database.members[] | select(.streaming)] | length > 0' status
log=$lab/hosts/backup-eu/agent/pgbackrest.d/log/database-backup.log
said=$(wc -l <"$log")
ask backups take database --type incr | jq -e '.state == "done"' >/dev/null || { echo 'no backup could be taken beside a standby'; exit 1; }
taken=$(tail -n +"$((said + 1))" "$log")
for part in '--backup-standby' 'replay on the standby reached'; do
  grep -qF -- "$part" <<<"$taken" || { echo "the backup was not read from the standby: $(head -c 800 <<<"$taken")"; exit 1; }
done
until_so 60 'up to which moment can be restored' \
  '.databases.database.backups | .restorable_to >= .newest_at and .restorable_to > .oldest_at' status

# A certificate that is not accepted any more: the stream goes on, so nothing would be lost, but what waits is told, and why.
authority=$lab/hosts/db-east-1/agent/pgbackrest.d/ca.crt
cp "$authority" "$lab/authority"
openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -out "$lab/another" -subj /CN=another -days 1 2>/dev/null
cat "$lab/another" >"$authority"
sql db-east-1 'CREATE TABLE unarchived AS SELECT generate_series(1, 1000) AS i; SELECT pg_switch_wal()' >/dev/null
until_so 60 'why nothing is archived' \
  '.databases.database.backups | .archive_waiting > 0 and (.archive_failed | contains("certificate")) and .loss_ms < .rpo_ms' status
cat "$lab/authority" >"$authority"
until_so 120 'archived again' '.databases.database.backups | .archive_waiting == 0 and .archive_failed == ""' status

# Whoever speaks through pgBackRest's server is its user: nothing that is finished can be removed, changed or moved.
sql db-east-1 'CREATE TABLE backup_test AS SELECT generate_series(1, 100000) AS i; SELECT pg_switch_wal()' >/dev/null
sleep 3
before=$(find "$repository" -type f | sort | sha256sum)
runuser -u postgres -- find "$repository" -type f ! -name '*.info*' -delete 2>/dev/null || true
runuser -u postgres -- find "$repository" -type f ! -name '*.info*' -exec truncate -s 0 {} + 2>/dev/null || true
[ "$before" = "$(find "$repository" -type f | sort | sha256sum)" ] || { echo 'files of the repository were deleted'; exit 1; }
# The index can be taken away, and comes back.
runuser -u postgres -- rm -f "$repository"/backup/database/backup.info "$repository"/backup/database/backup.info.copy
until_so 60 'the index is back, and told' '.status.noticed != "" and (.sets | length) == 2' backups list database
verified 'after its index came back'

# The primary is lost with what it had not archived.
sql db-east-1 'INSERT INTO backup_test SELECT generate_series(1, 1000)'
build/lifeboat lab fault --lab "$number" kill-server east-1 >/dev/null
until_so 60 'another primary' '.databases.database | .writable and .holder != "east-1"' status
sql db-east-2 'INSERT INTO backup_test SELECT generate_series(1, 100000); SELECT pg_switch_wal()' >/dev/null || true
until_so 60 'a backup of the new primary' '.state == "done"' backups take database --type diff
until_so 90 'no gap over the failover' '.archive.gaps == [] and .archive.timeline > 1 and (.sets | length) == 3' backups list database
until_so 60 'the stream of the new primary' '.databases.database.backups | .stream_bytes >= 0' status
verified 'after the failover'
echo 'backups, read from a standby, archive and stream went on over a failover without a gap; nothing could be deleted'
