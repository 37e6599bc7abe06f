#!/bin/bash
# A database with synchronous replication moves by itself to another member than the one its scenario names. The scenario's step waits long
# enough to see whether the new primary hangs, and is then told who takes writes. Users are served meanwhile, which takes a standby that
# follows: nobody was made to follow before the step had ended, and each commit waited.
set -euo pipefail
folder=build/recovery/moved-elsewhere plan=$folder/plan.yaml report=$folder/report.json
. scripts/lib/plans.sh
rm -rf "$folder"
synchronous_example "$folder"
sed -i '/^  database-failover:$/,/phases:/s/vars: {to: us-east-1}/vars: {to: us-west-2}/' "$plan"
# A run that is left to a person is told as a drill that failed.
build/lifeboat drill database-failover --plan "$plan" --profile fast --fault stop-server --report "$report" |
  tee "$folder/drill.log" || grep -qE 'promote: (east|west)-[12] takes writes' "$folder/drill.log"
holds() {
  jq -e "$1" "$report" >/dev/null && return
  echo "not so: $1"
  jq -c '{rta_s, rpa, milestones, double_acknowledged_s}' "$report"
  exit 1
}
step='.steps[] | select(.id == "promote")'
holds ".rpa.lost == 0 and .double_acknowledged_s == 0 and .journal.whole"
if jq -e "($step | .status) == \"done\"" "$report" >/dev/null; then
  echo "the standby that the scenario names had most, and took over itself: tried nothing"
  exit 77
fi
holds ".rta_s != null and .rta_s < ($step | .started_after_s + .seconds) - 2"
echo "users were served after $(jq .rta_s "$report") s; the step was told after $(jq "$step | .seconds" "$report") s that it moved elsewhere"
