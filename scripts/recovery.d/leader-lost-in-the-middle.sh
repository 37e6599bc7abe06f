#!/bin/bash
# Case 41, orchestrator#1296: the leader noted that a recovery begins and died, and the next one was kept from it.
# A region dies in two blows: first all that serves users, then, in the middle of the run that this starts, the leading controller at
# one of the run's steps and its voter with it. Another controller finishes what was begun, and the way back too. Each drill takes a
# minute: one step of the list by day, all ten with LIFEBOAT_LONG=1.
set -euo pipefail
plan=examples/dating-profile-optimizer/plan.yaml
steps=(promote:after)
if [ -n "${LIFEBOAT_LONG:-}" ]; then
  steps=(open:after confirm:before promote:before promote:after cache:after scale:before weights:after divert:before divert:after
    answers:before)
fi

lost=() slowest=0 longest=0
for at in "${steps[@]}"; do
  report=build/recovery/leader-lost.${at/:/.}.json
  rm -f "$report"
  build/lifeboat drill region-failover --plan "$plan" --fault kill-workload --profile compressed --lose-leader-at "$at" --report "$report"
  holds() {
    jq -e "$1" "$report" >/dev/null && return
    echo "not so at $at: $1"
    jq -c '{leader_lost, steps: [.steps[] | select(.status != "done" and .status != "skipped")], journal, failback}' "$report"
    exit 1
  }
  holds '.leader_lost.region == "us-east-1" and .leader_region == "us-east-1"'
  # The next one is elected within two election timeouts, the lease and half a second, and then goes on where the journal ends.
  holds '.leader_lost.taken_over_s > 0 and .leader_lost.taken_over_s <= 15'
  holds '[.steps[] | select(.status != "done") | select(.status != "skipped" or .attempts != 0)] == []'
  holds '.double_acknowledged_s == 0 and .failback.lost == 0 and .journal.whole'
  holds '[.orphans[] | select(.complete | not)] == []'
  lost+=("$at")
  longest=$(jq --argjson so_far "$longest" '[.leader_lost.taken_over_s, $so_far] | max' "$report")
  slowest=$(jq --argjson so_far "$slowest" '[.rta_s, $so_far] | max' "$report")
done
echo "leader's region lost at ${lost[*]}; another went on after $longest s at most, slowest rta $slowest s"
