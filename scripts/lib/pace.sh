# How fast this machine is, in the one respect that recoveries of databases hang on: how long a session takes to begin and end.
# shellcheck shell=bash

# What it takes on a usual machine, in milliseconds.
readonly usual_session_ms=4

# pace: how many times longer than usual it takes here, at least 1, with one decimal; 1 when it cannot be measured.
pace() (
  bin=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
  if [ -z "$bin" ] || [ "$(id -u)" != 0 ]; then echo 1 && return; fi
  folder=$(mktemp -d /var/tmp/lifeboat-pace-XXXXXX)
  as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$bin/$1" "${@:2}"; }
  trap 'as_postgres pg_ctl -m immediate -D "$folder/data" stop >/dev/null 2>&1; rm -rf "$folder"' EXIT
  chown postgres "$folder"
  cd "$folder" || return
  echo 'SELECT 1;' >question
  {
    as_postgres initdb --no-sync -A trust -D "$folder/data" &&
      as_postgres pg_ctl -w -D "$folder/data" -l "$folder/log" -o "-k $folder -c listen_addresses=" start
  } >/dev/null 2>&1 || { echo 1 && return; }
  latency=$(as_postgres pgbench -h "$folder" -C -n -f question -T 2 postgres 2>/dev/null |
    sed -n 's/^latency average = \([0-9.]*\) ms$/\1/p') || latency=0
  jq -n --argjson took "${latency:-0}" --argjson usual "$usual_session_ms" '[1, ($took / $usual * 10 | round / 10)] | max'
)
