#!/bin/bash
# The side-by-side benchmark still runs: its smallest corner, Lifeboat's tuned configuration with the primary's server killed, once. Judged are the
# rows it writes and what must never be, not how fast it was.
set -euo pipefail
folder=build/recovery/benchmark
[ "$(id -u)" = 0 ] || { echo "nodes are namespaces, which need root" && exit 77; }
for program in python3 unshare nsenter setpriv nft /usr/lib/postgresql/15/bin/postgres; do
  command -v "$program" >/dev/null || { echo "$program is not installed" && exit 77; }
done
rm -rf "$folder"
mkdir -p "$folder"
results=$folder/results.json

bench/failover/run --only lifeboat/tuned/async --fault kill-server --watch 1 --patience 30 --no-install --out "$results"

holds() {
  jq -e "$1" "$results" >/dev/null && return
  echo "not so: $1"
  jq -c '{rows, left_out, not_measured}' "$results"
  exit 1
}
holds '.rows | length == 1'
holds '.rows | all(. as $row | ["system", "config", "mode", "fault", "outage_s", "lost", "double_acknowledged_s"] | all(. as $key | $row | has($key)))'
holds '.rows[0] | .system == "lifeboat" and .config == "tuned" and .mode == "async" and .fault == "kill-server"'
holds '.rows[0] | .recovered and .outage_s > 0 and .outage_s < 30 and .lost >= 0 and .double_acknowledged_s == 0'
jq -r '.rows[0] | "one row: outage \(.outage_s) s, lost \(.lost), two acknowledged for \(.double_acknowledged_s) s"' "$results"
