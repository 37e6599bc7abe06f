#!/bin/bash
# Case 88, patroni#1182: the site of the majority was lost, and nobody was left who could decide.
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

. scripts/lib/lab.sh
take_over() {
  in_lab "$lifeboat" store take-over --plan "$plan" --inventory "$lab/inventory.json" --secrets "$lab/secrets" --region eu-west-1 \
    --reason "the lab says so" "$@" "$folder/alone.sqlite"
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
