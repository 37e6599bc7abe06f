#!/bin/bash
# Somebody deletes rows of the example's database. Those who know its name only are told which transaction did it and what to restore to, by the
# controller: from the log, and from checks of the data.
set -euo pipefail
lifeboat=$PWD/build/lifeboat folder=build/recovery/who-did-it
command -v pgbackrest >/dev/null || { echo "pgbackrest is not installed"; exit 77; }
rm -rf "$folder"
mkdir -p "$folder"
plan=examples/dating-profile-optimizer/plan.yaml
. scripts/lib/lab.sh
export LIFEBOAT_USER=database-administrator

says() { # file, text
  grep -qF -- "$2" "$1" || { echo "it does not say '$2':" && cat "$1" "$folder/said" && exit 1; }
}

within 90 so '.sets | length == 1' backups list database
sql db-east-1 "CREATE TABLE orders_of_test AS SELECT g AS id FROM generate_series(1, 5000) g" >/dev/null
# A copy of before the damage takes a backup of before it.
within 30 cli backups take database --type diff
begin=$(date -u +"%Y-%m-%d %H:%M:%S+00")
sleep 2
xid=$(sql db-east-1 "BEGIN; DELETE FROM orders_of_test WHERE id % 3 = 0; SELECT pg_current_xact_id(); COMMIT" | tail -n 1)

cli forensics database >"$folder/found" 2>"$folder/said" || { echo "forensics ended with $?" && cat "$folder/said" && exit 1; }
says "$folder/found" "xid $xid "
says "$folder/found" "deleted 1,666 rows of dating_optimizer.public.orders_of_test"
says "$folder/found" "just before it: --to-xid before:$xid"
grep -qE 'committed at [0-9A-F]+/[0-9A-F]+;' "$folder/found" || { echo "no position is named" && cat "$folder/found" && exit 1; }
so ".service == \"database\" and any(.findings[]; .xid == $xid and .restore_to.xid == \"before:$xid\")" forensics database ||
  { echo "its JSON says something else" && cat "$folder/json" && exit 1; }

# The plan says which database is meant.
printf -- '-- no order is lost\nSELECT count(*) >= 5000 FROM orders_of_test;\n' >"$folder/checks.sql"
cli clean-point database --check "$folder/checks.sql" --from "$begin" >"$folder/found" 2>"$folder/said" ||
  { echo "clean-point ended with $?" && cat "$folder/found" "$folder/said" && exit 1; }
says "$folder/found" "just before transaction $xid of"
says "$folder/found" "restore to   --to-xid before:$xid"
# A check that good data do not meet is named, and no answer.
printf -- '-- twice as many\nSELECT count(*) >= 10000 FROM orders_of_test;\n' >"$folder/checks.sql"
if cli clean-point database --check "$folder/checks.sql" --from "$begin" >"$folder/found" 2>"$folder/said"; then
  echo "a check that never holds has an answer" && cat "$folder/found" && exit 1
fi
says "$folder/found" "'twice as many' (false)"
refused cli forensics nothing
refused cli clean-point database --check "$folder/checks.sql" --from "2024-01-01 14:00:00"
so '[.hosts[].restores[]] == []' restores list database || { echo "a copy was left behind"; exit 1; }
echo "transaction $xid was named from the log and from checks of the data, with the target before it"
