# A lab that a test of the recovery ring stands beside. Sourced; before it `plan`, `folder` and `lifeboat` are set. Ends with its shell.
# shellcheck shell=bash
up=$("$lifeboat" lab up --plan "$plan" --profile compressed --detach | tail -n 1)
lab=${up##* } number=${up#lab } && number=${number%% *}
trap '"$lifeboat" lab down --lab "$number"' EXIT
trap 'exit 143' TERM INT
in_lab() { "$lifeboat" lab exec --lab "$number" -- "$@"; }
address() { jq -r --arg host "$1" '.hosts[$host]' "$lab/inventory.json"; }
export PGPASSWORD PGCONNECT_TIMEOUT=1 PGOPTIONS='-c statement_timeout=1s'
PGPASSWORD=$(cat "$lab/secrets/db-password")
sql() { in_lab psql -h "$(address "$1")" -U dating -d dating_optimizer -qAt -v ON_ERROR_STOP=1 -c "$2"; }
cli() { in_lab "$lifeboat" "$@" --controller "$(address control-eu):7400" --token-file "$lab/secrets/api-token"; }
# so JQ-FILTER COMMAND…: whether what the command says as JSON is so
so() {
  local filter=$1
  shift
  cli "$@" --format json >"$folder/json" && jq -e "$filter" "$folder/json" >/dev/null
}
# within SECONDS COMMAND…: tries until it succeeds
within() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >"$folder/last" 2>&1; do
    [ $SECONDS -lt $until ] || { echo "not within its time: $*" && cat "$folder/last" && return 1; }
    sleep 0.2
  done
}
refused() {
  if "$@" >"$folder/last" 2>&1; then echo "not refused: $*" && exit 1; fi
}
