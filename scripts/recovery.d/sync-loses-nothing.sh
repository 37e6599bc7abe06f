#!/bin/bash
# The example with synchronous replication: a commit is acknowledged when another member has it too. Whatever becomes of the
# primary's host, nothing that was acknowledged is lost, also to the writer that is cut off with it. Where the database has moved
# elsewhere than the scenario names, the scenario's own step is told so. One fault by day, all of them with LIFEBOAT_LONG=1.
set -euo pipefail
folder=build/recovery/sync plan=$folder/plan.yaml
. scripts/lib/plans.sh
rm -rf "$folder"
synchronous_example "$folder"
faults=(cut-node)
if [ -n "${LIFEBOAT_LONG:-}" ]; then
  faults=(kill-server stop-server kill-node freeze-node cut-node cut-node-one-way flap-node stop-agent kill-guard)
fi

acknowledged=0
for fault in "${faults[@]}"; do
  report=$folder/$fault.json
  rm -f "$report"
  build/lifeboat drill database-failover --plan "$plan" --profile compressed --fault "$fault" --report "$report" |
    tee "$folder/$fault.log" || { [ -s "$report" ] && grep -qE '(east|west)-[12] takes writes' "$folder/$fault.log"; }
  holds() {
    jq -e "$1" "$report" >/dev/null && return
    echo "not so under $fault: $1"
    jq -c '{rpa, writers, orphans, double_acknowledged_s}' "$report"
    exit 1
  }
  holds '.rpa.lost == 0 and .double_acknowledged_s == 0 and .journal.whole'
  holds '.writers.outside.acknowledged > 100'
  holds '[.orphans[] | select(.complete | not)] == []'
  acknowledged=$((acknowledged + $(jq .rpa.acknowledged "$report")))
done
echo "none of $acknowledged acknowledged writes lost under ${faults[*]}"
