#!/bin/bash
# The controllers' store is emptied and filled from a copy that is older than the last failover. The server that takes writes goes on under a
# term above all that anybody has seen. Before that, writes that only the old primary had are listed, exported and compared with the data of now by
# `lifeboat orphans`, which changes nothing.
set -euo pipefail
lifeboat=$PWD/build/lifeboat folder=build/recovery/store-put-back
command -v psql >/dev/null || { echo "psql is not installed" && exit 77; }
[ "$(id -u)" = 0 ] || { echo "regions of their own need root" && exit 77; }
rm -rf "$folder"
mkdir -p "$folder"
plan=examples/dating-profile-optimizer/plan.yaml
controllers=(control-east control-west control-eu)
. scripts/lib/lab.sh
export LIFEBOAT_USER=devops-lead
# Writers in the background end when their file is gone.
trap 'rm -f "$folder/inside" "$folder/outside"; "$lifeboat" lab down --lab "$number"' EXIT

wrong() {
  echo "$1"
  tail -n 20 "$folder/status.json" "$folder/last" "$folder/json" 2>/dev/null || true
  exit 1
}
fault() { "$lifeboat" lab fault "$@" --lab "$number" >/dev/null; }
heal() { "$lifeboat" lab heal "$@" --lab "$number" >/dev/null; }
store() { # subcommand, its words
  in_lab "$lifeboat" store "$1" --plan "$plan" --inventory "$lab/inventory.json" --secrets "$lab/secrets" "${@:2}"
}
database_is() {
  cli status --format json >"$folder/status.json"
  jq -e ".databases.database | $1" "$folder/status.json" >/dev/null
}
of_database() { jq -r ".databases.database.$1" "$folder/status.json"; }
all_stream='.writable and ([.members[] | select(.streaming)] | length == 2)'

# ---- a copy, and then a failover that the copy does not know

within 60 database_is "$all_stream and .holder == \"east-1\""
term_of_copy=$(of_database term)
within 20 sql db-east-1 "create table given (n int primary key, note text); create table counted (id int primary key, n int); insert into counted values (1, 0)"
store backup "$folder/copy.jsonl" >"$folder/said"
grep -q 'events, head .*, whole$' "$folder/said" || wrong "backup does not say that the copy is whole"
[ "$(stat -c %a "$folder/copy.jsonl")" = 600 ] || wrong "others may read the copy"

# Somebody on the primary's side of the cut goes on writing until it is fenced.
write_inside() {
  local n=0
  while [ -e "$folder/inside" ]; do
    if runuser -u postgres -- psql -qAt -h "$lab/hosts/db-east-1/agent/database/socket" -d dating_optimizer \
      -c "insert into given values ($((++n)), 'row $n'); update counted set n = $n"; then echo "$n"; else sleep 0.05; fi
  done >"$folder/acknowledged" 2>/dev/null
}
touch "$folder/inside"
write_inside &
inside=$!
within 20 test -s "$folder/acknowledged"
fault cut-node db-east-1
within 30 database_is '.writable and .holder != "east-1"'
rm "$folder/inside"
wait "$inside"
holder=$(of_database holder) host=db-$(of_database holder)
heal cut-node db-east-1
within 90 database_is "$all_stream and .holder == \"$holder\""
term_seen=$(of_database term)
[ "$term_seen" -gt "$term_of_copy" ] || wrong "the failover has no term of its own"

# ---- what the old primary alone had

sql "$host" "select n from given" | LC_ALL=C sort >"$folder/there"
LC_ALL=C sort "$folder/acknowledged" | LC_ALL=C comm -23 - "$folder/there" | sort -n >"$folder/lost"
lost=$(wc -l <"$folder/lost")
[ "$lost" -gt 0 ] || wrong "the old primary had acknowledged nothing that the new one does not have"
within 30 so '.orphans | length == 1 and .[0].complete and .[0].member == "east-1"' orphans show
id=$(jq -r '.orphans[0].id' "$folder/json")
cli orphans show >"$folder/said"
grep -qF "$id" "$folder/said" && grep -q 'all read back' "$folder/said" && grep -q 'public.given' "$folder/said" ||
  wrong "show does not list what was saved"
cli orphans show "$id" >"$folder/said"
grep -qE "insert dating_optimizer.public.given +key \{\"n\":\"$(head -n 1 "$folder/lost")\"\}" "$folder/said" || wrong "show does not tell of the first lost row"

cli orphans export "$id" --as json >"$folder/changes.jsonl"
jq -r 'select(.table == "public.given" and .operation == "insert") | .after.n' "$folder/changes.jsonl" | sort -n >"$folder/exported"
[ -z "$(LC_ALL=C comm -23 <(LC_ALL=C sort "$folder/lost") <(LC_ALL=C sort "$folder/exported"))" ] || wrong "lost rows are not in the export"
jq -se 'all(.committed_at != "" and .xid > 0 and .database == "dating_optimizer")' "$folder/changes.jsonl" >/dev/null || wrong "changes without a time or transaction"
cli orphans export "$id" --as sql --output "$folder/replay.sql"
[ "$(stat -c %a "$folder/replay.sql")" = 600 ] || wrong "others may read the exported rows"
refused cli orphans export nothing
refused cli orphans replay "$id"

changes=$(wc -l <"$folder/changes.jsonl") rows=$(wc -l <"$folder/exported")
[ "$changes" = $((2 * rows)) ] || wrong "$changes changes for $rows rows"
data() { sql "$host" "select md5(string_agg(g::text, '|' order by n)) from given g" && sql "$host" "select * from counted"; }
as_it_is=$(data)
so ".verdicts.applies == $changes and (.changes | length == $changes)" orphans replay "$id" --dry-run || wrong "not all of it applies"
cli orphans replay "$id" --dry-run >"$folder/said"
grep -q "^$changes would apply, 0 are there already, 0 conflict, 0 cannot be told. Nothing was changed.$" "$folder/said" || wrong "the dry run says something else"
[ "$(data)" = "$as_it_is" ] || wrong "a dry run changed the data"
# Somebody has entered one of the rows again, otherwise.
first=$(head -n 1 "$folder/exported")
sql "$host" "insert into given values ($first, 'by hand')"
refused cli orphans replay "$id" --dry-run
grep -qE "^conflict +insert dating_optimizer.public.given .*it differs in note" "$folder/last" || wrong "the conflict is not told"
sql "$host" "delete from given where n = $first"
# What was exported is for psql.
in_lab psql -h "$(address "$host")" -U dating -d dating_optimizer -qAt -v ON_ERROR_STOP=1 -f "$folder/replay.sql" >"$folder/last" 2>&1 || wrong "the exported SQL fails"
[ "$(sql "$host" "select count(*) from given where n in ($(paste -sd, "$folder/exported"))")" = "$rows" ] || wrong "rows are missing after the SQL"

# ---- the store, put back from the older copy

write_outside() {
  local n=1000000
  while [ -e "$folder/outside" ]; do
    sql "$host" "insert into given values ($((++n)), 'meanwhile')" && date +%s%3N
  done >"$folder/written" 2>"$folder/not-written"
}
server_began() { runuser -u postgres -- psql -qAt -h "$lab/hosts/$host/agent/database/socket" -c 'select pg_postmaster_start_time()'; }
began=$(server_began)
refused store restore "$folder/copy.jsonl"
grep -q 'etcdctl del --prefix /lifeboat/dating-profile-optimizer/' "$folder/last" || wrong "restore into a store that is in use does not say what to do"
touch "$folder/outside"
write_outside &
outside=$!
for each in "${controllers[@]}"; do fault kill-process "$each/controller"; done
in_base64() { printf '%s' "$1" | base64 -w0; }
in_lab curl -fsS --max-time 5 "http://$(address control-eu):2379/v3/kv/deleterange" \
  -d "{\"key\": \"$(in_base64 /lifeboat/dating-profile-optimizer/)\", \"range_end\": \"$(in_base64 /lifeboat/dating-profile-optimizer0)\"}" >"$folder/last"
jq -e '.deleted | tonumber > 10' "$folder/last" >/dev/null || wrong "the store was not emptied"
store restore "$folder/copy.jsonl" >"$folder/said"
grep -q 'no term is used twice' "$folder/said" || wrong "restore does not say what it did"
refused store restore "$folder/copy.jsonl"
heal kill-process

within 30 database_is "$all_stream and .holder == \"$holder\""
term_now=$(of_database term)
[ "$term_now" -gt "$term_seen" ] && [ "$term_now" -gt $((term_of_copy + 100)) ] || wrong "term $term_now is not above $term_seen and a hundred above $term_of_copy"
# It goes on for longer than a lease and everybody's looks.
sleep 5
rm "$folder/outside"
wait "$outside"
database_is "$all_stream and .holder == \"$holder\" and .term == $term_now" || wrong "the right to write has moved"
[ "$(server_began)" = "$began" ] || wrong "the primary's server was started anew"
[ ! -s "$folder/not-written" ] || wrong "a write was refused: $(head -n 3 "$folder/not-written")"
pause=$(awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }' "$folder/written")
[ "$pause" -le 2000 ] || wrong "nothing could be written for $pause ms"
[ "$(sql "$host" "select count(*) from given where n > 1000000")" = "$(wc -l <"$folder/written")" ] || wrong "acknowledged writes are missing"
store backup "$folder/after.jsonl" >"$folder/said"
jq -se '[.[].event.kind] | index("terms-left-out") and all(. != "run-opened" and . != "automatic-failover" and . != "vacant")' \
  "$folder/after.jsonl" >/dev/null || wrong "something was begun, or no terms were left out"
store status --format json >"$folder/json"
jq -e ".majority and .journal.whole and .leader.name != \"\" and (.owners | length == 1) and .owners[0].term == $term_now and .owners[0].holder == \"$holder\"" "$folder/json" >/dev/null ||
  wrong "the store's status is another"
echo "terms $term_of_copy (copy), $term_seen, $term_now; longest pause $pause ms; $lost lost rows listed, exported and compared"
