#!/bin/bash
# Somebody deletes rows of the example's database, and a person brings them back without a scenario: while a search that was mistyped goes on, a copy is
# restored and looked at by the line that is printed; the search is ended and leaves nothing; the copy is removed, and another one takes the database's place.
set -euo pipefail
lifeboat=$PWD/build/lifeboat folder=build/recovery/restore-by-hand
command -v pgbackrest >/dev/null || { echo "pgbackrest is not installed"; exit 77; }
rm -rf "$folder"
mkdir -p "$folder"
plan=examples/dating-profile-optimizer/plan.yaml
. scripts/lib/lab.sh
export LIFEBOAT_USER=database-administrator

broken() { echo "$1" && cat "$folder/found" "$folder/said" "$folder/json" 2>/dev/null; exit 1; }
# ordered COMMAND…: ends with exit code 0; what it prints is in found
ordered() { cli "$@" >"$folder/found" 2>"$folder/said" || broken "$* ended with $?"; }
says() { grep -qF -- "$1" "$folder/found" || broken "it does not say '$1'"; }

within 90 so '.sets | length == 1' backups list database
sql db-east-1 "CREATE TABLE orders_of_test AS SELECT g AS id FROM generate_series(1, 5000) g" >/dev/null
within 30 cli backups take database --type diff
begin=$(date -u +"%Y-%m-%d %H:%M:%S+00")
sleep 1
xid=$(sql db-east-1 "BEGIN; DELETE FROM orders_of_test WHERE id % 3 = 0; SELECT pg_current_xact_id(); COMMIT" | tail -n 1)
sql db-east-1 "INSERT INTO orders_of_test VALUES (9001)" >/dev/null

# A check that never ends.
printf -- '-- for ever\nSELECT pg_sleep(3600) IS NOT NULL;\n' >"$folder/checks.sql"
cli clean-point database --check "$folder/checks.sql" --from "$begin" >"$folder/search" 2>&1 &
search=$!
within 30 so '[.hosts[].looks[]?] | length == 1' restores list database
within 60 so '[.hosts[].looks[]? | select(.what == "clean-point")] | length == 1' restores list database

ordered restore database --to-xid "before:$xid" --into isolated --name undo
says "database is restored as undo on "
says "paused and read-only"
says "left out  from transaction $xid of"
enter=$(sed -n 's/^  enter *\(.*[^ ]\) *(on .*/\1/p' "$folder/found")
command -v sudo >/dev/null || enter=${enter/sudo -u postgres/runuser -u postgres --}
rows=$(cd / && $enter -d dating_optimizer -qAt -c 'SELECT count(*) FROM orders_of_test') || broken "'$enter' does not enter the copy"
[ "$rows" = 5000 ] || broken "the copy holds $rows rows of 5000"
(cd / && $enter -d dating_optimizer -qAt -c 'DELETE FROM orders_of_test') >"$folder/last" 2>&1 && broken "the copy takes writes"
so '[.hosts[].restores[]] | length == 1 and .[0].name == "undo" and .[0].state == "done"' restores list database || broken "it is not listed"

ordered restores stop database clean-point
says "clean-point is ended on"
code=0
wait $search || code=$?
if [ $code != 1 ] || ! grep -q "it was ended by $LIFEBOAT_USER" "$folder/search"; then
  echo "the search ended with $code" && cat "$folder/search" && exit 1
fi
so '[.hosts[].looks[]?] == []' restores list database || broken "the search goes on"
left=$(find "$lab/hosts" -maxdepth 6 -name 'clean-point.*' -print -quit)
[ -z "$left" ] || broken "the search left $left"
refused cli restores stop database

ordered restores remove database undo
so '[.hosts[].restores[]] == []' restores list database || broken "it was not removed"

refused cli restore database --to-xid "before:$xid" --into replace
so '.databases.database | .writable and .holder == "east-1"' status || broken "the database was touched"
cli restore database --to-xid "before:$xid" --into replace --yes --format json >"$folder/found" 2>"$folder/said" || broken "the swap ended with $?"
jq -e 'has("target") and has("reached") and has("lost_transactions") and has("collateral_transactions") and has("seconds") and
  has("copy_seconds") and has("replay_seconds") and has("bytes")' "$folder/found" >/dev/null || broken "keys are missing"
jq -e --argjson xid "$xid" '.target == {"kind": "xid-before", "xid": $xid} and .reached.next_xid == $xid and .lost_transactions == 0 and
  .collateral_transactions >= 2 and .copy_seconds > 0 and .bytes > 0 and (has("log_not_closed") | not) and
  .adopted.timeline > 1 and (.checked.summary | length > 0) and .evidence.done and .evidence.files > 0' "$folder/found" >/dev/null ||
  broken "it says something else"
kept=$(jq -r .adopted.kept "$folder/found")
[ -f "$kept/PG_VERSION" ] || broken "the evidence is not in $kept"
[ -s "$(jq -r .evidence.manifest "$folder/found")" ] || broken "the hashes of the evidence are not there"
member=$(jq -r .adopted.member "$folder/found")
so ".databases.database | .writable and .holder == \"$member\"" status || broken "$member does not lead"
rows=$(sql "db-$member" 'SELECT count(*) FROM orders_of_test WHERE id <= 5000')
[ "$rows" = 5000 ] || broken "the database holds $rows rows of 5000"
seconds=$(jq '.seconds * 10 | round / 10' "$folder/found")

# The other way: a copy that was looked at is put in place.
sql "db-$member" 'INSERT INTO orders_of_test VALUES (9002)' >/dev/null
ordered restore database --latest --into isolated --name looked-at
refused cli restores adopt database looked-at
refused cli restores adopt database another --yes
ordered restores adopt database looked-at --yes
says "the copy is the database now"
says "checked   restore looked-at of database holds"
next=$(sed -n 's/^  leads  *\([^ ]*\) takes writes.*/\1/p' "$folder/found")
[ "$next" != "$member" ] || broken "the copy was on the primary's own host"
so ".databases.database | .writable and .holder == \"$next\"" status || broken "$next does not lead"
rows=$(sql "db-$next" 'SELECT count(*) FROM orders_of_test')
[ "$rows" = 5001 ] || broken "the database holds $rows rows of 5001"
echo "a search ended, a copy looked at by hand, another put in place in $seconds s and what $member had kept, and one that was looked at adopted"
