#!/bin/bash
# A region's hosts are cut off while an attack goes on, and let back. Nobody reaches the isolated primary, connections that were made before
# are cut too, its agent stays linked, and afterwards all is as it was.
set -euo pipefail
lifeboat=$PWD/build/lifeboat folder=build/recovery/cut-off
command -v psql >/dev/null || { echo "psql is not installed" && exit 77; }
command -v nft >/dev/null || { echo "nftables is not installed" && exit 77; }
[ "$(id -u)" = 0 ] || { echo "regions of their own need root" && exit 77; }
rm -rf "$folder"
mkdir -p "$folder"
cp examples/dating-profile-optimizer/*.* "$folder"
plan=$folder/plan.yaml
# What would follow by itself from a region that looks lost is left out here.
sed -i '/^decision_matrix:$/,/^$/s/automatic: [a-z-]*,\? *//' "$plan"
sed -i '/^scenarios:$/r /dev/stdin' "$plan" <<'PLAN'
  cut-off:
    title: Hosts are cut off
    applies_to: [us-east-1]
    phases:
      respond:
        - {id: isolate, title: Cut the region off, uses: network.isolate, timeout: 1m, with: {region: us-east-1}}
  let-back:
    title: Hosts are let back
    applies_to: [us-east-1]
    phases:
      respond:
        - {id: rejoin, title: Let the region back, uses: network.rejoin, timeout: 1m, with: {region: us-east-1}}
PLAN

. scripts/lib/lab.sh
database_is() {
  cli status --format json >"$folder/status.json"
  jq -e ".databases.database | $1" "$folder/status.json" >/dev/null
}
all_stream='.holder == "east-1" and .writable and ([.members[] | select(.streaming)] | length == 2)'

within 30 sql db-east-1 "create table kept (n int primary key)"
within 60 database_is "$all_stream"
term=$(jq .databases.database.term "$folder/status.json")
# Somebody is connected when it happens, and goes on to write.
(PGOPTIONS='' in_lab psql -h "$(address db-east-1)" -U dating -d dating_optimizer -qAt -c 'select pg_sleep(10)' \
  -c 'insert into kept values (-1)' || true) >/dev/null 2>&1 &
sleep 1

begun=$SECONDS
cli run cut-off --by devops-lead --reason "somebody is in the systems" >"$folder/cut-off"
took=$((SECONDS - begun))
cli report R-1 --format json >"$folder/cut-off.json"
grep -q 'lb-east and cache-east have no agent: cut them off by hand' "$folder/cut-off.json"
for host in db-east-1 db-east-2; do
  refused sql "$host" "select 1"
  refused in_lab timeout 1 bash -c "</dev/tcp/$(address "$host")/5432"
done
refused in_lab timeout 1 bash -c "</dev/tcp/$(address app-east)/8080"
# Its servers are up, its agents are linked, and it keeps its lease for longer than one lasts.
sleep 15
database_is "[.members[] | select(.connected)] | length == 3"
database_is ".holder == \"east-1\" and .writable and .term == $term"
database_is '[.members[] | select(.streaming)] | length == 0'
refused sql db-east-1 "select 1"
[ "$(runuser -u postgres -- psql -qAt -h "$lab/hosts/db-east-1/agent/database/socket" -d dating_optimizer -c 'select count(*) from kept')" = 0 ] ||
  { echo "an old connection wrote while the host was cut off" && exit 1; }

cli run let-back --by devops-lead --reason "they are out" >"$folder/let-back"
within 20 sql db-east-1 "insert into kept values (2)"
within 60 database_is "$all_stream and .term == $term"
echo "three hosts cut off and proven in $took s, linked all the time, and back with all standbys"
