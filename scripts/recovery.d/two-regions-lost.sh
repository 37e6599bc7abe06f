#!/bin/bash
# Two of three regions are lost for good, and with them the majority of voters. Two people let the third go on alone and promote its
# member; when the lost regions come back, their controllers are a majority again and know nothing of it, and still nobody
# there takes a write.
set -euo pipefail
lifeboat=$PWD/build/lifeboat folder=build/recovery/alone
command -v psql >/dev/null || { echo "psql is not installed" && exit 77; }
[ "$(id -u)" = 0 ] || { echo "regions of their own need root" && exit 77; }
rm -rf "$folder"
mkdir -p "$folder"
cp examples/dating-profile-optimizer/*.* "$folder"
plan=$folder/plan.yaml
sed -i 's/^      west-1: {host: db-west-1}$/&\n      eu-1: {host: control-eu}/' "$plan"
sed -i '/^scenarios:$/r /dev/stdin' "$plan" <<'PLAN'
  one-region-left:
    title: Two regions are lost for good
    applies_to: [database]
    phases:
      recover:
        - {id: promote, title: What is left becomes the primary, uses: postgres.failover, timeout: 1m,
           with: {service: database, to: eu-west-1, accept_loss: true},
           approval: {of: [incident-commander, executive], need: 2}}
PLAN

up=$("$lifeboat" lab up --plan "$plan" --profile compressed --detach | tail -n 1)
lab=${up##* } number=${up#lab } && number=${number%% *}
trap '"$lifeboat" lab down --lab "$number"' EXIT
trap 'exit 143' TERM INT
in_lab() { "$lifeboat" lab exec --lab "$number" -- "$@"; }
address() { jq -r --arg host "$1" '.hosts[$host]' "$lab/inventory.json"; }
export PGPASSWORD PGCONNECT_TIMEOUT=1 PGOPTIONS='-c statement_timeout=1s'
PGPASSWORD=$(cat "$lab/secrets/db-password")
sql() { in_lab psql -h "$(address "$1")" -U dating -d dating_optimizer -qAt -v ON_ERROR_STOP=1 -c "$2"; }
cli() { in_lab "$lifeboat" "$@" --controller "$(address control-eu):7400" --token-file "$lab/secrets/api-token"; }
take_over() {
  in_lab "$lifeboat" store take-over --plan "$plan" --inventory "$lab/inventory.json" --secrets "$lab/secrets" --region eu-west-1 \
    --reason "the lab says so" "$@" "$folder/alone.sqlite"
}
# within SECONDS COMMAND…: tries until it succeeds
within() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >"$folder/last" 2>&1; do
    [ $SECONDS -lt $until ] || { echo "not within its time: $*" && cat "$folder/last" && return 1; }
    sleep 0.2
  done
}
refused() {
  if "$@" >"$folder/last" 2>&1; then echo "not refused: $*" && exit 1; fi
}

sql db-east-1 "create table kept (n int primary key); insert into kept select generate_series(1, 1000)"
has_all() { [ "$(sql control-eu 'select count(*) from kept')" = 1000 ]; }
within 20 has_all
refused take_over --by devops-lead --by cto
grep -q 'voters answer' "$folder/last"

"$lifeboat" lab fault kill-region us-west-2 --lab "$number"
"$lifeboat" lab fault kill-region us-east-1 --lab "$number"
lost_at=$SECONDS
refused take_over --by devops-lead --by devops-lead
refused take_over --by devops-lead --by marketing
take_over --by devops-lead --by cto
"$lifeboat" lab fault kill-process control-eu/controller --lab "$number"
"$lifeboat" lab exec --lab "$number" --beside control-eu -- "$lifeboat" controller --plan "$PWD/$plan" --profile compressed \
  --inventory "$lab/inventory.json" --secrets "$lab/secrets" --store "$PWD/$folder/alone.sqlite" --host control-eu \
  --listen "$(address control-eu):7400"
within 20 cli status
within 20 cli run one-region-left --no-watch --by devops-lead --reason "two regions are lost"
within 10 cli approve R-1 promote --by devops-lead
refused sql control-eu "insert into kept values (1001)"
within 10 cli approve R-1 promote --by cto
within 30 sql control-eu "insert into kept values (1001)"
took=$((SECONDS - lost_at))
[ "$(sql control-eu 'select count(*) from kept')" = 1001 ]

# The old majority is back, with its leader, its journal and its idea of who the primary is.
"$lifeboat" lab heal kill-region us-east-1 --lab "$number"
"$lifeboat" lab heal kill-region us-west-2 --lab "$number"
until=$((SECONDS + 25)) tries=0
while [ $SECONDS -lt $until ]; do
  for host in db-east-1 db-east-2 db-west-1; do refused sql "$host" "insert into kept values (-$((++tries)))"; done
  sql control-eu "insert into kept values ($((2000 + tries)))"
done
in_lab "$lifeboat" store status --plan "$plan" --inventory "$lab/inventory.json" --secrets "$lab/secrets" | grep -q '^leader   control-'

# When people have stopped the old controllers, the others become standbys of the new primary.
for host in control-east control-west; do "$lifeboat" lab fault kill-process "$host/controller" --lab "$number"; done
all_stream() {
  cli status --format json >"$folder/status.json"
  jq -e '[.databases.database.members[] | select(.streaming)] | length >= 2' "$folder/status.json"
}
within 60 all_stream
echo "eu-west-1 writes $took s after the loss, by two people; $tries writes refused in the regions that came back"
