#!/bin/bash
# The example with synchronous replication: a commit is acknowledged when another member has it too. Whatever becomes of the
# primary's host, nothing that was acknowledged is lost, also to the writer that is cut off with it. Commits wait for the replica in the
# region that the scenario names: any other member could be the only one that has them, and the step that promotes says no then. One
# fault by day, all of them with LIFEBOAT_LONG=1.
set -euo pipefail
folder=build/recovery/sync plan=$folder/plan.yaml
rm -rf "$folder"
mkdir -p "$folder"
cp examples/dating-profile-optimizer/*.* "$folder"
sed 's/^\( *\)replication: async/\1replication: sync\n\1sync_region: us-east-1/' examples/dating-profile-optimizer/plan.yaml >"$plan"
faults=(cut-node)
if [ -n "${LIFEBOAT_LONG:-}" ]; then
  faults=(kill-server stop-server kill-node freeze-node cut-node cut-node-one-way flap-node stop-agent kill-guard)
fi

acknowledged=0
for fault in "${faults[@]}"; do
  report=$folder/$fault.json
  build/lifeboat drill database-failover --plan "$plan" --profile compressed --fault "$fault" --report "$report"
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
