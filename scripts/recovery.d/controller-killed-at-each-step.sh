#!/bin/bash
# Case 54, patroni#1418: what belongs to a change of roles was left out when its process died, or done twice.
# The controller is killed before and after the effect of every step of the loss of a region and of the way back, and started
# anew each time. Both runs must come to the same end as undisturbed ones: every step finished once, nothing lost, nobody
# else writing, no second run, and a journal that is whole. How long it takes is the killing's doing and not judged here,
# beyond the plan's own objectives.
set -euo pipefail
# The example with one controller and its journal in a file, so that each death costs no election.
folder=build/recovery/one-controller plan=$folder/plan.yaml
rm -rf "$folder"
mkdir -p "$folder"
cp examples/dating-profile-optimizer/*.* "$folder"
sed -e '/^controllers:/,/^$/d' -e '/control-\(east\|west\):/s/, controller: true//' \
  examples/dating-profile-optimizer/plan.yaml >"$plan"
report=build/recovery/controller-killed-at-each-step.json
rm -f "$report"
build/lifeboat drill region-failover --plan "$plan" --fault kill-region --profile compressed --kill-controller --report "$report"

holds() {
  jq -e "$1" "$report" >/dev/null && return
  echo "not so: $1"
  jq -c '{steps: [.steps[] | select(.status != "done" and .status != "skipped")], controller_kills, journal, failback}' "$report"
  exit 1
}
holds '.controller_kills.missed == []'
holds '.controller_kills.finished_again == []'
holds '.controller_kills.runs == 2'
holds '.controller_kills.resumed >= (.controller_kills.passed | length) / 2'
# Steps that the plan leaves out in a lab are never begun: there is nothing to die at.
holds '[.steps[] | select(.status != "done") | select(.status != "skipped" or .attempts != 0)] == []'
holds '[.steps[] | select(.status == "done") | .id] as $done | ($done | length) >= 20
       and $done - [.controller_kills.passed[] | select(.when == "before") | .step] == []
       and $done - [.controller_kills.passed[] | select(.when == "after") | .step] == []'
holds '.double_acknowledged_s == 0 and .failback.lost == 0 and .journal.whole'
jq -r '"killed \(.controller_kills.passed | length) times, rta \(.rta_s) s, lost \(.rpa.lost) of \(.rpa.acknowledged), \(.journal.events) events whole"' "$report"
